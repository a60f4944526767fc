"""Tables of examples: TSV, CSV and JSON lines; every error names the line."""

import csv
import dataclasses
import gzip
import json
import math
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

from electra_tf.errors import InputError, require
from electra_tf.finetune.tasks import SPLITS
from electra_tf.finetune.tasks.json_values import of_type, parse_json

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LONGEST_FIELD = 2**31 - 1  # of CSV; Python's own limit is 2**17
KINDS = (".tsv", ".txt", ".csv", ".jsonl")
# Split -> usual names of a user's own tables.
TABLE_FILES = {
    split: [split + kind + end for end in ("", ".gz") for kind in KINDS]
    for split in SPLITS
}
# ("path, line 7", what its cells hold) of each row.
_Cells: TypeAlias = Iterator[tuple[str, list[Any]]]


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
      where: "path, line 7", for messages.
      values: column -> content: text, and in JSON lines what is none, too.
    """

    where: str
    values: dict[str, Any]

    def text(self, column: str) -> str:
        """The text that a cell must be, and not blank, or an InputError."""
        value = self.values[column]
        is_text = isinstance(value, str)
        rule = f"{self.where}: the {column} must be text or a number"
        require(is_text, rule, value)
        rule = f"{self.where}: texts and labels must not be empty"
        require(value.strip() != "", f"{rule} (column {column!r})", value)
        return value

    def number(self, column: str) -> float:
        """The finite number that a cell must be, or an InputError."""
        text = self.text(column)
        rule = f"{self.where}: the {column} must be a number"
        require(is_number(text), rule, text)
        return float(text)


@dataclasses.dataclass(frozen=True)
class Table:
    """A file of rows with named columns.

    Attributes:
      path: the file.
      columns: their names.
      rows: all of them, in order.
      num_skipped: rows left out because their number of columns is wrong.
    """

    path: str
    columns: tuple[str, ...]
    rows: list[Row]
    num_skipped: int = 0

    def require(self, names: Sequence[str]) -> None:
        """Raises an InputError unless the table has these columns, once."""
        for name in names:
            rule = f"{self.path} must have one column {name!r}"
            require(self.columns.count(name) == 1, rule, self.columns)


def is_number(text: str) -> bool:
    """Whether a cell is a finite number."""
    try:
        return math.isfinite(float(text))
    except (TypeError, ValueError):
        return False


def read_table(
    path: str,
    columns: Sequence[str] | None = None,
    skip_malformed: bool = False,
) -> Table:
    """Reads a table; the ending of its name (before .gz) says its format.

    `.csv` is quoted as in RFC 4180. `.tsv` and `.txt` hold tabs and no
    quoting: a `"` is text, as in the files of GLUE. `.jsonl` holds one flat
    object a line. The first row of the others names the columns.

    Args:
      path: the file; UTF-8, with or without a byte order mark.
      columns: their names, for a TSV file without such a row.
      skip_malformed: leave out and count rows with another number of columns.

    Raises:
      InputError: no such file, not UTF-8, no rows, an unknown ending, or a row
        with another number of columns (its line is named).
    """
    found = _cells(path)
    if columns is None:
        _, columns = next(found, ("", ()))
    rows, num_skipped = [], 0
    for where, values in found:
        if len(values) == len(columns):
            rows.append(Row(where, dict(zip(columns, values, strict=True))))
            continue
        rule = f"{where}: must have {len(columns)} columns"
        require(skip_malformed, rule, len(values))
        num_skipped += 1
    require(bool(rows), f"{path} must hold rows", rows)
    return Table(path, tuple(columns), rows, num_skipped)


def first_row(path: str) -> list[Any]:
    """The first row's cells, names or not; of JSON lines the keys."""
    _, cells = next(_cells(path), ("", []))
    return cells


def _cells(path: str) -> _Cells:
    kind = os.path.splitext(path.removesuffix(".gz"))[1]
    rule = f"a table's name must end in {', '.join(KINDS)}"
    require(kind in KINDS, rule, path)
    cells = {".csv": _csv_cells, ".jsonl": _json_cells}.get(kind, _tsv_cells)
    return cells(path)


def read_lines(path: str) -> list[str]:
    """The lines of a UTF-8 file, with no line ends; ".gz" is unpacked.

    Only "\\n" and "\\r\\n" end a line: Unicode's other separators are text.

    Raises:
      InputError: no such file, a damaged ".gz", or text that is not UTF-8.
    """
    content = _read_bytes(path)
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        *before, line = content[: error.end].split(b"\n")
        raise InputError(
            f"{path}, line {len(before) + 1}: text must be UTF-8; received "
            f"{line[-20:]!r}"
        ) from None
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


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


def _tsv_cells(path: str) -> _Cells:
    for number, line in enumerate(read_lines(path), 1):
        yield f"{path}, line {number}", line.split("\t")


def _csv_cells(path: str) -> _Cells:
    lines = (f"{line}\n" for line in read_lines(path))
    reader = csv.reader(lines, strict=True)
    first = 1
    old_limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        for values in reader:
            if values:
                yield f"{path}, line {first}", values
            first = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: must be CSV; received {error}"
        ) from None
    finally:
        csv.field_size_limit(old_limit)


def _json_cells(path: str) -> _Cells:
    """The keys of the first object, then the values of all."""
    columns: list[str] = []
    for where, record in json_records(path):
        if not columns:
            columns = list(record)
            yield where, columns
        rule = f"{where}: must have the keys {', '.join(columns)}"
        require(record.keys() == set(columns), rule, list(record))
        yield where, [_as_text(record[name]) for name in columns]


def _as_text(value: Any) -> Any:
    """Numbers and truth values as JSON writes them; others as they are."""
    is_text = isinstance(value, (bool, int))
    is_text |= isinstance(value, float) and math.isfinite(value)
    return json.dumps(value) if is_text else value


def json_records(path: str) -> Iterator[tuple[str, dict]]:
    """(where, object) of each line that is not blank.

    Raises:
      InputError: a line is not one JSON object.
    """
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        yield where, of_type(parse_json(line, where), dict, where)
