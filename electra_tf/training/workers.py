"""Workers that start together, train together and end together.

When one of many workers dies the others stop, and say which it was. A
collective operation waits for every worker, for ever if need be, and cannot
be interrupted from Python; so a thread looks after the others and ends the
process. Checkpoints and logs are whole at any moment, as for a SIGKILL.
"""

import contextlib
import itertools
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from electra_tf.config.execution import ExecutionConfig
from electra_tf.training.distribution import Distribution, make_distribution
from electra_tf.training.loop import Stopped

LOST_WORKER_EXIT = 3
_MOST_A_SECOND = 16


class LostWorkers:
    """Watches over the other workers until `stop`.

    A worker answers while its process lives: TensorFlow's server in it accepts
    connections. A refused one means that the process is gone; silence (a host
    that is gone) is taken for that after `timeout`.

    Args:
      addresses: host:port of all workers.
      worker: this one's number.
      timeout: seconds.
      on_loss: called with one line, from another thread.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        worker: int,
        timeout: float,
        on_loss: Callable[[str], None],
    ):
        self._others = {
            number: _host_and_port(address)
            for number, address in enumerate(addresses)
            if number != worker
        }
        self._timeout = timeout
        self._on_loss = on_loss
        self._stopped = threading.Event()

    def start(self) -> None:
        """Watches from now on, in a thread of its own."""
        if self._others:
            threading.Thread(target=self._watch, daemon=True).start()

    def check(self) -> None:
        """Looks after all of them now."""
        for number in self._others:
            self._check(number)

    def stop(self) -> None:
        """From now on the others may end."""
        self._stopped.set()

    def _watch(self) -> None:
        # A round takes a second, and more where that were too many questions.
        pause = 1 / min(len(self._others), _MOST_A_SECOND)
        for number in itertools.cycle(self._others):
            if self._stopped.wait(pause):
                return
            self._check(number)

    def _check(self, number: int) -> None:
        host, port = self._others[number]
        # A full queue may refuse once.
        if self._answers(number) or self._answers(number):
            return
        if not self._stopped.is_set():
            self._on_loss(f"lost worker {number} ({host}:{port})")

    def _answers(self, number: int) -> bool:
        try:
            socket.create_connection(
                self._others[number], timeout=self._timeout / 2
            ).close()
        except OSError:
            return False
        return True


def end_process(line: str) -> None:
    """Prints why and ends this process at once, whatever it waits for."""
    print(
        f"error: {line}, which does not answer. Start all workers again: they "
        "go on from the last checkpoint",
        file=sys.stderr,
        flush=True,
    )
    os._exit(LOST_WORKER_EXIT)


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


@contextlib.contextmanager
def joined_workers(config: ExecutionConfig) -> Iterator[Distribution]:
    """The run's devices; ends this process where another worker is lost.

    Who comes to the end, or stops at a signal, waits for the others to get
    there. An error ends one worker, and the others lose it.
    """
    distribution = make_distribution(config)
    watch = LostWorkers(
        distribution.addresses,
        distribution.worker,
        config.worker_timeout,
        end_process,
    )
    watch.start()
    try:
        yield distribution
    except Stopped:
        _leave(distribution, watch)
        raise
    except tf.errors.OpError:
        # Perhaps because another worker has gone, which the watch then sees.
        watch.check()
        raise
    _leave(distribution, watch)


def _leave(distribution: Distribution, watch: LostWorkers) -> None:
    distribution.agreed(0)
    watch.stop()
