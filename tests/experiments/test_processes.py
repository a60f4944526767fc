"""The lock and the failures of the comparison's processes."""

import fcntl
import os
import signal
import threading
import time

import pytest

from electra_tf.errors import InputError
from electra_tf.experiments.processes import Interrupted, Processes


class Started:
    """What stands for a `subprocess.Popen`."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def test_a_sitting_waits_for_the_one_before(tmp_path, capfd):
    processes = Processes(str(tmp_path))
    with processes.sitting():
        pass
    lock = os.open(tmp_path / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    threading.Timer(0.4, os.close, [lock]).start()
    begin = time.monotonic()
    with processes.sitting():
        assert time.monotonic() - begin > 0.3
    assert "waiting: another process still works" in capfd.readouterr().err


def test_a_process_holds_the_lock(tmp_path, monkeypatch):
    """So it counts even where its runner is gone."""
    held = []

    class Process(Started):
        def __init__(self, *_, pass_fds, **__):
            held.extend(pass_fds)

        def wait(self):
            return 3

    processes = Processes(str(tmp_path))
    monkeypatch.setattr("subprocess.Popen", Process)
    with (
        pytest.raises(InputError, match="probe x ended with code 3"),
        processes.sitting(),
    ):
        processes.run("finetune", [], "probe x")
    assert len(held) == 1


def test_a_signal_is_passed_on_and_nothing_more_is_started(
    tmp_path, monkeypatch
):
    sent, started = [], []

    class Process(Started):
        def __init__(self, *_, **__):
            started.append(self)

        def send_signal(self, signum):
            sent.append(signum)

        def wait(self):
            os.kill(os.getpid(), signal.SIGINT)
            return 0

    monkeypatch.setattr("subprocess.Popen", Process)
    processes = Processes(str(tmp_path))
    before = signal.getsignal(signal.SIGINT)
    with processes.sitting():
        for _ in range(2):
            with pytest.raises(Interrupted) as caught:
                processes.run("pretrain", [], "a run")
            assert caught.value.signum == signal.SIGINT
    assert sent == [signal.SIGTERM]
    assert len(started) == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_a_sitting_does_not_wait_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("electra_tf.experiments.processes._WAIT_SECONDS", 0.2)
    with (
        Processes(str(tmp_path)).sitting(),
        pytest.raises(InputError, match=f"process {os.getpid()} on .*, since"),
        Processes(str(tmp_path)).sitting(),
    ):
        pass


def test_every_process_imports_the_plugins(tmp_path, monkeypatch):
    started = []

    class Process(Started):
        def __init__(self, arguments, **_):
            started.append(arguments)

        def wait(self):
            return 0

    monkeypatch.setattr("subprocess.Popen", Process)
    Processes(str(tmp_path), ("mine", "theirs")).run("pretrain", ["--a=1"], "")
    plugins = ["--plugin=mine", "--plugin=theirs"]
    assert started[0][-3:] == [*plugins, "--a=1"]
