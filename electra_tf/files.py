"""Files and folders that a user names: whole writes, locks, refusals.

Paths may be of any file system that TensorFlow knows (gs://, ram://); it is
imported only when a function is called, as commands parse their flags first.
"""

import contextlib
import datetime
import functools
import json
import os
import re
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from absl import logging

from electra_tf.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
_PATTERNS = "*?[]{}\\"
_TEMPORARY = re.compile(r".+\.[0-9a-f]{8}\.tmp")
_SECONDS_BETWEEN_TRIES = 0.1


def _gfile() -> Any:
    import tensorflow as tf

    return tf.io.gfile


def check_path(name: str, path: str) -> str:
    """Refuses a path that TensorFlow would read as a pattern.

    It looks for checkpoints, shards and leftovers by globs, which a folder
    called "run[1]" never matches.

    Args:
      name: the flag or argument, as the user knows it.
      path: its value.

    Returns:
      the path.

    Raises:
      InputError: it has one of the characters.
    """
    path = os.fspath(path)
    if any(character in path for character in _PATTERNS):
        raise InputError(
            f"{name} must have none of the characters {' '.join(_PATTERNS)}, "
            f"which TensorFlow reads as patterns; received {path!r}"
        )
    return path


@contextlib.contextmanager
def naming_write_errors(folder: str) -> Iterator[None]:
    """Turns a failed write (full disk, no permission) into an InputError."""
    import tensorflow as tf

    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "message", None) or str(error)
        reason = (reason.splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"cannot write to {folder or '.'!r}: {reason}; free some space "
            "there, or give another folder"
        ) from error


def make_folder(path: str) -> None:
    """Creates a folder and its parents; InputError where that fails."""
    with naming_write_errors(path):
        _gfile().makedirs(path)


def remove_quietly(path: str) -> None:
    """Removes a file, if it is there and can be removed."""
    import tensorflow as tf

    with contextlib.suppress(OSError, tf.errors.OpError):
        tf.io.gfile.remove(path)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """A name to write under, which becomes `path` where all goes well.

    No other process has the name; the old file stays whole until then.

    Raises:
      InputError: something in the `with` block cannot be written.
    """
    temporary = f"{path}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        with naming_write_errors(os.path.dirname(path)):
            yield temporary
            _gfile().rename(temporary, path, overwrite=True)
    except BaseException:
        remove_quietly(temporary)
        raise


def write_bytes(path: str, content: bytes) -> None:
    """Writes a file whole or not at all.

    Raises:
      InputError: it cannot be written; the old file is still whole.
    """
    with replacing(path) as temporary, _gfile().GFile(temporary, "wb") as file:
        file.write(content)


def write_text(path: str, text: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode("utf-8"))


@contextlib.contextmanager
def new_folder(path: str) -> Iterator[str]:
    """A folder to fill, which becomes `path` where all goes well.

    Raises:
      InputError: `path` holds something; something cannot be written.
    """
    if not is_empty(path):
        raise InputError(
            f"a new folder must be empty or not there; received {path!r}: "
            "give another one, or remove it"
        )
    temporary = f"{path.rstrip('/')}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        with naming_write_errors(path):
            _gfile().makedirs(temporary)
            yield temporary
            if _gfile().exists(path):
                _gfile().rmtree(path)
            _gfile().rename(temporary, path)
    except BaseException:
        with contextlib.suppress(Exception):
            _gfile().rmtree(temporary)
        raise


def read_json(path: str, remedy: str = "restore it") -> dict[str, Any]:
    """Reads a file of ours that holds one JSON object.

    Args:
      path: the file.
      remedy: what to do about a damaged one.

    Raises:
      InputError: it is missing or a folder, not UTF-8, not JSON, no object.
    """
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            found = json.loads(file.read().decode("utf-8"))
    except tf.errors.NotFoundError:
        problem = "no file"
    except tf.errors.OpError as error:
        is_folder = tf.io.gfile.isdir(path)
        problem = "a folder" if is_folder else error.message.splitlines()[0]
    except UnicodeDecodeError as error:
        problem = f"bytes that are not UTF-8, from byte {error.start} on"
    except (ValueError, RecursionError) as error:
        problem = f"text that is not JSON ({error})"
    else:
        if isinstance(found, dict):
            return found
        problem = f"JSON that is a {type(found).__name__}"
    raise InputError(
        f"{path!r} must hold one JSON object; received {problem}: {remedy}"
    )


def is_empty(folder: str) -> bool:
    """Whether a folder is missing, or holds nothing but a lock."""
    gfile = _gfile()
    return not gfile.exists(folder) or set(gfile.listdir(folder)) <= {LOCK}


@contextlib.contextmanager
def locked(
    folder: str,
    wait_seconds: float = 0.0,
    say: Callable[[str], None] | None = None,
) -> Iterator[int | None]:
    """Keeps a folder to this process: one at a time writes there.

    The system frees the lock however the process dies. Processes that inherit
    the descriptor hold it, too: where only their parent is killed, the folder
    is theirs to their end. Readers ask for no lock. A folder that is made
    here and is left empty is removed again.

    Args:
      folder: made where it is missing.
      wait_seconds: how long to wait for another process.
      say: told, once, that it waits.

    Yields:
      the descriptor, for `pass_fds` of `subprocess`; None where there is no
      lock: on remote file systems and on Windows.

    Raises:
      InputError: another process holds it (who, and since when); the folder
        cannot be written.
    """
    is_new = not _gfile().exists(folder)
    make_folder(folder)
    lock = None
    try:
        if "://" in folder or fcntl is None:
            _say_unlocked()
        else:
            lock = _lock(folder, time.monotonic() + wait_seconds, say)
        yield lock
    finally:
        if lock is not None:
            # While it is still held: see `_lock`.
            remove_quietly(os.path.join(folder, LOCK))
            os.close(lock)
        if is_new and _gfile().exists(folder) and is_empty(folder):
            with contextlib.suppress(InputError), naming_write_errors(folder):
                _gfile().rmtree(folder)


def _lock(folder: str, deadline: float, say: Callable | None) -> int | None:
    path = os.path.join(folder, LOCK)
    while True:
        with naming_write_errors(folder):
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
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


def _take_over(folder: str, lock: int) -> None:
    """Writes down who works here since when; removes what was left behind."""
    now = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
    who = f"process {os.getpid()} on {socket.gethostname()}, since {now},"
    with contextlib.suppress(OSError):  # A full disk keeps nobody out.
        os.ftruncate(lock, 0)
        os.pwrite(lock, who.encode("utf-8"), 0)
    for name in os.listdir(folder):
        if _TEMPORARY.fullmatch(name):
            remove_quietly(os.path.join(folder, name))


@functools.cache
def _say_unlocked() -> None:
    logging.warning(
        "Remote file systems and Windows have no locks: see to it that one "
        "process at a time writes to a folder."
    )
