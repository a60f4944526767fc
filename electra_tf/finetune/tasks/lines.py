"""Lines of UTF-8 files, packed or not; every error names the line."""

import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from electra_tf.errors import InputError, require

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_lines(path: str) -> list[str]:
    """The lines of a UTF-8 file, with no line ends; ".gz" is unpacked.

    Only "\\n" and "\\r\\n" end a line: Unicode's other separators are text.

    Raises:
      InputError: no such file, a damaged ".gz", or text that is not UTF-8.
    """
    return [sound(line) for _, line in decoded_lines(path)]


def decoded_lines(path: str) -> Iterator[tuple[str, str | InputError]]:
    """("path, line 7", what it holds) of each line; see `read_lines`."""
    lines = _read_bytes(path).split(b"\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        where = f"{path}, line {number}"
        try:
            yield where, line.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError as error:
            yield (
                where,
                InputError(
                    f"{where}: text must be UTF-8; received "
                    f"{line[: error.end][-20:]!r}"
                ),
            )


def sound(found: Any) -> Any:
    """What was found, unless it is an error: then it is raised."""
    if isinstance(found, InputError):
        raise found
    return found


def read_text(path: str) -> str:
    """The whole of a UTF-8 file, as `read_lines` reads it."""
    return "\n".join(read_lines(path))


def _read_bytes(path: str) -> bytes:
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            content = file.read()
    except (
        tf.errors.NotFoundError,
        tf.errors.FailedPreconditionError,
        tf.errors.InvalidArgumentError,  # a name that is too long
    ):
        raise InputError(f"a file must exist; received {path!r}") from None
    if path.endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            raise InputError(
                f"{path} must be a whole gzip file; received a damaged one, or "
                "none"
            ) from None
    is_utf16 = content.startswith(_UTF16_MARKS)
    require(not is_utf16, f"{path} must be UTF-8", "UTF-16")
    return content.removeprefix(b"\xef\xbb\xbf")
