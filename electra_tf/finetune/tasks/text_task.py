"""Tasks about a whole text, or a pair: a class or a number for each."""

import abc
import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from electra_tf.data.tokenizers.tokenizer import Tokenizer
from electra_tf.errors import InputError
from electra_tf.finetune.models.heads import Classifier, Regressor
from electra_tf.finetune.models.preprocessor import TextPreprocessor
from electra_tf.finetune.tasks.metrics import (
    classification_metrics,
    regression_metrics,
)
from electra_tf.finetune.tasks.task import (
    Encoded,
    Evaluation,
    ModelSettings,
    Splits,
    Task,
)

_TEXTS_AT_ONCE = 2048


@dataclasses.dataclass(frozen=True)
class TextExample:
    """A text, or a pair, and what is to be said of it.

    Attributes:
      text, text_pair: `text_pair` is None where there is no pair.
      label: a class's name or a number; None where it is not known.
      where: "path, line 7", for messages.
    """

    text: str
    text_pair: str | None = None
    label: str | float | None = None
    # Not of the example's content, so that equal data in another folder are
    # known as equal.
    where: str = dataclasses.field(default="", repr=False)


class TextTask(Task):
    """What classification and regression share.

    Args:
      name: on the command line.
      splits: of `TextExample`s.
      metric: key of the main metric.
      epochs: the paper's number.
      double_unordered: train on both orders of each pair.
    """

    def __init__(
        self,
        name: str,
        splits: Splits,
        metric: str,
        epochs: int = 3,
        double_unordered: bool = False,
    ):
        self.name, self.splits, self.metric = name, splits, metric
        self.epochs = epochs
        self.double_unordered = double_unordered

    def encode(self, tokenizer, examples, max_seq_length, is_training=False):
        if is_training and self.double_unordered:
            examples = [*examples, *map(_swapped, examples)]
        inputs, num_cut = encode_texts(tokenizer, examples, max_seq_length)
        labels = [example.label for example in examples]
        known = None not in labels
        targets = self.targets(labels) if known else None
        return Encoded(examples, inputs, targets, num_cut)

    @abc.abstractmethod
    def targets(self, labels: Sequence) -> np.ndarray:
        """What the model learns to say."""

    @abc.abstractmethod
    def answers(self, outputs: np.ndarray) -> list[str]:
        """What the model says, as it is written into a file."""

    def predictions(self, test_set, encoded, outputs, metrics):
        del encoded, metrics
        rows = enumerate(self.answers(outputs))
        lines = [f"{index}\t{answer}\n" for index, answer in rows]
        return {f"{test_set}.tsv": "".join(["index\tprediction\n", *lines])}


class Classification(TextTask):
    """One of several classes.

    Args:
      labels: the classes' names.
      **shared: see `TextTask`.

    Raises:
      InputError: an example of `splits` has another label.
    """

    def __init__(self, labels: Sequence[str], **shared):
        super().__init__(**shared)
        self.labels = tuple(labels)
        for examples in (self.splits.train, *self.splits.dev.values()):
            check_labels(examples, self.labels)

    def build_model(self, settings: ModelSettings) -> keras.Model:
        return Classifier.from_pretrained(
            settings.init_checkpoint,
            labels=self.labels,
            max_seq_length=settings.max_seq_length,
            dropout=settings.dropout,
            load_weights=not settings.from_scratch,
        )

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


class Regression(TextTask):
    """A number, learned divided by `scale`.

    Args:
      scale: the largest value, about; the loss then is about 1.
      bounds: (least, greatest) prediction that is written into files.
      **shared: see `TextTask`.
    """

    def __init__(
        self,
        scale: float = 1.0,
        bounds: tuple[float, float] | None = None,
        **shared,
    ):
        super().__init__(**shared)
        self.scale, self.bounds = scale, bounds

    def build_model(self, settings: ModelSettings) -> keras.Model:
        return Regressor.from_pretrained(
            settings.init_checkpoint,
            max_seq_length=settings.max_seq_length,
            dropout=settings.dropout,
            load_weights=not settings.from_scratch,
        )

    def targets(self, labels):
        return np.array(labels, np.float32) / self.scale

    def answers(self, outputs):
        values = outputs * self.scale
        if self.bounds:
            values = np.clip(values, *self.bounds)
        return [f"{value:.3f}" for value in values]

    def evaluate(self, encoded, outputs):
        return Evaluation(regression_metrics(encoded.targets, outputs))


def encode_texts(
    tokenizer: Tokenizer, examples: Sequence[TextExample], max_seq_length: int
) -> tuple[dict[str, np.ndarray], int]:
    """Texts, or pairs, to ids.

    Returns:
      `input_ids`, `input_mask`, `segment_ids`, int32 [N, L], L the longest of
      them, and how many were cut to `max_seq_length`.
    """
    preprocessor = TextPreprocessor(tokenizer, max_seq_length)
    parts = []
    for first in range(0, len(examples), _TEXTS_AT_ONCE):
        some = examples[first : first + _TEXTS_AT_ONCE]
        texts = {"text": tf.constant([e.text for e in some])}
        if some[0].text_pair is not None:
            texts["text_pair"] = tf.constant([e.text_pair for e in some])
        packed = preprocessor(texts)
        parts.append({name: array.numpy() for name, array in packed.items()})
    whole = {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}
    num_cut = int(whole.pop("truncated").sum())
    length = int(whole["input_mask"].sum(axis=1).max())
    return {name: array[:, :length] for name, array in whole.items()}, num_cut


def check_labels(
    examples: Sequence[TextExample], labels: Sequence[str]
) -> None:
    """Raises an InputError at the first label that is none of `labels`."""
    for example in examples:
        if example.label not in labels:
            raise InputError(
                f"{example.where}: the label must be one of "
                f"{', '.join(labels)}; received {example.label!r}"
            )


def check_texts(examples: Sequence[TextExample]) -> None:
    """Raises an InputError at the first text that is empty."""
    for example in examples:
        for text in (example.text, example.text_pair):
            if text is not None and not text.strip():
                raise InputError(f"{example.where}: the text is empty")


def number(text: str, where: str) -> float:
    """The finite number that a label must be.

    Raises:
      InputError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(f"{where}: must be a number; received {text!r}")
    return value


def _swapped(example: TextExample) -> TextExample:
    return dataclasses.replace(
        example, text=example.text_pair, text_pair=example.text
    )
