"""JSON lines and Parquet: the text of each row, in order; streams."""

import contextlib
import io
import json
import reprlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from electra_tf.data.columns import whole_characters
from electra_tf.data.text.formats import PARQUET, Format
from electra_tf.data.text.reading import (
    OnRead,
    damaged,
    decode,
    naming_read_errors,
    read_lines,
)
from electra_tf.errors import InputError, require, require_packages, some

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_ROWS_AT_ONCE = 64  # of long documents, too
_BUFFER_BYTES = 1 << 20


def read_texts(
    file: str,
    form: Format,
    text_field: str,
    replaced: Counter[str] | None = None,
    size: int | None = None,
    on_read: OnRead | None = None,
) -> Iterator[str]:
    """The text of each row.

    A row whose field holds null has the text "".

    Args:
      file: JSON lines or Parquet.
      form: what `find_format` said of it.
      text_field: the key, or the column.
      replaced: counts, for each file, the rows with bytes that are not UTF-8,
        which are replaced by U+FFFD.
      size, on_read: see `read_blocks`.

    Raises:
      InputError: the file is damaged or has not the column; a line is no
        object, lacks the field or has no text there. It names the file, and
        the line or row.
    """
    if form.content == PARQUET:
        yield from _read_column(file, text_field, replaced, on_read)
        return
    lines = read_lines(file, form.packing, 0, size, on_read)
    for number, (_, raw) in enumerate(lines, 1):
        line = decode(raw, file, replaced)
        if line.strip():
            yield _text_of(line, text_field, f"line {number:,} of {file!r}")


def _text_of(line: str, text_field: str, place: str) -> str:
    rule = f"JSON lines must be objects with a text as {text_field!r}"
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{rule}; received {place}, which is not JSON: {error}"
        ) from None
    if not isinstance(row, dict):
        raise InputError(f"{rule}; received {place}: {reprlib.repr(row)}")
    if text_field not in row:
        raise InputError(
            f"{rule}; received {place} with {some(list(row))}: give "
            "--text_field"
        )
    text = row[text_field]
    if not isinstance(text, str | None):
        raise InputError(
            f"{rule}; received {place} with {reprlib.repr(text)} there"
        )
    return whole_characters(text or "")


def check_rows(file: str, form: Format, text_field: str) -> None:
    """Refuses what can be told at once: by the columns, or the first row."""
    if form.content == PARQUET:
        with _open_table(file, text_field):
            return
    next(read_texts(file, form, text_field, size=_BUFFER_BYTES), None)


def _read_column(
    file: str,
    text_field: str,
    replaced: Counter[str] | None,
    on_read: OnRead | None,
) -> Iterator[str]:
    with _open_table(file, text_field) as table:
        length, rows = tf.io.gfile.stat(file).length, table.metadata.num_rows
        number = 0
        for column in _columns(file, table, text_field):
            for raw in column:
                yield decode(raw or b"", file, replaced)
            if on_read:  # Other columns are not read: rows tell how far it is.
                before, number = number, number + len(column)
                on_read(length * number // rows - length * before // rows)


def _columns(
    file: str, table: "pq.ParquetFile", text_field: str
) -> Iterator[list[bytes | None]]:
    """The column's values, some rows at a time."""
    import pyarrow as pa

    batches = table.iter_batches(
        _ROWS_AT_ONCE, columns=[text_field], use_threads=False
    )
    number = 0
    while True:
        # The yield stands outside: only what reading raises is the file's.
        with _naming_damage(file, f"behind row {number:,}"):
            batch = next(batches, None)
            if batch is None:
                return
            column = batch.column(0)
            if pa.types.is_dictionary(column.type):
                column = column.dictionary_decode()
            # As bytes: that a text is UTF-8 is not checked by Parquet.
            values = column.cast(pa.large_binary()).to_pylist()
        number += len(values)
        yield values


@contextlib.contextmanager
def _open_table(file: str, text_field: str) -> Iterator["pq.ParquetFile"]:
    require_packages(
        f"{file!r}, which is Parquet, needs", ("pyarrow",), "parquet"
    )
    import pyarrow.parquet as pq

    with naming_read_errors(file), tf.io.gfile.GFile(file, "rb") as f:
        with _naming_damage(file, "at its end"):
            table = pq.ParquetFile(
                _RandomAccess(f),
                pre_buffer=False,
                buffer_size=_BUFFER_BYTES,
                page_checksum_verification=True,
            )
            schema = table.schema_arrow
        with table:
            _check_column(file, schema, text_field)
            yield table


def _check_column(file: str, schema: Any, text_field: str) -> None:
    import pyarrow as pa

    rule = f"Parquet must have a column of text called {text_field!r}"
    names = schema.names
    require(
        text_field in names,
        f"{rule} (give --text_field)",
        f"{file} with {some(names)}",
    )
    kind = schema.types[names.index(text_field)]
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    holds = kind in (
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
    )
    require(holds, rule, f"{file}, where it holds {kind}")


@contextlib.contextmanager
def _naming_damage(file: str, place: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise damaged(file, PARQUET, place, reason) from None


class _RandomAccess(io.RawIOBase):
    """A file of TensorFlow's as Python's own files are."""

    def __init__(self, file: tf.io.gfile.GFile):
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._file.seek(offset, whence)
        return self.tell()

    def tell(self) -> int:
        return int(self._file.tell())
