"""Two processes that are stopped, killed, and started again in other ways."""

import os
import random
import re
import signal
import time

import pytest
import tiny
from cluster import workers
from test_replicas import assert_equal_but_for_rounding
from test_run import stop_at

pytestmark = pytest.mark.slow

STEPS = 60
KILLS = 3
FLAGS = {
    **tiny.FLAGS,
    "num_train_steps": STEPS,
    # At tiny's own rate rounding errors grow tenfold in ten steps.
    "learning_rate": 5e-4,
    "log_every_steps": 1,
    "eval_every_steps": 0,
    "save_checkpoints_steps": 5,
    "iterations_per_loop": 1,
    "worker_timeout": 10,
}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, records_dir):
    """The run on one device, from its start to its end."""
    folder = str(tmp_path_factory.mktemp("unbroken") / "run")
    flags = {**FLAGS, "data_dir": records_dir, "model_dir": folder}
    finished = tiny.pretrain(**flags)
    assert finished.code == 0, finished.err
    return folder


def test_a_chief_and_a_worker_train_as_one_device(
    unbroken, records_dir, tmp_path
):
    """One of them writes: two would tear each other's files."""
    folder = str(tmp_path / "run")
    flags = {**FLAGS, "data_dir": records_dir, "model_dir": folder}
    with workers(2, tmp_path / "logs", chief=True, **flags) as two:
        assert two.wait() == [0, 0], two.text(0) + two.text(1)
        assert "on each of 2 workers, 2 replicas" in two.text(0)
        assert f"run: {folder}" in two.text(0)
        assert folder not in two.text(1)
    assert_equal_but_for_rounding(folder, unbroken)


def test_a_killed_worker_stops_the_others_who_go_on_from_the_checkpoint(
    unbroken, records_dir, tmp_path
):
    rng = random.Random(3)
    folder = str(tmp_path / "run")
    flags = {**FLAGS, "data_dir": records_dir, "model_dir": folder}
    targets = sorted(rng.sample(range(STEPS - 15), KILLS - 1))
    for number, target in enumerate([0, *targets]):
        with workers(2, tmp_path / f"logs{number}", **flags) as two:
            if target:
                two.wait_for_step(target)
                time.sleep(rng.uniform(0, 0.05))
            else:
                # While the other waits for it, or makes the graph.
                while "waiting until" not in two.text(1):
                    time.sleep(0.01)
                time.sleep(rng.uniform(3, 8))
            victim = number % 2
            step = two.step()
            two.processes[victim].kill()
            killed = time.time()
            survivor = two.processes[1 - victim]
            code = survivor.wait(60)
            seconds = time.time() - killed
            text = two.text(1 - victim)
        print(
            f"worker {victim} killed after step {step}: the other ended "
            f"after {seconds:.1f} s"
        )
        assert code == 3, text
        assert seconds < FLAGS["worker_timeout"]
        (line,) = re.findall(r"^error: .*$", text, re.MULTILINE)
        assert f"lost worker {victim} (127.0.0.1:" in line
        assert "Traceback" not in text
    with workers(2, tmp_path / "logs", **flags) as two:
        assert two.wait() == [0, 0], two.text(0) + two.text(1)
    assert_equal_but_for_rounding(folder, unbroken)


def test_a_run_goes_on_with_other_numbers_of_replicas(
    unbroken, records_dir, tmp_path
):
    """Two processes, then one device, then four."""
    folder = str(tmp_path / "run")
    flags = {**FLAGS, "data_dir": records_dir, "model_dir": folder}
    with workers(2, tmp_path / "logs", **flags, preempted_exit_code=42) as two:
        two.wait_for_step(5)
        two.processes[1].send_signal(signal.SIGTERM)  # stops both
        assert two.wait() == [42, 42], two.text(0) + two.text(1)
        (saved,) = re.findall(r"stopped; saved at step (\d+)", two.text(0))
        assert f"saved at step {saved}" in two.text(1)
    assert 5 <= int(saved) < STEPS
    stop = (int(saved) + STEPS) // 2
    with pytest.MonkeyPatch.context() as patch:
        stop_at(stop, patch, lambda: os.kill(os.getpid(), signal.SIGTERM))
        finished = tiny.pretrain(**flags)
    assert f"going on from the checkpoint of step {saved}" in finished.err
    assert f"saved at step {stop}" in finished.err
    finished = tiny.pretrain(**flags, num_virtual_devices=4)
    assert f"going on from the checkpoint of step {stop}" in finished.err
    assert finished.code == 0, finished.err
    assert_equal_but_for_rounding(folder, unbroken)
