"""Workers as processes of this machine, which find each other by TF_CONFIG."""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parents[1]
SECONDS = 300  # after which nothing is waited for any longer
_STEP = re.compile(r"^step ([\d,]+)/", re.MULTILINE)


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Workers:
    """`pretrain.py` in several processes, with the same flags.

    Args:
      count: processes.
      logs: folder for what they print, `<number>.log`.
      chief: whether the first has a job of its own.
      flags: of pretrain.py.
    """

    def __init__(
        self, count: int, logs: pathlib.Path, chief: bool = False, **flags
    ):
        logs.mkdir(parents=True, exist_ok=True)
        self.logs = [logs / f"{number}.log" for number in range(count)]
        self.addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
        arguments = [f"--{name}={value}" for name, value in flags.items()]
        self.processes = [
            self._start(number, chief, arguments) for number in range(count)
        ]

    def _start(
        self, number: int, chief: bool, arguments: list[str]
    ) -> subprocess.Popen:
        task = {"type": "worker", "index": number - chief}
        jobs = {"worker": self.addresses[chief:]}
        if chief:
            jobs["chief"] = self.addresses[:1]
            task = task if number else {"type": "chief", "index": 0}
        cluster = {"cluster": jobs, "task": task}
        with open(self.logs[number], "w") as log:
            return subprocess.Popen(
                [sys.executable, str(ROOT / "scripts/pretrain.py"), *arguments],
                env={
                    **os.environ,
                    "TF_CONFIG": json.dumps(cluster),
                    "CUDA_VISIBLE_DEVICES": "-1",
                    "TF_CPP_MIN_LOG_LEVEL": "3",
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
            )

    def text(self, number: int) -> str:
        """What a worker printed so far."""
        return self.logs[number].read_text()

    def step(self) -> int:
        """The last step that the chief logged."""
        found = _STEP.findall(self.text(0))
        return int(found[-1].replace(",", "")) if found else 0

    def wait_for_step(self, step: int) -> None:
        """Returns when the chief has logged that step, or has ended."""
        end = time.time() + SECONDS
        while self.step() < step and self.processes[0].poll() is None:
            assert time.time() < end, self.text(0)
            time.sleep(0.01)

    def wait(self) -> list[int]:
        """The exit codes of all."""
        return [process.wait(SECONDS) for process in self.processes]


@contextlib.contextmanager
def workers(count: int, logs: pathlib.Path, **flags) -> Iterator[Workers]:
    """`Workers` that do not outlive a failed test."""
    started = Workers(count, logs, **flags)
    try:
        yield started
    finally:
        for process in started.processes:
            process.kill()
            process.wait()
