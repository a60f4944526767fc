"""One process at a time writes to a folder."""

import contextlib
import datetime
import functools
import os
import socket
import time
from collections.abc import Callable, Iterator

from absl import logging

from electra_tf.errors import InputError
from electra_tf.files import (
    filling,
    make_folder,
    naming_write_errors,
    remove_leftovers,
    remove_quietly,
)

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
_SECONDS_BETWEEN_TRIES = 0.1


def is_empty(folder: str) -> bool:
    """Whether a folder is missing, or holds nothing but a lock."""
    import tensorflow as tf

    gfile = tf.io.gfile
    return not gfile.exists(folder) or set(gfile.listdir(folder)) <= {LOCK}


@contextlib.contextmanager
def locked(
    folder: str,
    wait_seconds: float = 0.0,
    say: Callable[[str], None] | None = None,
    is_passing: bool = False,
) -> Iterator[int | None]:
    """Keeps a folder to this process: one at a time writes there.

    The system frees the lock however the process dies. Processes that inherit
    the descriptor hold it, too: where only their parent is killed, the folder
    is theirs to their end. Readers ask for no lock. What killed writers left
    under temporary names is removed. So is, in the end, a folder that is made
    here and is left empty.

    Args:
      folder: made where it is missing.
      wait_seconds: how long to wait for another process.
      say: told, once, that it waits.
      is_passing: the folder is there for the work alone: left empty, it is
        removed whoever made it.

    Yields:
      the descriptor, for `pass_fds` of `subprocess`; None where there is no
      lock: on remote file systems and on Windows.

    Raises:
      InputError: another process holds it (who, and since when); the folder
        cannot be written.
    """
    import tensorflow as tf

    is_passing = is_passing or not tf.io.gfile.exists(folder)
    make_folder(folder)
    lock = None
    try:
        if "://" in folder or fcntl is None:
            _say_unlocked()
        else:
            lock = _lock(folder, time.monotonic() + wait_seconds, say)
        yield lock
    finally:
        # While it is still held: who waits must see that its name is gone.
        try:
            if lock is not None:
                _remove_name(folder, lock)
            if is_passing:
                _remove_empty(folder)
        finally:
            if lock is not None:
                os.close(lock)


def _lock(folder: str, deadline: float, say: Callable | None) -> int | None:
    while True:
        lock = _open(folder)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its holder removes it, perhaps after it was opened here.
            if os.fstat(lock).st_nlink:
                _take_over(folder, lock)
                return lock
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(lock, 1000, 0).decode("utf-8", "replace")
                os.close(lock)
                raise InputError(
                    f"one process at a time may write to {folder!r}; received "
                    f"a second one: {holder or 'another'} is at work there"
                ) from None
            if say is not None:
                say(f"waiting: another process still works in {folder!r}")
                say = None
            time.sleep(_SECONDS_BETWEEN_TRIES)
        except OSError:  # some network file systems know no locks
            _say_unlocked()
            os.close(lock)
            return None
        os.close(lock)


def _open(folder: str) -> int:
    while True:
        # Its holder may remove the folder, too, before the file is opened.
        make_folder(folder)
        with naming_write_errors(folder):
            with contextlib.suppress(FileNotFoundError):
                path = os.path.join(folder, LOCK)
                return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)


def _take_over(folder: str, lock: int) -> None:
    """Writes down who works here since when; removes what was left behind."""
    now = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
    who = f"process {os.getpid()} on {socket.gethostname()}, since {now},"
    with contextlib.suppress(OSError):  # A full disk keeps nobody out.
        os.ftruncate(lock, 0)
        os.pwrite(lock, who.encode("utf-8"), 0)
    remove_leftovers(folder)


def _remove_name(folder: str, lock: int) -> None:
    path = os.path.join(folder, LOCK)
    with contextlib.suppress(OSError):
        # Where a user removed it, that of another process stands there now.
        if os.path.samestat(os.stat(path), os.fstat(lock)):
            remove_quietly(path)


def _remove_empty(folder: str) -> None:
    import tensorflow as tf

    with contextlib.suppress(OSError, tf.errors.OpError):
        if "://" not in folder:
            os.rmdir(folder)  # fails where another process has come
        elif not tf.io.gfile.listdir(folder):
            tf.io.gfile.rmtree(folder)


@functools.cache
def _say_unlocked() -> None:
    logging.warning(
        "Remote file systems and Windows have no locks: see to it that one "
        "process at a time writes to a folder."
    )


@contextlib.contextmanager
def new_folder(path: str, last: str) -> Iterator[str]:
    """As `filling`, of a folder that is locked and holds nothing yet.

    Raises:
      InputError: `path` holds something, or another process is writing there;
        something cannot be written.
    """
    with locked(path):
        if not is_empty(path):
            raise InputError(
                f"a new folder must be empty or not there; received {path!r}: "
                "give another one, or remove it"
            )
        with filling(path, last) as folder:
            yield folder
