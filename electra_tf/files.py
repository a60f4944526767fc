"""Files and folders that a user names: whole writes and refusals.

Paths may be of any file system that TensorFlow knows (gs://, ram://); it is
imported only when a function is called, as commands parse their flags first.
"""

import contextlib
import json
import os
import re
import uuid
from collections.abc import Iterator
from typing import Any

from electra_tf.errors import InputError

_PATTERNS = "*?[]{}\\"
_TEMPORARY = re.compile(r".+\.[0-9a-f]{8}\.tmp")
_PROBE_BYTES = 4096  # the least that a file takes


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
    """Removes a file or a folder, if it is there and can be removed."""
    import tensorflow as tf

    gfile = tf.io.gfile
    with contextlib.suppress(OSError, tf.errors.OpError):
        (gfile.rmtree if gfile.isdir(path) else gfile.remove)(path)


def remove_leftovers(folder: str) -> None:
    """Removes what killed writers left; for who has locked the folder."""
    for name in os.listdir(folder):
        if _TEMPORARY.fullmatch(name):
            remove_quietly(os.path.join(folder, name))


def temporary_name(path: str) -> str:
    """A name beside `path` that no other process has."""
    return f"{path}.{uuid.uuid4().hex[:8]}.tmp"


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """A name to write under, which becomes `path` where all goes well.

    No other process has the name; the old file stays whole until then.

    Raises:
      InputError: something in the `with` block cannot be written.
    """
    temporary = temporary_name(path)
    try:
        with naming_write_errors(os.path.dirname(path)):
            yield temporary
            _gfile().rename(temporary, path, overwrite=True)
    except BaseException:
        remove_quietly(temporary)
        raise


@contextlib.contextmanager
def filling(folder: str, last: str) -> Iterator[str]:
    """A folder to fill, whose files come to stand in `folder` together.

    Before all are whole nothing there is touched. Then files of the same
    names are replaced, and others stay.

    Args:
      folder: made where it is missing.
      last: the file that makes the others count; it comes last.

    Raises:
      InputError: something in the `with` block cannot be written.
    """
    whole = temporary_name(os.path.join(folder, "new"))
    try:
        with naming_write_errors(folder):
            _gfile().makedirs(whole)
            yield whole
            for name in sorted(_gfile().listdir(whole), key=last.__eq__):
                source, target = (
                    os.path.join(f, name) for f in (whole, folder)
                )
                _gfile().rename(source, target, overwrite=True)
    finally:
        remove_quietly(whole)


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


def read_bytes(path: str) -> bytes:
    """The whole content of a file."""
    with _gfile().GFile(path, "rb") as file:
        return file.read()


def try_output(name: str, path: str) -> None:
    """Refuses a file that cannot be written, before it is worked for.

    Its folder is made, and nothing is left there.

    Args:
      name: the flag, as the user knows it.
      path: its value.

    Raises:
      InputError: it is a folder, a device or the like; or writing fails.
    """
    is_there = _gfile().exists(path) or not os.path.basename(path)
    is_file = "://" in path or os.path.isfile(path)
    if _gfile().isdir(path) or (is_there and not is_file):
        raise InputError(f"{name} must be a file to write; received {path!r}")
    folder = os.path.dirname(path)
    make_folder(folder or ".")
    probe = temporary_name(path)
    try:
        with naming_write_errors(folder), _gfile().GFile(probe, "wb") as file:
            file.write(bytes(_PROBE_BYTES))
    finally:
        remove_quietly(probe)


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
