"""What a file is: told by its first bytes, whatever its name says."""

import re
from typing import NamedTuple

import tensorflow as tf

from electra_tf.data.text.reading import (
    GZIP,
    UNPACKED,
    UTF8_MARK,
    XZ,
    ZSTD,
    damaged,
    naming_read_errors,
    read_blocks,
)
from electra_tf.errors import InputError

TEXT, JSON_LINES, PARQUET = "text", "JSON lines", "Parquet"
_HEAD_BYTES = 512
_XZ_FOOTER = b"YZ"

_PACKINGS = {
    GZIP: rb"\x1f\x8b",
    XZ: rb"\xfd7zXZ\0",
    # Frames to be skipped may come first: pzstd begins with one.
    ZSTD: rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18",
}
# The page or the footer behind the mark begins with that byte.
_PARQUET = rb"PAR1\x15"
_JSON_OBJECT = rb"\s*\{\s*[\"}]"
_UNPACK = "unpack it"
_LEAVE_OUT = "leave it out"
_TABLE = "write it as Parquet or JSON lines"
# First bytes of what is none of these -> its name, what to do. The first one
# that fits counts.
_OTHERS = {
    rb"\xff\xfe\0\0|\0\0\xfe\xff": ("UTF-32", "convert it"),
    rb"\xff\xfe|\xfe\xff": ("UTF-16", "convert it"),
    b"|".join(_PACKINGS.values()): ("packed twice", _UNPACK),
    rb"BZh[1-9]1AY&SY": ("bzip2", _UNPACK),
    rb"\x04\x22\x4d\x18": ("lz4", _UNPACK),
    rb"7z\xbc\xaf\x27\x1c": ("7z", _UNPACK),
    rb"Rar!\x1a\x07": ("rar", _UNPACK),
    rb".{257}ustar": ("tar", _UNPACK),
    rb"PK\x03\x04.{26}(\[Content_Types\]|_rels/|docProps/|xl/|word/)": (
        "an Office document (xlsx, docx)",
        "save its text",
    ),
    rb"PK\x03\x04.{26}mimetypeapplication/": (
        "an OpenDocument or e-book file",
        "save its text",
    ),
    rb"PK(\x03\x04|\x05\x06)": ("zip", _UNPACK),
    rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": (
        "an old Office document (xls, doc)",
        "save its text",
    ),
    rb"\{\\rtf": ("RTF", "save its text"),
    rb"%PDF-": ("PDF", "save its text, as pdftotext does"),
    _PARQUET: (PARQUET, _UNPACK),  # that is, inside of a packed file
    rb"PARE": ("encrypted Parquet", "decrypt it"),
    rb"ARROW1\0\0": ("Arrow", _TABLE),
    rb"Obj\x01": ("Avro", _TABLE),
    rb"SQLite format 3\0": ("an SQLite database", _TABLE),
    rb"\x89HDF\r\n\x1a\n": ("HDF5", _TABLE),
    rb"\x93NUMPY": ("a NumPy array", _TABLE),
    rb"\s*\[\s*\{\s*\"": ("a JSON array", "write an object a line"),
    rb"\x7fELF": ("a program (ELF)", _LEAVE_OUT),
    rb"\x89PNG\r\n": ("a PNG picture", _LEAVE_OUT),
    rb"\xff\xd8\xff": ("a JPEG picture", _LEAVE_OUT),
    rb"GIF8[79]a": ("a GIF picture", _LEAVE_OUT),
    rb"II\*\0|MM\0\*": ("a TIFF picture", _LEAVE_OUT),
    rb"RIFF.{4}WEBP": ("a WebP picture", _LEAVE_OUT),
    rb"[^\0]*\0": (
        "binary data, with a zero byte at its beginning",
        "leave it out; if it is UTF-16, convert it",
    ),
}


class Format(NamedTuple):
    """What a file is.

    Attributes:
      content: TEXT, JSON_LINES or PARQUET.
      packing: GZIP, XZ, ZSTD or UNPACKED.
    """

    content: str
    packing: str = UNPACKED


def find_format(file: str) -> Format:
    """Looks at the first bytes of a file, unpacked where it is packed.

    Raises:
      InputError: it is another format, with its name; is missing; is packed
        and damaged there, or the package that unpacks it is missing.
    """
    head = next(read_blocks(file, size=_HEAD_BYTES), b"")
    packing = UNPACKED
    for name, mark in _PACKINGS.items():
        if re.match(mark, head):
            packing = name
            head = next(read_blocks(file, packing, size=_HEAD_BYTES), b"")
    if not packing and re.match(_PARQUET, head):
        return Format(PARQUET)
    _refuse_others(file, head[:_HEAD_BYTES], packing)
    is_json = re.match(_JSON_OBJECT, head.removeprefix(UTF8_MARK))
    return Format(JSON_LINES if is_json else TEXT, packing)


def _refuse_others(file: str, head: bytes, packing: str) -> None:
    for mark, (name, remedy) in _OTHERS.items():
        if re.match(mark, head, re.DOTALL):
            where = f" in {packing}" if packing else ""
            raise InputError(
                "inputs must be UTF-8 text, JSON lines or Parquet; received "
                f"{file!r}, which is {name}{where}: {remedy}"
            )


def check_ending(file: str, packing: str) -> None:
    """Refuses at once a packed file whose last bytes show that it is cut off.

    Of xz alone: the others' ends cannot be told without what is before.
    """
    if packing != XZ:
        return
    with naming_read_errors(file), tf.io.gfile.GFile(file, "rb") as f:
        length = f.size()
        f.seek(max(0, length - _HEAD_BYTES))
        end = f.read(_HEAD_BYTES).rstrip(b"\0")
    if end and not end.endswith(_XZ_FOOTER):
        raise damaged(file, packing, f"at byte {length:,}", "it is cut off")
