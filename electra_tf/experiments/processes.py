"""Commands of ours in processes of their own, one after the other."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence

from electra_tf.errors import InputError
from electra_tf.locks import locked
from electra_tf.training.console import say

_WAIT_SECONDS = 10.0  # for what a sitting before this one leaves to end


class Interrupted(Exception):  # noqa: N818 - not an error
    """A signal came; the process that ran has ended by itself."""

    def __init__(self, signum: int):
        super().__init__(signum)
        self.signum = signum


class Processes:
    """Runs commands in a folder that no other sitting works in.

    A signal is passed on to the process that runs, which saves and ends. So
    it does where only the runner is killed: it sees the end of its standard
    input. The lock of the folder is handed down, so that the next sitting
    waits until then.

    Args:
      folder: holds the lock; on a remote file system there is none.
      plugins: modules that every command imports first.
    """

    def __init__(self, folder: str, plugins: Sequence[str] = ()):
        self.folder = folder
        self._plugins = [f"--plugin={module}" for module in plugins]
        self._signal: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    @contextlib.contextmanager
    def sitting(self) -> Iterator[None]:
        """Locks the folder, and listens for SIGTERM and SIGINT."""
        signals = (signal.SIGTERM, signal.SIGINT)
        with locked(self.folder, _WAIT_SECONDS, say) as self._lock:
            old = {s: signal.signal(s, self._pass_on) for s in signals}
            try:
                yield
            finally:
                for number, handler in old.items():
                    signal.signal(number, handler)

    def run(self, command: str, arguments: Sequence[str], label: str) -> None:
        """Runs a command of `electra_tf.cli` to its end.

        Its standard error is ours; what it prints is left out.

        Raises:
          InputError: it failed; its own line stands above.
          Interrupted: a signal came.
        """
        self.check()
        module, _, name = command.rpartition(".")
        program = (
            "from electra_tf.endings import stop_at_end_of; stop_at_end_of(0); "
            f"from electra_tf.cli.{module or name} import {name}; {name}()"
        )
        with subprocess.Popen(
            [
                *(sys.executable, "-c", program),
                *self._plugins,
                *arguments,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=() if self._lock is None else (self._lock,),
        ) as self._process:
            code = self._process.wait()
        self._process = None
        self.check()
        if code:
            raise InputError(
                f"{label} ended with code {code}; its own message is above, "
                "and the same command goes on from there"
            )

    def check(self) -> None:
        """Raises Interrupted where a signal came."""
        if self._signal is not None:
            raise Interrupted(self._signal)

    def _pass_on(self, signum: int, frame: object) -> None:
        self._signal = signum
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
