"""How processes end: tidily at a signal, and not later than their parent."""

import contextlib
import multiprocessing.process
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def tidy_at_sigterm() -> Iterator[None]:
    """Inside, SIGTERM leaves every `with` and `finally` on its way out.

    Its own effect would leave temporary files behind. The exit code is what
    a shell gives for the signal, 143. In other threads than the main one
    nothing changes, as signals never come there.
    """

    def stop(signum, frame):
        signal.signal(signum, signal.SIG_IGN)  # the way out is not cut short
        raise SystemExit(128 + signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)


def start_child(pickled_start: bytes) -> None:
    """Starts a child of `multiprocessing` that ends once its parent is gone.

    However that died: a pool's child would wait for work for ever, as its
    siblings hold the other end of the queue. Ctrl-C, which comes to all
    processes of a terminal, is left to the parent.

    Args:
      pickled_start: a function, called then; what it imports may take long,
        and the parent may be gone by then.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def wait(parent: multiprocessing.process.BaseProcess) -> None:
        parent.join()
        os._exit(1)

    if parent is not None:
        _in_background(wait, parent)
    pickle.loads(pickled_start)()


def stop_at_end_of(pipe: int) -> None:
    """Sends this process SIGTERM at the end of a pipe that its parent holds.

    Args:
      pipe: the descriptor, to which nothing is written.
    """

    def wait() -> None:
        os.read(pipe, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    _in_background(wait)


def _in_background(wait: Callable[..., None], *arguments: Any) -> None:
    threading.Thread(target=wait, args=arguments, daemon=True).start()
