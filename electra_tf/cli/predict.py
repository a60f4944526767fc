"""What a model says of every row of a file."""

import dataclasses
import sys
import time

from electra_tf.cli.app import command
from electra_tf.config import GIVEN, POSITIVE, Options, field
from electra_tf.errors import InputError, require_packages

_TEXT_ENDINGS = (".txt", ".txt.gz")


@dataclasses.dataclass(frozen=True)
class PredictOptions(Options):
    """Which model, what to read, where to write.

    Attributes:
      model: a fine-tuned model's .keras file, a SavedModel (a version, or the
        base path of versions), or what from_pretrained takes.
      input: .txt, a text a line; or a table with named columns, .tsv, .csv or
        .jsonl; each may end in .gz.
      output: TSV to write, a row for each row of the input, in its order.
      what: of a pre-trained model; of a fine-tuned one instead of its own.
      columns: of the texts, in the order in which the model reads them, with
        commas between (default: text or text and text_pair; query, passage;
        question, context).
      skip_bad: leave the cells of rows that cannot be read empty; without, the
        first one ends the command.
      batch_size: rows at once.
    """

    model: str = field("", GIVEN)
    input: str = field("", GIVEN)
    output: str = field("", GIVEN)
    what: str = field("", choices=("", "detect", "embed"))
    columns: tuple[str, ...] = field(())
    skip_bad: bool = field(False)
    batch_size: int = field(32, POSITIVE)


@command(PredictOptions)
def predict(options: PredictOptions) -> None:
    """Writes `index` and what the model says; prints rows a second."""
    require_packages("reading tables needs", ("scipy", "seqeval"), "finetune")
    from tqdm import tqdm

    from electra_tf.files import try_output, write_text
    from electra_tf.serving import predicting, row_cells

    try_output("output", options.output)
    names, rows = _read(options.input)
    opened = predicting.open_signatures(options.model, options.what)
    signatures = opened.signatures
    name = predicting.choose(signatures, options.what, len(options.columns))
    columns = options.columns or row_cells.KINDS[name].reads
    pair = f"{name}_pair"
    if not options.columns and pair in signatures:
        wanted = row_cells.KINDS[pair].reads
        if set(wanted) <= set(names):
            name, columns = pair, wanted
    texts = _texts(options, names, rows, columns)
    good = [n for n, row in enumerate(texts) if row is not None]
    writes = row_cells.KINDS[name].writes
    cells = [[""] * len(writes) for _ in rows]
    begin = time.monotonic()
    said = predicting.answers(
        signatures, name, [texts[n] for n in good], options.batch_size
    )
    for place, found in tqdm(said, total=len(good), unit="row", disable=None):
        cells[good[place]] = found
    seconds = time.monotonic() - begin
    lines = [("index", *writes), *((str(n), *c) for n, c in enumerate(cells))]
    write_text(options.output, "".join("\t".join(c) + "\n" for c in lines))
    bad = len(rows) - len(good)
    print(
        f"{options.output}: {len(rows)} rows by {name}, "
        f"{len(good) / max(seconds, 1e-9):.1f} a second"
        + (f"; {bad} bad ones are empty" if bad else "")
    )


def _read(path: str) -> tuple[tuple[str, ...], list]:
    """Names of columns, and all rows; in a broken one's place its error."""
    from electra_tf.finetune.tasks.lines import decoded_lines
    from electra_tf.finetune.tasks.tables import Row, read_rows

    if not path.endswith(_TEXT_ENDINGS):
        names, rows = read_rows(path)
    else:
        names = ("text",)
        rows = [
            Row(where, {"text": line}) if isinstance(line, str) else line
            for where, line in decoded_lines(path)
        ]
    if not rows:
        raise InputError(f"{path} must hold rows; received none")
    return names, rows


def _texts(
    options: PredictOptions,
    names: tuple[str, ...],
    rows: list,
    columns: tuple[str, ...],
) -> list:
    """The texts of each row; None of a bad one, which is named.

    Raises:
      InputError: a column is missing, or, without skip_bad, a row is bad.
    """
    from electra_tf.finetune.tasks.tables import Table

    Table(options.input, names, []).require(columns)
    found: list[list[str] | None] = []
    for row in rows:
        try:
            if isinstance(row, InputError):
                raise row
            found.append([row.text(column) for column in columns])
        except InputError as error:
            if not options.skip_bad:
                raise InputError(
                    f"{error} (--skip_bad leaves such rows empty)"
                ) from None
            print(f"bad row: {error}", file=sys.stderr)
            found.append(None)
    return found
