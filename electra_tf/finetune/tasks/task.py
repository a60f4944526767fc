"""What a task is: its examples, its model, its metrics, its files."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from electra_tf.data.tokenizers.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True)
class Splits:
    """A task's examples.

    Attributes:
      train: to learn from.
      dev: name -> examples to measure on; the first is the task's own.
      test: name -> examples to predict.
      notes: what a reader of the results must know, such as rows left out.
    """

    train: Sequence[Any]
    dev: Mapping[str, Sequence[Any]]
    test: Mapping[str, Sequence[Any]]
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Encoded:
    """Examples as the model takes them; N rows.

    Attributes:
      examples: what they were made of.
      inputs: `input_ids`, `input_mask`, `segment_ids` and what else the model
        takes; int32 [N, L].
      targets: arrays [N, ...], one or by name; None where there are none.
      num_cut: examples that were cut to fit.
      rows: what tells of which example, and of which part of it, a row is.
      notes: what a reader of the results must know.
    """

    examples: Sequence[Any]
    inputs: Mapping[str, np.ndarray]
    targets: np.ndarray | Mapping[str, np.ndarray] | None
    num_cut: int
    rows: Any = None
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """How every task's model is made: see `Classifier.from_pretrained`."""

    init_checkpoint: str
    max_seq_length: int
    dropout: float
    from_scratch: bool


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How good predictions are.

    Attributes:
      metrics: times 100, as the paper prints them.
      files: what else is to be written, name -> content.
    """

    metrics: dict[str, float]
    files: dict[str, str] = dataclasses.field(default_factory=dict)


class Task(abc.ABC):
    """A task: a new kind of task is a subclass and an entry in tasks.py.

    Attributes:
      name: its name on the command line.
      metric: the key of its main metric; the higher, the better.
      splits: its examples.
      epochs: the paper's number for it.
      max_seq_length: the usual length of an input.
      least_length: an input must have.
    """

    name: str
    metric: str
    splits: Splits
    epochs: int = 3
    max_seq_length: int = 128
    least_length: int = 5

    @abc.abstractmethod
    def encode(
        self,
        tokenizer: Tokenizer,
        examples: Sequence[Any],
        max_seq_length: int,
        is_training: bool = False,
    ) -> Encoded:
        """Examples to arrays; with targets where `is_training`."""

    @abc.abstractmethod
    def build_model(self, settings: ModelSettings) -> keras.Model:
        """A model of the task, its encoder pre-trained."""

    @abc.abstractmethod
    def evaluate(self, encoded: Encoded, outputs: Any) -> Evaluation:
        """Metrics of `outputs = model.predict(encoded.inputs)`."""

    @abc.abstractmethod
    def predictions(
        self,
        test_set: str,
        encoded: Encoded,
        outputs: Any,
        metrics: Mapping[str, float],
    ) -> dict[str, str]:
        """Files for a test set, name -> content; `metrics` are dev's."""
