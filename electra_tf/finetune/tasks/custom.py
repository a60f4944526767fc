"""A user's own table: a text, or a pair, and a class or number for it."""

from collections.abc import Sequence

from electra_tf.errors import InputError
from electra_tf.finetune.tasks.tables import read_table
from electra_tf.finetune.tasks.task import Splits
from electra_tf.finetune.tasks.text_task import (
    Classification,
    Regression,
    TextExample,
    TextTask,
    check_texts,
    number,
)


def custom_task(
    files: dict[str, str],
    text_column: str,
    text_pair_column: str,
    label_column: str,
    label_kind: str,
) -> TextTask:
    """A task made of tables with named columns.

    Args:
      files: `train`, `dev` and perhaps `test` -> path; see `read_table`. The
        test file needs no labels.
      text_column, text_pair_column, label_column: names of columns;
        `text_pair_column` is "" for single texts.
      label_kind: "class" (the classes are those of the training file) or
        "number".

    Raises:
      InputError: a file or a column is missing; a text is empty; there is one
        class only; a dev label is none of the training file's.
    """
    texts = [text_column, *filter(None, [text_pair_column])]
    is_number = label_kind == "number"
    train, dev = (
        _read(files[split], texts, label_column, is_number)
        for split in ("train", "dev")
    )
    test = {}
    if "test" in files:
        test["custom"] = _read(files["test"], texts, "", is_number)
    splits = Splits(train, {"dev": dev}, test)
    shared = {"name": "custom", "splits": splits}
    if is_number:
        values = [abs(example.label) for example in splits.train]
        scale = max(values) or 1.0
        return Regression(scale=scale, metric="spearman", **shared)
    labels = sorted({example.label for example in splits.train})
    if len(labels) < 2:
        raise InputError(
            f"{files['train']}: column {label_column!r} must hold two classes "
            f"or more; received only {labels[0]!r}"
        )
    return Classification(labels, metric="accuracy", **shared)


def _read(
    path: str, texts: Sequence[str], label: str, is_number: bool
) -> list[TextExample]:
    table = read_table(path)
    table.require([*texts, *filter(None, [label])])
    examples = []
    for row in table.rows:
        found = [row.values[name] for name in texts]
        value = row.values[label] if label else None
        if value is not None and is_number:
            value = number(value, row.where)
        elif value is not None and not value.strip():
            raise InputError(f"{row.where}: the label is empty")
        pair = found[1] if len(found) > 1 else None
        examples.append(TextExample(found[0], pair, value, row.where))
    check_texts(examples)
    return examples
