"""The comparison runner as a command: a whole one, killed and resumed."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest
import tiny

from electra_tf.cli.finetune import compare_objectives
from electra_tf.experiments.processes import Processes

ROOT = pathlib.Path(__file__).parents[2]
GOOD = (
    "we are glad of the news",
    "a great and strong nation",
    "peace and hope for all",
    "we thank the people",
    "the work is done well",
)
BAD = (
    "war and debt are great",
    "fear of the enemy",
    "we lost the peace",
    "weak laws and no hope",
    "the work is not done",
)


@pytest.fixture(scope="module")
def mood_files(tmp_path_factory) -> pathlib.Path:
    """Twenty labelled lines: ten to learn from, ten to measure on."""
    folder = tmp_path_factory.mktemp("mood")
    for name, end in (("train", ""), ("dev", " now")):
        lines = [f"{text}{end}\tgood\n" for text in GOOD]
        lines += [f"{text}{end}\tbad\n" for text in BAD]
        text = "text\tlabel\n" + "".join(lines)
        (folder / f"{name}.tsv").write_text(text)
    return folder


def arguments(records_dir, mood_files, output_dir, *more) -> list[str]:
    values = {
        **tiny.FLAGS,
        "num_train_steps": 10,
        "save_checkpoints_steps": 3,
        "data_dir": records_dir,
        "output_dir": output_dir,
        "systems": "electra,mlm",
        "probe": f"mood: --task=custom --data_dir={mood_files} "
        "--num_train_epochs=1 --train_batch_size=4 --max_seq_length=16",
        "probe_at": "0.5,1",
    }
    return [*(f"--{n}={v}" for n, v in values.items()), *more]


def start(*given) -> subprocess.Popen:
    script = ROOT / "scripts" / "compare_objectives.py"
    return subprocess.Popen(
        [sys.executable, str(script), *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def wait_for(path: pathlib.Path, process: subprocess.Popen) -> None:
    until = time.monotonic() + 600
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.05)


def run_here(processes, command, arguments, label):
    """In place of a process, most of whose time TensorFlow's import takes."""
    finished = tiny.command(command.rpartition(".")[2], *arguments)
    assert finished.code == 0, f"{label}: {finished.err}"


@pytest.mark.slow
def test_a_killed_comparison_ends_as_one_that_was_not(
    records_dir, mood_files, tmp_path, monkeypatch, capsys
):
    given = arguments(records_dir, mood_files, tmp_path / "whole")
    options = compare_objectives.read(["compare_objectives", *given])
    with monkeypatch.context() as patch:
        patch.setattr(Processes, "run", run_here)
        assert compare_objectives.main(*options) == 0
    out, err = capsys.readouterr()
    assert out.startswith("| system |")
    assert "[8/8] mlm, seed 7: mood at step 10 |" in err

    folder = tmp_path / "killed"
    given = arguments(records_dir, mood_files, folder)
    killed = start(*given)
    run = folder / "systems" / "electra" / "seed_7"
    trial = run / "step_5" / "mood" / "custom" / "trial_1" / "result.json"
    wait_for(run / "run" / "checkpoints" / "step-6.index", killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    probed = trial.read_bytes()  # holds the seconds that it took

    stopped = start(*given, "--preempted_exit_code=42")
    mlm_run = folder / "systems" / "mlm" / "seed_7" / "run"
    wait_for(mlm_run / "checkpoints" / "checkpoint", stopped)
    stopped.send_signal(signal.SIGTERM)  # to the runner alone
    _, err = stopped.communicate()
    assert stopped.returncode == 42, err
    # Of 6, or of 5 where the kill came before its name was written down.
    assert re.search("going on from the checkpoint of step [569] of 10", err)
    assert "[1/6] electra, seed 7: to step 10 of 10" in err
    assert err.splitlines()[-1] == "stopped; the same command goes on"

    resumed = start(*given)
    again, err = resumed.communicate()
    assert resumed.returncode == 0, err
    assert "[1/4] mlm, seed 7: to step 5 of 10" in err
    assert trial.read_bytes() == probed
    assert again == out
    for name in ("results.json", "results.md", "train_flops_mood.png"):
        whole_file = tmp_path / "whole" / name
        assert (folder / name).read_bytes() == whole_file.read_bytes()

    found = json.loads((folder / "results.json").read_text())
    for system in found["systems"]:
        steps = [point["step"] for point in system["points"]]
        assert steps == [5, 10]
        for point in system["points"]:
            path = (
                folder / "systems" / system["name"] / "seed_7"
                / f"step_{point['step']}" / "mood" / "custom" / "trial_1"
                / "result.json"
            )  # fmt: skip
            metrics = json.loads(path.read_text())["metrics"]
            assert point["scores"] == {"mood": [metrics["accuracy"]]}

    # The weights kept are the run's own at that step, not its last.
    first, last = (
        (run / f"step_{step}" / "weights" / "weights.npz").read_bytes()
        for step in (5, 10)
    )
    assert first != last


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            ["--system=x: --objective=mlm --tying=embeddings"],
            "tying must be none",
        ),
        (["--system=x: --objektive=mlm"], "objektive"),
        (["--system=x: --seed=3"], "seed must be the same for all systems"),
        (["--system=x: --num_train_steps=3"], "must be the same for all"),
        (["--system=x: mlm"], "must be --flags; received 'mlm'"),
        (["--system=a/b: --tying=none"], "letters, digits"),
        (["--system=x: --vocab_file='"], "No closing quotation"),
        (["--systems=electra,bert"], "received 'bert'"),
        (["--systems="], "one system or more"),
        (["--probe=sst2: --data_dir=/no/such/folder"], "'/no/such/folder'"),
        (["--probe=sst: --data_dir=/"], "task must be one of"),
        (
            ["--probe=cola: --num_trials=3"],
            "num_trials must be left to the comparison",
        ),
        (["--probe=cola: --learning_rate=-1"], "learning_rate must be positi"),
        (["--probe_at=0.5,0.25,1"], "ascending fractions"),
        (["--probe_at=0.5"], "1 at the end"),
        (["--probe_at=half"], "received 'half'"),
        (["--probe_trials=0"], "probe_trials must be positive"),
        (["--data_dir=/no/records"], "/no/records"),
        (["--output_dir="], "output_dir must be given"),
        (
            ["--systems=electra,two_stage"],
            "system two_stage: two_stage_steps, the steps of the generator",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_mistake_is_told_before_anything_is_trained(
    more, told, mood_files, tmp_path
):
    folder = tmp_path / "out"
    given = arguments("records", mood_files, folder, *more)
    line = tiny.command("compare_objectives", *given).error()
    assert told in line
    assert not folder.exists()


def test_an_output_dir_of_another_comparison_is_refused(
    tiny_run, records_dir, mood_files, tmp_path
):
    """Its runs differ, or its weights at a probe are gone."""
    place = tmp_path / "out" / "systems" / "electra" / "seed_7"
    place.mkdir(parents=True)
    (place / "run").symlink_to(tiny_run.folder)
    given = arguments(records_dir, mood_files, tmp_path / "out")
    line = tiny.command("compare_objectives", *given).error()
    assert "num_train_steps was 24, now 10" in line
    given.append("--num_train_steps=24")
    line = tiny.command("compare_objectives", *given).error()
    assert "is at step 24 already, and the weights of step 12" in line
