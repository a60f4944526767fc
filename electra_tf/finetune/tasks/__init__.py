"""What a task is, and how it gets its name on the command line.

A new task is a file: beside this one, or in a plugin of your own. It
registers a function that reads the examples, and most often needs no class:

    @register("mood")
    def open_mood(options: TaskOptions) -> Task:
        files = find_files("mood", {"train": ["mood.txt"], ...}, options)
        ...
        return Classification(("bad", "good"), name="mood", splits=splits,
                              metric="accuracy")
"""

import abc
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.config.finetuning import TaskOptions, TrainingOptions
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import require, require_packages
from electra_tf.finetune.models import TaskModel

# Of the metrics and of schemes of tags.
_NEEDED = ("scipy", "seqeval", "sklearn")
require_packages("fine-tuning needs", _NEEDED, "finetune")
SPLITS = ("train", "dev", "test")


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
      by_token: whether targets are as long as the inputs, [N, L].
      notes: what a reader of the results must know.
    """

    examples: Sequence[Any]
    inputs: Mapping[str, np.ndarray]
    targets: np.ndarray | Mapping[str, np.ndarray] | None
    num_cut: int
    rows: Any = None
    notes: tuple[str, ...] = ()
    by_token: bool = False


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
    """A task; a new kind of task is a subclass.

    Attributes:
      name: its name on the command line.
      metric: the key of its main metric; the higher, the better.
      splits: its examples.
      epochs: the paper's number for it.
      max_seq_length: the usual length of an input.
      least_length: an input must have.
      has_head: whether its model has a head, which `--head` could name.
    """

    name: str
    metric: str
    splits: Splits
    epochs: int = 3
    max_seq_length: int = 128
    least_length: int = 5
    has_head: bool = True

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
    def build_model(self, plan: TrainingOptions) -> TaskModel:
        """A model of the task, its encoder pre-trained; see `build`."""

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


def build(kind: type[TaskModel], plan: TrainingOptions, **head: Any):
    """A model of a class as a plan says, `head` the class's own arguments."""
    if plan.head is not None:
        head["head"] = plan.head
    return kind.from_pretrained(
        plan.init_checkpoint,
        max_seq_length=plan.max_seq_length,
        dropout=plan.hidden_dropout_prob,
        load_weights=not plan.from_scratch,
        **head,
    )


Opener = Callable[[TaskOptions], Task]
TASKS: dict[str, Opener] = {}


def register(name: str) -> Callable[[Opener], Opener]:
    """Gives a function that reads a task the name for `--task`.

    Raises:
      InputError: the name is taken.
    """

    def add(opener: Opener) -> Opener:
        is_new = name not in TASKS
        require(is_new, "a task must have a name of its own", name)
        TASKS[name] = opener
        return opener

    return add


def find_files(
    name: str, usual: Mapping[str, Sequence[str]], options: TaskOptions
) -> dict[str, str]:
    """Split -> path: as given, or the first usual one that is there.

    Args:
      name: the task's, for messages.
      usual: split -> names of files below `--data_dir`.
      options: `test` is left out unless `do_predict`.

    Raises:
      InputError: a split has no file.
    """
    files = {}
    for split in SPLITS if options.do_predict else SPLITS[:-1]:
        path = getattr(options, f"{split}_file")
        if not path:
            require_data_dir(name, options)
            paths = [os.path.join(options.data_dir, f) for f in usual[split]]
            path = next(filter(tf.io.gfile.exists, paths), None)
            rule = (
                f"{name} must have a {split} split (--{split}_file, or one of "
                f"{', '.join(paths)})"
            )
            require(path is not None, rule, path)
        files[split] = path
    return files


def require_data_dir(name: str, options: TaskOptions) -> None:
    """Raises an InputError unless `--data_dir` is a folder."""
    folder = options.data_dir
    rule = f"{name} needs --data_dir, the folder of its files"
    require(folder != "", rule, folder)
    require(tf.io.gfile.isdir(folder), "data_dir must be a folder", folder)


def read_splits(
    files: Mapping[str, str],
    read: Callable[[str, str], Sequence[Any]],
    test_set: str = "test",
) -> Splits:
    """The examples of a task whose dev and test set are one each.

    Args:
      files: of `find_files`.
      read: (path, split) -> what the file holds.
      test_set: name of the test set.
    """
    found = {split: read(path, split) for split, path in files.items()}
    test = {test_set: found["test"]} if "test" in found else {}
    return Splits(found["train"], {"dev": found["dev"]}, test)
