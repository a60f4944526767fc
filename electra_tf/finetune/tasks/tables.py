"""Tables of examples: TSV, CSV and JSON lines; every error names the line."""

import csv
import dataclasses
import gzip
import json
import math
import os
from collections.abc import Iterator, Sequence

import tensorflow as tf

from electra_tf.errors import InputError

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
KINDS = (".tsv", ".txt", ".csv", ".jsonl")


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
      where: "path, line 7", for messages.
      values: column -> content.
    """

    where: str
    values: dict[str, str]

    def number(self, column: str) -> float:
        """The finite number that a cell must be, or an InputError."""
        try:
            value = float(self.values[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(
                f"{self.where}: the {column} must be a number; received "
                f"{self.values[column]!r}"
            )
        return value


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
        """Raises an InputError unless the table has these columns."""
        for name in names:
            if name not in self.columns:
                raise InputError(
                    f"{self.path} must have a column {name!r}; received "
                    f"{', '.join(map(repr, self.columns))}"
                )


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
    kind = os.path.splitext(path.removesuffix(".gz"))[1]
    if kind not in KINDS:
        raise InputError(
            f"a table's name must end in {', '.join(KINDS)}; received {path!r}"
        )
    if kind == ".jsonl":
        return _read_jsonl(path)
    lines = read_lines(path)
    cells = _csv_cells(path, lines) if kind == ".csv" else _tsv_cells(lines)
    if columns is None:
        _, columns = next(cells, (0, None))
    if columns is None:
        raise InputError(f"{path} must hold rows; received an empty file")
    return _table(path, tuple(columns), cells, skip_malformed)


def _table(
    path: str,
    columns: tuple[str, ...],
    cells: Iterator[tuple[int, list[str]]],
    skip_malformed: bool,
) -> Table:
    rows, num_skipped = [], 0
    for line, values in cells:
        if len(values) == len(columns):
            content = dict(zip(columns, values, strict=True))
            rows.append(Row(f"{path}, line {line}", content))
        elif skip_malformed:
            num_skipped += 1
        else:
            raise InputError(
                f"{path}, line {line}: must have {len(columns)} columns; "
                f"received {len(values)}"
            )
    if not rows:
        raise InputError(f"{path} must hold rows; received none")
    return Table(path, columns, rows, num_skipped)


def read_lines(path: str) -> list[str]:
    """The lines of a UTF-8 file, with no line ends; ".gz" is unpacked.

    Only "\\n" and "\\r\\n" end a line: Unicode's other separators are text.

    Raises:
      InputError: no such file, a damaged ".gz", or text that is not UTF-8.
    """
    lines = _read_bytes(path).split(b"\n")
    if not lines[-1]:
        lines.pop()
    decoded = []
    for number, line in enumerate(lines, 1):
        try:
            decoded.append(line.decode("utf-8").removesuffix("\r"))
        except UnicodeDecodeError:
            raise InputError(
                f"{path}, line {number}: text must be UTF-8; received "
                f"{line[:20]!r}"
            ) from None
    return decoded


def read_text(path: str) -> str:
    """The whole of a UTF-8 file, as `read_lines` reads it."""
    return "\n".join(read_lines(path))


def _read_bytes(path: str) -> bytes:
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            content = file.read()
    except (tf.errors.NotFoundError, tf.errors.FailedPreconditionError):
        raise InputError(f"a file must exist; received {path!r}") from None
    if path.endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError):
            raise InputError(
                f"{path} must be a whole gzip file; received a damaged one, or "
                "none"
            ) from None
    if content.startswith(_UTF16_MARKS):
        raise InputError(f"{path} must be UTF-8; received UTF-16")
    return content.removeprefix(b"\xef\xbb\xbf")


def _tsv_cells(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, 1):
        yield number, line.split("\t")


def _csv_cells(
    path: str, lines: Sequence[str]
) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader((f"{line}\n" for line in lines), strict=True)
    first = 1
    try:
        for values in reader:
            if values:
                yield first, values
            first = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: must be CSV; received {error}"
        ) from None


def _read_jsonl(path: str) -> Table:
    rows = []
    for where, record in json_records(path):
        values = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in record.items()
        }
        rows.append(Row(where, values))
    if not rows:
        raise InputError(f"{path} must hold rows; received none")
    columns = tuple(rows[0].values)
    for row in rows:
        if row.values.keys() != rows[0].values.keys():
            raise InputError(
                f"{row.where}: must have the keys {', '.join(columns)}; "
                f"received {', '.join(row.values)}"
            )
    return Table(path, columns, rows)


def json_records(path: str) -> Iterator[tuple[str, dict]]:
    """(where, object) of each line that is not blank.

    Raises:
      InputError: a line is not one JSON object.
    """
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except ValueError as error:
            raise InputError(
                f"{where}: must be JSON; received {error}"
            ) from None
        if not isinstance(record, dict):
            raise InputError(
                f"{where}: must be a JSON object; received {record!r}"
            )
        yield where, record
