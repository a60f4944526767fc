"""File access of the report: every path may be remote (gs://, ram://).

TensorFlow is imported only when called, as reports need nothing else of it.
"""

import json
import posixpath

from electra_tf.errors import InputError


def _gfile():
    import tensorflow as tf

    return tf.io.gfile


def is_folder(path: str) -> bool:
    return _gfile().isdir(path)


def read_bytes(path: str) -> bytes | None:
    """The file's content; None where there is no such file."""
    if not _gfile().exists(path) or is_folder(path):
        return None
    with _gfile().GFile(path, "rb") as file:
        return file.read()


def read_json(path: str) -> object | None:
    """The parsed file; None where it is absent, empty or half written."""
    content = read_bytes(path)
    try:
        return None if content is None else json.loads(content)
    except ValueError:  # also what bytes that are not UTF-8 raise
        return None


def make_folder(path: str) -> None:
    """Creates `path` and its parents; InputError where that fails."""
    import tensorflow as tf

    try:
        tf.io.gfile.makedirs(path)
    except tf.errors.OpError as error:
        raise InputError(
            f"output_dir must be a folder that can be written; received "
            f"{path!r} ({error.message})"
        ) from error


def write_bytes(path: str, content: bytes) -> None:
    """Writes the whole file; InputError where the place refuses it."""
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "wb") as file:
            file.write(content)
    except tf.errors.OpError as error:
        raise InputError(
            f"output_dir must be a folder that can be written; received "
            f"{posixpath.dirname(path)!r} ({error.message})"
        ) from error


def remove(path: str) -> None:
    """Deletes the file if it is there."""
    if _gfile().exists(path):
        _gfile().remove(path)
