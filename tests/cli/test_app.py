"""How commands start and fail: one line, exit code 2."""

import dataclasses
import os
import pathlib
import subprocess
import sys

import pytest
import tiny

from electra_tf.cli import app
from electra_tf.config import Options, field
from electra_tf.errors import InputError

ROOT = pathlib.Path(__file__).parents[2]
# No commands: a tool of ours, and old names that only say the new ones.
OTHERS = {"build_embedded_corpus", "export_weights", "export_tflite"}
COMMANDS = sorted(
    {path.stem for path in (ROOT / "scripts").glob("*.py")} - OTHERS
)


@dataclasses.dataclass(frozen=True)
class OwnOptions(Options):
    how_many: int = field(1, "a number")


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
    assert finished.error() == "error: it must be small; received 'x y'"
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
