"""Engines that work turn about, each in a process of its own.

An engine's file ends by `answer(engines)`: the process builds what it is told
to on its command line, then answers lines of JSON by one line of JSON each.
It works only when asked, so that whatever else the machine does meets all
engines alike.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

# Of a machine that does nothing else; the run itself adds to it.
QUIET_LOAD = 0.3


class Worker:
    """An engine's process.

    Args:
      file: of the engines.
      arguments: the engine and what it needs.
      python: the interpreter, of an environment of the engine's own.
    """

    def __init__(self, file: str, *arguments: str, python: str = ""):
        self._process = subprocess.Popen(
            [python or sys.executable, file, *arguments],
            # PyTorch's threads wait by spinning, and where the machine does
            # other work they spin while what they wait for does not run.
            env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.built = self._answer()

    def _answer(self) -> Any:
        while line := self._process.stdout.readline():
            if line.startswith("="):
                return json.loads(line[1:])
        raise SystemExit("an engine ended; its error stands above")

    def ask(self, *question: Any) -> Any:
        """What the engine answers."""
        print(json.dumps(question), file=self._process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def answer(engines: Mapping[str, Callable[..., Any]]) -> None:
    """The engine's side: builds the one that is named, and answers.

    Args:
      engines: name -> a function of the other arguments, that gives what was
        built (told at once) and a function of a question.
    """
    name, *arguments = sys.argv[1:]
    built, respond = engines[name](*arguments)
    print("=" + json.dumps(built), flush=True)
    for line in sys.stdin:
        print("=" + json.dumps(respond(*json.loads(line))), flush=True)


def peak_gigabytes() -> float:
    """The most memory that this process held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def check_quiet(even_so: bool) -> float:
    """The load average; a busy machine is refused, or said to be one."""
    load = os.getloadavg()[0]
    if load > QUIET_LOAD and not even_so:
        raise SystemExit(
            f"load average must be below {QUIET_LOAD}, or ratios mean little; "
            f"it is {load:.2f}: wait, or give --even_so"
        )
    return load
