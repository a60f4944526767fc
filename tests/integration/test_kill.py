"""SIGKILL at random moments of a real process."""

import pathlib
import subprocess
import sys

import pytest
import tiny

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.slow
def test_a_killed_run_ends_as_one_that_was_not(records_dir, tmp_path):
    # Long enough to be hit, with a checkpoint every few steps.
    values = {
        **tiny.FLAGS,
        "num_train_steps": 400,
        "log_every_steps": 10,
        "save_checkpoints_steps": 7,
        "eval_every_steps": 200,
        "data_dir": records_dir,
    }
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "benchmarks" / "kill_and_resume.py"),
            f"--work_dir={tmp_path / 'kill'}",
            "--kills=3",
            "--last_step=400",
            "--",
            *(f"--{name}={value}" for name, value in values.items()),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("kill ") == 3
    assert ": 0 differ" in done.stdout
