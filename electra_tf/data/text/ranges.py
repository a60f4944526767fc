"""Parts of text files that are read apart, and the documents in them."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from electra_tf.errors import InputError

_READ_BYTES = 1 << 22
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class TextRange(NamedTuple):
    """Bytes of a file from `start` on, to before `end`.

    Both borders stand for the first blank line that begins there or later. So
    ranges that cover the bytes of a file share out its documents whole, and
    in order, wherever the borders lie.
    """

    file: str
    start: int = 0
    end: int = sys.maxsize


def cut_files(files: Sequence[str], range_bytes: int) -> list[TextRange]:
    """Ranges of at most `range_bytes`, file by file; at least one a file."""
    return [
        TextRange(file, start, start + range_bytes)
        for file in files
        for start in range(
            0, max(1, tf.io.gfile.stat(file).length), range_bytes
        )
    ]


def read_range(
    part: TextRange, replaced: Counter[str] | None = None
) -> Iterator[list[str]]:
    """Reads the documents of a range.

    A blank line, or the end of a file, ends a document. Text is UTF-8; bytes
    that are not are replaced by U+FFFD, which the tokenizer leaves out.

    Args:
      part: of a text file.
      replaced: counts, for each file, the lines with replaced bytes.

    Yields:
      the lines of a document, stripped, none empty; no document is empty.

    Raises:
      InputError: the file is missing, or is UTF-16.
    """
    document: list[str] = []
    inside = not part.start  # past the blank line that begins the range
    for place, raw in _read_lines(part.file, part.start):
        line = raw.decode("utf-8", errors="replace").strip()
        if line and inside:
            document.append(line)
            if replaced is not None and "\ufffd" in line and not _is_utf8(raw):
                replaced[part.file] += 1
            continue
        if document:
            yield document
            document = []
        if place >= part.end:
            return
        inside = inside or not line
    if document:
        yield document


def _read_lines(file: str, start: int) -> Iterator[tuple[int, bytes]]:
    """Lines that begin at `start` or later, each with where it begins.

    Only "\\n" ends a line, as in the authors' reader.
    """
    try:
        with tf.io.gfile.GFile(file, "rb") as f:
            if not start:
                yield from _split_lines(f, 0)
                return
            # From the byte before, to see whether a line begins at `start`.
            f.seek(start - 1)
            lines = _split_lines(f, start - 1)
            next(lines)
            yield from lines
    except tf.errors.NotFoundError:
        raise InputError(
            f"Inputs must be files. Received: {file!r}, which does not exist."
        ) from None


def _split_lines(
    f: tf.io.gfile.GFile, place: int
) -> Iterator[tuple[int, bytes]]:
    """Lines from `place` on, where the file stands."""
    rest = f.read(_READ_BYTES)
    if not place:
        if rest.startswith(_UTF16_MARKS):
            raise InputError(
                f"Text must be UTF-8. Received: {f.name!r}, which is "
                "UTF-16; convert it."
            )
        place = len(rest) - len(rest.removeprefix(_UTF8_MARK))
        rest = rest[place:]
    while block := f.read(_READ_BYTES):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield place, line
            place += len(line) + 1
    for line in rest.split(b"\n"):
        yield place, line
        place += len(line) + 1


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
