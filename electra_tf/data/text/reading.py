"""The bytes and the lines of a file, unpacked where it is packed; streams."""

import contextlib
import functools
import io
import itertools
import lzma
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import tensorflow as tf

from electra_tf.errors import InputError, require_packages

OnRead = Callable[[int], Any]  # is told the bytes that were read of a file

GZIP, XZ, ZSTD = "gzip", "xz", "zstd"
UNPACKED = ""
_READ_BYTES = 1 << 22
# So few at once, as zstd may make some thirty thousand of one.
_PIECE_BYTES = 1 << 10
_GZIP_FORMAT = 31  # zlib's wbits: a gzip header, and the largest window
_LARGEST_WINDOW = 1 << 31  # of `zstd --long=31`
UTF8_MARK = b"\xef\xbb\xbf"


def read_blocks(
    file: str,
    packing: str = UNPACKED,
    start: int = 0,
    size: int | None = None,
    on_read: OnRead | None = None,
) -> Iterator[bytes]:
    """What a file holds, some megabytes at a time.

    Args:
      file: of any file system that TensorFlow knows.
      packing: GZIP, XZ, ZSTD or UNPACKED. Several members, one behind the
        other, are one text.
      start: the first byte to read.
      size: of a block; None means some megabytes.
      on_read: told the bytes of the file, packed ones, as they are read.

    Raises:
      InputError: the file is missing, cannot be read, or is damaged or cut
        off; the package that unpacks it is missing.
    """
    size = size or _READ_BYTES
    with naming_read_errors(file), tf.io.gfile.GFile(file, "rb") as f:
        f.seek(start)
        blocks = _read(f, size, on_read)
        if packing:
            blocks = _join(_unpack(file, packing, blocks), size)
        yield from blocks


def _read(
    f: tf.io.gfile.GFile, size: int, on_read: OnRead | None
) -> Iterator[bytes]:
    while block := f.read(size):
        if on_read:
            on_read(len(block))
        yield block


def _join(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Pieces as blocks of `size` bytes or more, but for the last one."""
    joined = io.BytesIO()
    for piece in pieces:
        joined.write(piece)
        if joined.tell() >= size:
            yield joined.getvalue()
            joined = io.BytesIO()
    if joined.tell():
        yield joined.getvalue()


def _unpack(
    file: str, packing: str, blocks: Iterable[bytes]
) -> Iterator[bytes]:
    """Unpacks members, which may have zeros between and behind them."""
    new_member, error_type = _unpacker(file, packing)
    member, place = None, 0
    try:
        for packed in _pieces(blocks):
            place += len(packed)
            while packed:
                if member is None:
                    packed = packed.lstrip(b"\0")
                    member = new_member() if packed else None
                    continue
                yield member.decompress(packed)
                packed = member.unused_data
                if member.eof:
                    member = None
    except error_type as error:
        raise damaged(file, packing, f"before byte {place:,}", error) from None
    if member is not None:
        raise damaged(file, packing, f"at byte {place:,}", "it is cut off")


def damaged(file: str, name: str, place: str, reason: object) -> InputError:
    """The error of a file that is no whole one."""
    return InputError(
        f"{name} must be whole; received {file!r}, damaged {place}: {reason}"
    )


def _pieces(blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in blocks:
        for start in range(0, len(block), _PIECE_BYTES):
            yield block[start : start + _PIECE_BYTES]


def _unpacker(
    file: str, packing: str
) -> tuple[Callable[[], Any], type[Exception]]:
    """(what makes an object that unpacks a member, the error it raises)."""
    if packing == GZIP:
        return functools.partial(zlib.decompressobj, _GZIP_FORMAT), zlib.error
    if packing == XZ:
        make = functools.partial(lzma.LZMADecompressor, lzma.FORMAT_XZ)
        return make, lzma.LZMAError
    require_packages(f"{file!r}, which is zstd, needs", ("zstandard",), ZSTD)
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
    return decompressor.decompressobj, zstandard.ZstdError


def read_lines(
    file: str,
    packing: str = UNPACKED,
    start: int = 0,
    size: int | None = None,
    on_read: OnRead | None = None,
) -> Iterator[tuple[int, bytes]]:
    """Lines that begin at `start` or later, each with where it begins.

    Only "\\n" ends a line, as in the authors' reader.

    Args: as `read_blocks`; places count unpacked bytes.
    """
    if not start:
        yield from _split_lines(read_blocks(file, packing, 0, size, on_read), 0)
        return
    # From the byte before, to see whether a line begins at `start`.
    blocks = read_blocks(file, packing, start - 1, size, on_read)
    yield from itertools.islice(_split_lines(blocks, start - 1), 1, None)


def _split_lines(
    blocks: Iterator[bytes], place: int
) -> Iterator[tuple[int, bytes]]:
    """Lines from `place` on, where the blocks begin."""
    rest = next(blocks, b"")
    if not place:
        place = len(rest) - len(rest.removeprefix(UTF8_MARK))
        rest = rest[place:]
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield place, line
            place += len(line) + 1
    for line in rest.split(b"\n"):
        yield place, line
        place += len(line) + 1


def decode(raw: bytes, file: str, replaced: Counter[str] | None) -> str:
    """UTF-8 as text; bytes that are not are replaced by U+FFFD.

    Args:
      raw: a line of the file.
      file: where it is from.
      replaced: counts, for each file, the lines with replaced bytes.
    """
    text = raw.decode("utf-8", errors="replace")
    if replaced is not None and "\ufffd" in text and not _is_utf8(raw):
        replaced[file] += 1
    return text


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@contextlib.contextmanager
def naming_read_errors(file: str) -> Iterator[None]:
    """Turns a failed read of TensorFlow's into an InputError."""
    try:
        yield
    except tf.errors.NotFoundError:
        raise InputError(
            f"inputs must be files; received {file!r}, which does not exist"
        ) from None
    except tf.errors.OpError as error:
        reason = error.message.splitlines()[0]
        raise InputError(
            f"inputs must be readable; received {file!r}: {reason}"
        ) from None
