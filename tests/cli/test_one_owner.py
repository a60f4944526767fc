"""One process at a time writes to a folder; whoever reads is not refused."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import tiny

from electra_tf.experiments import processes
from electra_tf.locks import LOCK, locked

GLUE = "text\tlabel\nwell\tgood\nill\tbad\n"


def command_line(name, run, records_dir, text_file, vocab_file, folder):
    """The command, and the folder that it locks."""
    fine = f"--task=custom --data_dir={folder.parent} --num_train_epochs=1"
    given = {
        "build_pretraining_data": [
            f"--input={text_file}", f"--vocab_file={vocab_file}",
            f"--output_dir={folder}", "--max_seq_length=16",
        ],
        "convert_weights": [f"--input={run}", f"--output={folder}"],
        "report": [f"--model_dir={run}", f"--output_dir={folder}"],
        "finetune": [
            f"--init_checkpoint={run}", f"--output_dir={folder}",
            *fine.split(), "--max_seq_length=16",
        ],
        "export_saved_model": [
            f"--model_dir={run}", f"--output_dir={folder}", "--warmup=false",
        ],
        "compare_objectives": [
            *(f"--{n}={v}" for n, v in tiny.FLAGS.items()),
            f"--data_dir={records_dir}", f"--output_dir={folder}",
            "--systems=electra", f"--probe=mood: {fine}",
        ],
    }  # fmt: skip
    if name == "export_saved_model":
        return given[name], f"{folder}.partial"
    return given[name], str(folder)


@pytest.mark.parametrize(
    "name",
    [
        "build_pretraining_data",
        "convert_weights",
        "report",
        "finetune",
        "export_saved_model",
        "compare_objectives",
    ],
)
def test_a_second_start_is_told_who_works_there(
    name, tiny_run, records_dir, text_file, vocab_file, tmp_path, monkeypatch
):
    monkeypatch.setattr(processes, "_WAIT_SECONDS", 0.2)
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text(GLUE)
    arguments, folder = command_line(
        name, tiny_run.folder, records_dir, text_file, vocab_file,
        tmp_path / "out",
    )  # fmt: skip
    with locked(folder):
        before = tiny.tree(tmp_path)
        finished = tiny.command(name, *arguments)
        line = finished.error()
        assert f"may write to {folder!r}" in line
        assert f"process {os.getpid()} on " in line
        assert ", since 20" in line
        assert tiny.tree(tmp_path) == before


def test_a_second_start_of_a_run(tiny_run, records_dir, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(tiny_run.folder, folder)
    with locked(str(folder)):
        before = tiny.tree(folder)
        finished = tiny.pretrain(
            model_dir=folder, data_dir=records_dir, num_train_steps=30
        )
        assert "is at work there" in finished.error()
        evaluated = tiny.command(
            "evaluate_pretraining", f"--model_dir={folder}"
        )
        assert evaluated.code == 0  # who reads is not refused
        assert tiny.tree(folder) == before


@pytest.mark.slow
def test_an_export_takes_the_next_version_after_a_killed_one(
    tiny_run, tmp_path
):
    left = tmp_path / "served.partial" / "version.0123abcd.tmp" / "model"
    left.mkdir(parents=True)
    (tmp_path / "served.partial" / LOCK).write_text("process 1 on x")
    finished = tiny.command(
        "export_saved_model",
        f"--model_dir={tiny_run.folder}",
        f"--output_dir={tmp_path / 'served'}",
        "--warmup=false",
    )
    assert finished.code == 0, finished.err
    assert os.listdir(tmp_path) == ["served"]
    assert os.listdir(tmp_path / "served") == ["1"]


def test_weights_that_cannot_be_written_leave_the_old_ones(
    tiny_run, tmp_path, monkeypatch
):
    from electra_tf.weights import npz

    def convert(dtype):
        return tiny.command(
            "convert_weights",
            f"--input={tiny_run.folder}",
            f"--output={tmp_path / 'out'}",
            f"--dtype={dtype}",
        )

    assert convert("float16").code == 0
    before = tiny.tree(tmp_path)

    def fail(*arguments):
        raise OSError("No space left")

    monkeypatch.setattr(npz.np.lib.format, "write_array", fail)
    assert "No space left" in convert("float32").error()
    assert tiny.tree(tmp_path) == before
    shutil.rmtree(tmp_path / "out")
    assert "No space left" in convert("float32").error()
    assert not os.listdir(tmp_path)


# ---------------------------------------------------------------------------
# Processes that end with the one that started them.

POOL = """
import os, sys, time
from electra_tf.data.records.build import ordered_map
from electra_tf.endings import tidy_at_sigterm

def make():
    return work

def work(task):
    print(os.getpid(), flush=True)
    time.sleep(0.01)

if __name__ == "__main__":
    with tidy_at_sigterm():
        try:
            for _ in ordered_map(make, range(100_000), 2):
                pass
        finally:
            print("left", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(signum, tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    pids = {process.stdout.readline()}
    while len(pids) < 2:
        pids.add(process.stdout.readline())
    process.send_signal(signum)
    begin = time.monotonic()
    # Its end comes when nobody holds the pipe any more.
    rest = process.stdout.read()
    assert time.monotonic() - begin < 20
    assert ("left" in rest) == (signum == signal.SIGTERM)
    process.wait()
    assert not [pid for pid in pids if is_running(int(pid))]


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
