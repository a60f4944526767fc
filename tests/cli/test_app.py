"""How commands start and fail: one line, exit code 2."""

import dataclasses
import importlib
import os
import pathlib
import re
import runpy
import subprocess
import sys

import pytest
import tiny

from electra_tf.cli import app
from electra_tf.config import Options, field
from electra_tf.config.pretraining import from_json
from electra_tf.errors import InputError

ROOT = pathlib.Path(__file__).parents[2]
# An old name, and what its command is now.
OLD = {
    "export_tflite": "export_saved_model.py --format=litert",
    "export_weights": "convert_weights.py --to=electra_tf",
}
SCRIPTS = {path.stem for path in (ROOT / "scripts").glob("*.py")}
COMMANDS = sorted(SCRIPTS - {"build_embedded_corpus", *OLD})


@dataclasses.dataclass(frozen=True)
class OwnOptions(Options):
    how_many: int = field(1)


def run_app(main, *arguments) -> tiny.Finished:
    """A command of the test's own, with one flag."""
    return tiny.run(app.command(OwnOptions)(main), "own", *arguments)


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (42, 42)])
def test_what_main_returns_is_the_exit_code(returned, code):
    assert run_app(lambda options: returned).code == code


def test_an_input_error_is_one_line_whatever_it_holds():
    def main(options):
        raise InputError("it must be small;\nreceived\t'x\ny'")

    finished = run_app(main)
    assert finished.error() == ("error: it must be small;\\nreceived\\t'x\\ny'")
    assert len(finished.err.splitlines()) == 1
    assert not finished.out


def test_other_errors_keep_their_traceback():
    def main(options):
        raise ValueError("a bug, not a user's mistake")

    with pytest.raises(ValueError, match="a bug"):
        run_app(main)


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--how_mny=3", ("how_mny", "how_many")),
        ("--how_many=three", ("how_many", "three")),
        ("three", ("three",)),
        ("--flagfile=/does/not/exist", ("/does/not/exist",)),
    ],
)
def test_a_wrong_command_line_is_refused(argument, told):
    finished = run_app(lambda options: 0, argument)
    line = finished.error()
    assert all(word in line for word in told), line
    assert len(finished.err.splitlines()) == 1


def test_a_flagfile_that_is_no_utf8_is_one_line(tmp_path):
    path = tmp_path / "latin.flags"
    path.write_bytes(b"# caf\xe9\n--seed=3\n")
    finished = tiny.command("pretrain", f"--flagfile={path}")
    assert "flagfile must be UTF-8; received b'# caf" in finished.error()


def test_help_shows_the_commands_own_flags():
    finished = tiny.command("pretrain", "--help")
    assert finished.code == 0
    assert "--num_train_steps" in finished.out
    assert "--model_size" in finished.out
    assert not finished.err


def test_a_mistyped_flag_does_not_wait_for_tensorflow():
    code = """if True:
        import runpy, sys
        script = sys.argv[1]
        sys.argv = [script, "--no_such_flag=1"]
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as stop:
            print(stop.code, "tensorflow" in sys.modules)
    """
    for name in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-c", code, f"scripts/{name}.py"],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert done.stdout == "2 False\n", (name, done)
        assert done.stderr.startswith("error: "), (name, done)
        assert "no_such_flag" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_every_command_has_a_script_and_a_console_script():
    """In setup.py, "electra-name = module:function"."""
    text = (ROOT / "setup.py").read_text().replace('"\n            "', "")
    found = re.findall(r"electra-[a-z-]+ = (electra_tf[.\w]*):(\w+)", text)
    assert sorted(function for _, function in found) == COMMANDS
    for module, function in found:
        command = getattr(importlib.import_module(module), function)
        assert isinstance(command, app.Command)
        script = runpy.run_path(str(ROOT / "scripts" / f"{function}.py"))
        assert script[function] is command


@pytest.mark.parametrize(("name", "new"), OLD.items())
def test_an_old_name_says_the_new_one(name, new):
    assert new in tiny.command(name, "--model_dir=x").error()


def test_a_real_process_prints_one_line_and_exits_with_2(tmp_path):
    """TensorFlow is imported here, and its own lines do not come through."""
    missing = str(tmp_path / "missing")
    done = subprocess.run(
        [
            sys.executable,
            "scripts/pretrain.py",
            f"--data_dir={missing}",
            f"--model_dir={tmp_path / 'run'}",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("TF_")},
    )
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert missing in lines[-1]
    assert [line.split(":")[0] for line in lines] == ["devices", "error"]
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------
# Plugins: code from outside that is imported before the flags are defined.


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A module that leaves a mark when it is imported, and its mark."""
    (tmp_path / "a_plugin.py").write_text(
        "import pathlib\npathlib.Path(__file__).with_name('mark').touch()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "mark"
    sys.modules.pop("a_plugin", None)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--plugin=a_plugin", "--how_many=2"],
        ["--how_many=2", "--plugin", "a_plugin"],
        ["--how_many", "2", "--flagfile={}/flags"],
        ["--plugin=json", "--plugin=a_plugin"],
    ],
)
def test_a_plugin_is_imported_and_named(arguments, plugin, tmp_path):
    (tmp_path / "flags").write_text("--plugin=a_plugin\n")
    arguments = [argument.format(tmp_path) for argument in arguments]
    finished = run_app(lambda options: 0, *arguments)
    assert finished.code == 0, finished.err
    assert plugin.exists()
    assert finished.err.splitlines()[-1] == "plugin: a_plugin"


def test_an_installed_plugin_is_imported_and_named(plugin, tmp_path):
    folder = tmp_path / "theirs-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: theirs\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        f"[{app.PLUGINS}]\nmine = a_plugin\n"
    )
    assert run_app(lambda options: 0).err == "plugin: a_plugin\n"
    assert plugin.exists()


@pytest.mark.parametrize("name", ["no_such_module", "", "a-b", "bad_plugin"])
def test_a_plugin_that_cannot_be_imported(name, plugin, tmp_path):
    (tmp_path / "bad_plugin.py").write_text("import no_such_module\n")
    line = run_app(lambda options: 0, f"--plugin={name}").error()
    rule = f"--plugin must name an importable module; received {name!r} ("
    assert line.startswith(f"error: {rule}")


def test_no_configuration_names_a_plugin(plugin):
    for text in ('{"run": {"plugin": "a_plugin"}}', '{"plugin": ["a_plugin"]}'):
        with pytest.raises(InputError, match="plugin"):
            from_json(text)
    assert not plugin.exists()


def test_a_plugins_choices_are_choices(plugin, tmp_path):
    """It is imported before the flags, and so their help, are made."""
    (tmp_path / "a_plugin.py").write_text(
        "import test_app\ntest_app.WORDS.append('zebra')\n"
    )
    command = app.command(WordOptions)(lambda options: print(options.word))
    assert "zebra" not in tiny.run(command, "own", "--help").out
    given = "--word=zebra"
    assert "one of apple; received" in tiny.run(command, "own", given).error()
    for argument in (given, "--help"):
        finished = tiny.run(command, "own", argument, "--plugin=a_plugin")
        assert "zebra" in finished.out
    WORDS.remove("zebra")


WORDS = ["apple"]


@dataclasses.dataclass(frozen=True)
class WordOptions(Options):
    word: str = field("apple", choices=lambda: WORDS)
