"""Whole writes, locks, and what is refused of paths and files."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from electra_tf import files, locks
from electra_tf.errors import InputError

HOLD = (
    "import sys, time; from electra_tf import locks\n"
    "with locks.locked(sys.argv[1]) as lock:\n"
    "    print('held', flush=True)\n"
)


def start(code, folder):
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    return process


@pytest.mark.parametrize("name", ["run[1]", "a*", "b?", "{x}", "a\\b", "c]"])
def test_paths_that_are_patterns_are_refused(name):
    with pytest.raises(InputError, match=r"model_dir must .*; received"):
        files.check_path("model_dir", f"/runs/{name}")


def test_other_paths_pass():
    for path in ("gs://b/run-1", "/tmp/a b/ü", "C:/runs/x", ""):
        assert files.check_path("model_dir", path) == path


def write_half(path):
    with files.replacing(path) as temporary, open(temporary, "w") as file:
        file.write("half")
        raise KeyError


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a.json"
    files.write_text(str(path), "äö\n")
    files.write_text(str(path), "new\n")
    assert path.read_bytes() == b"new\n"
    with pytest.raises(KeyError):
        write_half(str(path))
    assert path.read_bytes() == b"new\n"
    assert os.listdir(tmp_path) == ["a.json"]


def test_temporary_names_are_not_shared(tmp_path):
    path = str(tmp_path / "a")
    with files.replacing(path) as one, files.replacing(path) as other:
        assert one != other
        for name in (one, other):
            pathlib.Path(name).write_text("")


def test_failed_writes_name_folder_and_reason(tmp_path):
    (tmp_path / "file").write_text("")
    rule = (
        r"cannot write to '.*/file': .*; free some space there, or give "
        "another folder"
    )
    with pytest.raises(InputError, match=rule):
        files.write_text(str(tmp_path / "file" / "a.json"), "x")
    with pytest.raises(InputError, match=rule):
        files.make_folder(str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "text that is not JSON"),
        (b"", "text that is not JSON"),
        (b"[" * 100_000, "text that is not JSON"),
        (b"[1]", "JSON that is a list"),
        (b'{"a": "\xff"}', "not UTF-8, from byte 7 on"),
        (None, "a folder"),
        ("", "no file"),
    ],
)
def test_damaged_json_is_one_line(tmp_path, content, problem):
    path = tmp_path / "a.json"
    if content is None:
        path.mkdir()
    elif content != "":
        path.write_bytes(content)
    with pytest.raises(InputError, match=problem) as caught:
        files.read_json(str(path), "build it again")
    assert str(caught.value).endswith(": build it again")
    assert "\n" not in str(caught.value)


def test_json_objects_are_read():
    files.write_text("ram://files/a.json", '{"a": "ü"}')
    assert files.read_json("ram://files/a.json") == {"a": "ü"}


def test_a_second_process_is_told_who_works_there(tmp_path):
    folder = tmp_path / "run"
    process = start(HOLD + "    time.sleep(60)", folder)
    try:
        who = f"process {process.pid} on .*, since 20..-..-.. .*, is at work"
        with pytest.raises(InputError, match=who), locks.locked(str(folder)):
            pass
        assert os.listdir(folder) == [".lock"]  # not removed by the loser
    finally:
        process.kill()
        process.communicate()
    # Freed, though the process had no time to do so.
    with locks.locked(str(folder)):
        assert os.listdir(folder) == [".lock"]
    assert not os.listdir(folder)


def test_children_hold_the_lock_of_a_killed_parent(tmp_path):
    child = (
        "    import subprocess\n"
        "    child = subprocess.Popen(['sleep', '60'], pass_fds=[lock],\n"
        "                             stdout=subprocess.DEVNULL)\n"
        "    print(child.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = start(HOLD + child, tmp_path)
    pid = int(process.stdout.readline())
    process.kill()
    process.communicate()
    said = []
    with pytest.raises(InputError), locks.locked(str(tmp_path)):
        pass
    threading.Timer(0.3, os.kill, [pid, signal.SIGKILL]).start()
    with locks.locked(str(tmp_path), 30, said.append):
        assert len(said) == 1


def test_waiting_has_an_end(tmp_path):
    begin = time.monotonic()
    with locks.locked(str(tmp_path)):
        with pytest.raises(InputError), locks.locked(str(tmp_path), 0.3):
            pass
        assert time.monotonic() - begin >= 0.3
        # Neither the loser's end nor its message frees the lock.
        with pytest.raises(InputError), locks.locked(str(tmp_path)):
            pass


def test_a_folder_is_left_as_it_was_found(tmp_path):
    with locks.locked(str(tmp_path / "new")):
        assert locks.is_empty(str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    with locks.locked(str(tmp_path)):
        pass
    assert tmp_path.exists()
    with locks.locked(str(tmp_path / "used")):
        (tmp_path / "used" / "a").write_text("")
        assert not locks.is_empty(str(tmp_path / "used"))
    assert os.listdir(tmp_path / "used") == ["a"]


def test_what_killed_writers_left_is_removed(tmp_path):
    kept = {"a.json", "b.tmp", "eval-00000-of-00001.tfrecord.tmp"}
    for name in {*kept, "a.json.0123abcd.tmp"}:
        (tmp_path / name).write_text("")
    with locks.locked(str(tmp_path)):
        pass
    assert set(os.listdir(tmp_path)) == kept


def test_remote_folders_have_no_lock():
    with locks.locked("ram://locks/a") as one, locks.locked("ram://locks/a"):
        assert one is None
