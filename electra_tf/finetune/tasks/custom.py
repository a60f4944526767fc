"""A user's own tables, with named columns: classes, several a text, numbers."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from electra_tf.config.finetuning import TaskOptions, TrainingOptions
from electra_tf.errors import InputError, require
from electra_tf.finetune import tasks
from electra_tf.finetune.models.classifiers import (
    Classifier,
    Thresholds,
    label_thresholds,
    logits_of,
)
from electra_tf.finetune.tasks import Evaluation
from electra_tf.finetune.tasks.metrics import multi_label_metrics
from electra_tf.finetune.tasks.tables import TABLE_FILES, Row, read_table
from electra_tf.finetune.tasks.text_task import (
    OF_LINES,
    Classification,
    Regression,
    TextExample,
    TextTask,
    check_names,
    table_examples,
)

_SEPARATOR = ","
_MARKS = {"0": False, "1": True, "false": False, "true": True}


@dataclasses.dataclass(eq=False, repr=False)
class MultiLabel(TextTask):
    """Any number of classes a text, each judged by itself.

    Attributes:
      labels: the classes' names; an example's label is a tuple of some.
      thresholds: see `Classifier`.
      Others as in `TextTask`.

    Raises:
      InputError: an example of `splits` has another label; a name would break
        the lists in files of predictions; a threshold is not in (0, 1).
    """

    labels: Sequence[str]
    thresholds: Thresholds | None = None

    def __post_init__(self):
        self.labels = tuple(self.labels)
        check_names(self.labels, {**OF_LINES, _SEPARATOR: "no comma"})
        self.thresholds = label_thresholds(self.thresholds, self.labels)
        self.least_logits = logits_of(self.thresholds)
        rule = f"each label must be one of {', '.join(self.labels)}"
        known = (self.splits.train, *self.splits.dev.values())
        for example in itertools.chain.from_iterable(known):
            odd = [name for name in example.label if name not in self.labels]
            require(not odd, f"{example.where}: {rule}", odd)

    def build_model(self, plan: TrainingOptions) -> Classifier:
        return tasks.build(
            Classifier,
            plan,
            labels=self.labels,
            multi_label=True,
            thresholds=self.thresholds,
        )

    def targets(self, labels):
        rows = [[name in names for name in self.labels] for names in labels]
        return np.array(rows, np.float32)

    def answers(self, outputs):
        rows = self._holding(outputs)
        return [_SEPARATOR.join(np.compress(r, self.labels)) for r in rows]

    def evaluate(self, encoded, outputs):
        said = self._holding(outputs)
        return Evaluation(multi_label_metrics(encoded.targets, said))

    def _holding(self, outputs) -> np.ndarray:
        return outputs >= self.least_logits


@tasks.register("custom")
def open_custom(options: TaskOptions) -> TextTask:
    """A user's own tables, with named columns.

    The test file needs no labels. The classes are those of the training file;
    of several label columns, the columns.

    Raises:
      InputError: a file or a column is missing; a text is empty; there is one
        class only; a dev label is none of the training file's.
    """
    names = (options.text_column, options.text_pair_column)
    texts = [name for name in names if name]
    kind = options.label_kind
    label_columns = options.label_column.split(_SEPARATOR)

    def read(path: str, split: str) -> list[TextExample]:
        label = None if split == "test" else options.label_column
        table = read_table(path)
        if kind != "classes" or label is None:
            return table_examples(table, texts, label, kind == "number")
        table.require(label_columns)
        examples = table_examples(table, texts, None, is_number=False)
        named = (classes_of(row, label_columns) for row in table.rows)
        pairs = zip(examples, named, strict=True)
        return [dataclasses.replace(e, label=label) for e, label in pairs]

    files = tasks.find_files("custom", TABLE_FILES, options)
    splits = tasks.read_splits(files, read, "custom")
    shared: dict[str, Any] = {"name": "custom", "splits": splits}
    found = {example.label for example in splits.train}
    if kind == "number":
        scale = max(abs(float(label)) for label in found) or 1.0
        return Regression(scale, metric="spearman", **shared)
    if kind == "classes":
        found = set(itertools.chain.from_iterable(found))
    rule = f"column {options.label_column!r} must hold two classes or more"
    labels = sorted(found)
    if kind == "classes" and len(label_columns) > 1:
        labels = label_columns
    require(len(labels) > 1, f"{files['train']}: {rule}", set(labels))
    if kind == "class":
        return Classification(labels, metric="accuracy", **shared)
    thresholds = read_thresholds(options.thresholds)
    return MultiLabel(labels, thresholds, metric="micro_f1", **shared)


def classes_of(row: Row, columns: Sequence[str]) -> tuple[str, ...]:
    """The classes of a row: of one column a list, of several those with 1.

    A list is JSON's, or names with commas between; "" is none.

    Raises:
      InputError: a cell is no list of names; or, of several, not 0 or 1.
    """
    if len(columns) > 1:
        rule = f"{row.where}: the columns of labels must hold 0 or 1"
        for name in columns:
            cell = row.values[name]
            require(cell in _MARKS, rule, cell)
        return tuple(name for name in columns if _MARKS[row.values[name]])
    cell = row.values[columns[0]]
    if isinstance(cell, str):
        cell = [name.strip() for name in cell.split(_SEPARATOR)]
        cell = [] if cell == [""] else cell
    rule = f"{row.where}: the labels must be a list of names"
    is_list = isinstance(cell, list)
    are_names = is_list and all(isinstance(x, str) and x.strip() for x in cell)
    require(are_names, rule, row.values[columns[0]])
    return tuple(sorted({name.strip() for name in cell}))


def read_thresholds(text: str) -> float | Mapping[str, float]:
    """`0.5`, or `good:0.3,bad:0.6`.

    Raises:
      InputError: it is neither.
    """
    parts = [part.rpartition(":") for part in text.split(_SEPARATOR)]
    rule = "thresholds must be a number, or name:number with commas between"
    try:
        if len(parts) == 1 and not parts[0][1]:
            return float(text)
        values = {name.strip(): float(value) for name, _, value in parts}
    except ValueError:
        raise InputError(f"{rule}; received {text!r}") from None
    require(all(values) and len(values) == len(parts), rule, text)
    return values
