"""Tasks about a whole text, or a pair."""

import abc
import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from electra_tf.config.finetuning import TrainingOptions
from electra_tf.errors import require
from electra_tf.finetune import tasks
from electra_tf.finetune.models.classifiers import Classifier, Regressor
from electra_tf.finetune.preprocessor import encode_texts
from electra_tf.finetune.tasks import Encoded, Evaluation, Splits
from electra_tf.finetune.tasks.metrics import (
    classification_metrics,
    regression_metrics,
)
from electra_tf.finetune.tasks.tables import Table

# What parts lines and columns of a file of predictions.
OF_LINES = {"\t": "no tab", "\n\r": "no line end"}


@dataclasses.dataclass(frozen=True)
class TextExample:
    """A text, or a pair, and what is to be said of it.

    Attributes:
      text, text_pair: `text_pair` is None where there is no pair.
      label: a class's name, those of several classes, or a number; None where
        it is not known.
      where: "path, line 7", for messages.
    """

    text: str
    text_pair: str | None = None
    label: str | tuple[str, ...] | float | None = None
    # Not of the example's content, so that equal data in another folder are
    # known as equal.
    where: str = dataclasses.field(default="", repr=False)


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class TextTask(tasks.Task):
    """What classification and regression share.

    Attributes:
      name: on the command line.
      splits: of `TextExample`s.
      metric: key of the main metric.
      epochs: the paper's number.
      double_unordered: train on both orders of each pair.
    """

    name: str
    splits: Splits
    metric: str
    epochs: int = 3
    double_unordered: bool = False

    def encode(self, tokenizer, examples, max_seq_length, is_training=False):
        if is_training and self.double_unordered:
            swapped = (
                dataclasses.replace(e, text=e.text_pair, text_pair=e.text)
                for e in examples
            )
            examples = [*examples, *swapped]
        pairs = [(e.text, e.text_pair) for e in examples]
        inputs, num_cut = encode_texts(tokenizer, pairs, max_seq_length)
        labels = [example.label for example in examples]
        targets = None if None in labels else self.targets(labels)
        return Encoded(examples, inputs, targets, num_cut)

    @abc.abstractmethod
    def targets(self, labels: Sequence) -> np.ndarray:
        """What the model learns to say."""

    @abc.abstractmethod
    def answers(self, outputs: np.ndarray) -> list[str]:
        """What the model says, as it is written into a file."""

    def predictions(self, test_set, encoded, outputs, metrics):
        answers = enumerate(self.answers(outputs))
        lines = [f"{index}\t{answer}\n" for index, answer in answers]
        return {f"{test_set}.tsv": "".join(["index\tprediction\n", *lines])}


@dataclasses.dataclass(eq=False, repr=False)
class Classification(TextTask):
    """One of several classes.

    Attributes:
      labels: the classes' names.
      Others as in `TextTask`.

    Raises:
      InputError: an example of `splits` has another label; or one of them
        would break the lines and columns of predictions.
    """

    labels: Sequence[str]

    def __post_init__(self):
        self.labels = tuple(self.labels)
        check_names(self.labels, OF_LINES)
        rule = f"the label must be one of {', '.join(self.labels)}"
        known = (self.splits.train, *self.splits.dev.values())
        for example in itertools.chain.from_iterable(known):
            is_known = example.label in self.labels
            require(is_known, f"{example.where}: {rule}", example.label)

    def build_model(self, plan: TrainingOptions) -> Classifier:
        return tasks.build(Classifier, plan, labels=self.labels)

    def targets(self, labels):
        number = {label: n for n, label in enumerate(self.labels)}
        return np.array([number[label] for label in labels], np.int32)

    def answers(self, outputs):
        return [self.labels[n] for n in np.argmax(outputs, axis=-1)]

    def evaluate(self, encoded, outputs):
        predicted = np.argmax(outputs, axis=-1)
        return Evaluation(
            classification_metrics(encoded.targets, predicted, len(self.labels))
        )


@dataclasses.dataclass(eq=False, repr=False)
class Regression(TextTask):
    """A number, learned divided by `scale`.

    Attributes:
      scale: the largest value, about; the loss then is about 1.
      bounds: (least, greatest) prediction that is written into files.
      Others as in `TextTask`.
    """

    scale: float = 1.0
    bounds: tuple[float, float] = (-math.inf, math.inf)

    def build_model(self, plan: TrainingOptions) -> Regressor:
        return tasks.build(Regressor, plan)

    def targets(self, labels):
        return (np.array(labels) / self.scale).astype(np.float32)

    def answers(self, outputs):
        values = np.clip(outputs.astype(float) * self.scale, *self.bounds)
        return [f"{value:.3f}" for value in values]

    def evaluate(self, encoded, outputs):
        return Evaluation(regression_metrics(encoded.targets, outputs))


def check_names(labels: Sequence[str], separators: Mapping[str, str]) -> None:
    """Refuses names of classes with what parts predictions in a file.

    Args:
      labels: the names.
      separators: characters -> what they are called.
    """
    rule = f"a class's name must hold {' and '.join(separators.values())}"
    for label in labels:
        held = set(label) & set("".join(separators))
        require(not held, rule, label)


def table_examples(
    table: Table,
    texts: Sequence[str],
    label: str | None,
    is_number: bool,
    skip_blank: bool = False,
) -> list[TextExample]:
    """The rows of a table as examples.

    Args:
      table: what was read.
      texts: the column of the text, or the two of the pair.
      label: column of the label; None where none is known.
      is_number: whether labels are numbers.
      skip_blank: leave out rows with an empty text.

    Raises:
      InputError: a column is missing; a text or a label is empty, or a label
        no number.
    """
    columns = [*texts, *([] if label is None else [label])]
    table.require(columns)
    examples = []
    for row in table.rows:
        if skip_blank and not all(row.values[name].strip() for name in texts):
            continue
        text, pair = [*map(row.text, texts), None][:2]
        value: Any = None
        if label is not None:
            # Blanks around a name make no other class.
            value = row.number(label) if is_number else row.text(label).strip()
        examples.append(TextExample(text, pair, value, row.where))
    return examples
