"""Tables of examples: TSV, CSV and JSON lines; every error names the line."""

import csv
import dataclasses
import json
import math
import os
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from electra_tf.errors import InputError, require
from electra_tf.finetune.tasks import SPLITS
from electra_tf.finetune.tasks.json_values import of_type, parse_json
from electra_tf.finetune.tasks.lines import decoded_lines, read_lines, sound

_LONGEST_FIELD = 2**31 - 1  # of CSV; Python's own limit is 2**17
KINDS = (".tsv", ".txt", ".csv", ".jsonl")
# Split -> usual names of a user's own tables.
TABLE_FILES = {
    split: [split + kind + end for end in ("", ".gz") for kind in KINDS]
    for split in SPLITS
}
# ("path, line 7", what its cells hold) of each row; of a broken one its error.
_Cells: TypeAlias = Iterator[tuple[str, list[Any] | InputError]]


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
    columns, found = read_rows(path, columns)
    rows = [row for row in found if isinstance(row, Row)]
    errors = [row for row in found if isinstance(row, InputError)]
    if errors and not skip_malformed:
        raise errors[0]
    require(bool(rows), f"{path} must hold rows", rows)
    return Table(path, tuple(columns), rows, len(errors))


def read_rows(
    path: str, columns: Sequence[str] | None = None
) -> tuple[tuple[str, ...], list[Row | InputError]]:
    """A table's columns and its rows; in a broken row's place its error.

    Args:
      path, columns: see `read_table`.

    Raises:
      InputError: the file as a whole is broken, as one is with a quote in CSV
        that does not end.
    """
    found = _cells(path)
    if columns is None:
        columns = sound(next(found, ("", []))[1])
    rows: list[Row | InputError] = []
    for where, values in found:
        if isinstance(values, InputError):
            rows.append(values)
        elif len(values) != len(columns):
            rule = f"{where}: must have {len(columns)} columns"
            rows.append(InputError(f"{rule}; received {len(values)}"))
        else:
            named = dict(zip(columns, values, strict=True))
            rows.append(Row(where, named))
    return tuple(columns), rows


def first_row(path: str) -> list[Any]:
    """The first row's cells, names or not; of JSON lines the keys."""
    _, cells = next(_cells(path), ("", []))
    return sound(cells)


def _cells(path: str) -> _Cells:
    kind = os.path.splitext(path.removesuffix(".gz"))[1]
    rule = f"a table's name must end in {', '.join(KINDS)}"
    require(kind in KINDS, rule, path)
    cells = {".csv": _csv_cells, ".jsonl": _json_cells}.get(kind, _tsv_cells)
    return cells(path)


def _tsv_cells(path: str) -> _Cells:
    for where, line in decoded_lines(path):
        if isinstance(line, InputError):
            yield where, line
        else:
            yield where, line.split("\t")


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
    found = list(_json_objects(path))
    objects = ((w, list(x)) for w, x in found if isinstance(x, dict))
    first, columns = next(objects, (path, []))
    yield first, columns
    for where, record in found:
        if isinstance(record, InputError):
            yield where, record
        elif record.keys() != set(columns):
            rule = f"{where}: must have the keys {', '.join(columns)}"
            yield where, InputError(f"{rule}; received {list(record)!r}")
        else:
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
    for where, record in _json_objects(path):
        yield where, sound(record)


def _json_objects(path: str) -> Iterator[tuple[str, dict | InputError]]:
    for where, line in decoded_lines(path):
        if isinstance(line, str) and not line.strip():
            continue
        try:
            record = parse_json(sound(line), where)
            yield where, of_type(record, dict, where)
        except InputError as error:
            yield where, error
