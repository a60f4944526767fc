"""GLUE from its official files, or from TensorFlow Datasets."""

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from electra_tf.config.finetuning import TaskOptions
from electra_tf.data.text import open_tfds
from electra_tf.errors import require
from electra_tf.finetune import tasks
from electra_tf.finetune.tasks import Splits
from electra_tf.finetune.tasks.glue_specs import GLUE, TRAIN, GlueSet, GlueSpec
from electra_tf.finetune.tasks.tables import read_table
from electra_tf.finetune.tasks.text_task import (
    Classification,
    Regression,
    TextExample,
    TextTask,
    table_examples,
)

LARGEST_SCORE = 5.0  # of STS-B
# From a set and whether it is a test set to its examples.
_Read = Callable[[GlueSet, bool], list[TextExample]]


def glue_task(
    spec: GlueSpec, splits: Splits, double_unordered: bool = False
) -> TextTask:
    """The task of a spec.

    Args:
      spec: one of `GLUE`.
      splits: what `read_files` or `read_tfds` found.
      double_unordered: train on both orders of pairs whose order means
        nothing, as the authors' code can.
    """
    shared: dict[str, Any] = {
        "name": spec.name,
        "splits": splits,
        "metric": spec.metric,
        "epochs": spec.epochs,
        "double_unordered": double_unordered and spec.is_symmetric,
    }
    if spec.labels:
        return Classification(spec.labels, **shared)
    bounds = (0.0, LARGEST_SCORE)
    return Regression(scale=LARGEST_SCORE, bounds=bounds, **shared)


def read_files(spec: GlueSpec, data_dir: str, with_test: bool) -> Splits:
    """Reads `<data_dir>/<folder>/train.tsv` and the others of a task.

    Args:
      spec: one of `GLUE`.
      data_dir: holds the task's folder, or is that folder.
      with_test: whether to read test files, too.

    Raises:
      InputError: a file is missing, or a row is wrong (its line is named).
    """
    folder = os.path.join(data_dir, spec.folder)
    if not tf.io.gfile.isdir(folder):
        folder = data_dir
    notes: list[str] = []

    def read(part: GlueSet, is_test: bool) -> list[TextExample]:
        paths = [_path(folder, file) for file in part.files]
        path = next(filter(tf.io.gfile.exists, paths), paths[0])
        columns, label = (None, None) if is_test else (spec.columns, spec.label)
        is_broken = spec.has_broken_rows and not is_test
        table = read_table(path, columns, is_broken)
        examples = table_examples(
            table, spec.texts, label, not spec.labels, is_broken
        )
        num_skipped = table.num_skipped + len(table.rows) - len(examples)
        if num_skipped:
            notes.append(f"{path}: {num_skipped} broken rows were left out")
        return examples

    splits = _splits(spec, read, with_test)
    return dataclasses.replace(splits, notes=tuple(notes))


def _path(folder: str, file: str) -> str:
    """A file that may begin with "../", which object stores do not follow."""
    if file.startswith("../"):
        folder = os.path.dirname(folder.rstrip("/"))
    return os.path.join(folder, file.removeprefix("../"))


def _splits(spec: GlueSpec, read: _Read, with_test: bool) -> Splits:
    tests = spec.test_sets if with_test else ()
    return Splits(
        train=read(TRAIN, False),
        dev={part.name: read(part, False) for part in spec.dev},
        test={part.name: read(part, True) for part in tests},
    )


def read_tfds(spec: GlueSpec, data_dir: str | None, with_test: bool) -> Splits:
    """Reads `glue/<name>` of TensorFlow Datasets.

    Args:
      spec: one of `GLUE`.
      data_dir: where prepared datasets lie; None: TFDS' own place. What is
        missing there is downloaded.
      with_test: whether to read test splits, too.

    Raises:
      InputError: the dataset cannot be had.
    """
    own = "mnli" if spec.name == "ax" else spec.name
    texts = spec.tfds_texts or spec.texts

    def read(part: GlueSet, is_test: bool) -> list[TextExample]:
        *other, split = part.tfds_split.split("/")
        name = f"glue/{other[0] if other else own}"
        features = [*texts, "label"]
        info, records = open_tfds(name, features, data_dir, split)
        to_label = _tfds_label(spec, info.features["label"])
        examples = []
        for index, record in enumerate(records):
            found = (record[name].decode("utf-8", "replace") for name in texts)
            text, pair = [*found, None][:2]
            where = f"{name} {split}, record {index}"
            label = to_label(record["label"])
            examples.append(TextExample(text, pair, label, where))
        require(bool(examples), f"{name} {split} must hold records", examples)
        return examples

    return _splits(spec, read, with_test)


def _tfds_label(spec: GlueSpec, feature: Any) -> Callable[[Any], Any]:
    """From a record's label to one of `spec.labels`, or a number."""
    if not spec.labels:
        return float
    # Names where they are ours ("entailment"); their order may differ.
    names = feature.names
    if set(names) != set(spec.labels):
        names = spec.labels
    return lambda value: names[value] if value >= 0 else None


def open_files(spec: GlueSpec, options: TaskOptions) -> TextTask:
    """The task of a spec, from the official files in `--data_dir`."""
    files = [getattr(options, f"{split}_file") for split in tasks.SPLITS]
    rule = (
        f"{spec.name} reads the official files of --data_dir, with no "
        "--train_file, --dev_file or --test_file (for files of your own use "
        "--task=custom)"
    )
    require(not any(files), rule, files)
    tasks.require_data_dir(spec.name, options)
    splits = read_files(spec, options.data_dir, options.do_predict)
    return glue_task(spec, splits, options.double_unordered)


def open_dataset(spec: GlueSpec, options: TaskOptions) -> TextTask:
    """The task of a spec, from TensorFlow Datasets."""
    data_dir = options.tfds_data_dir or None
    splits = read_tfds(spec, data_dir, options.do_predict)
    return glue_task(spec, splits, options.double_unordered)


for _name, _spec in GLUE.items():
    tasks.register(_name)(functools.partial(open_files, _spec))
    tasks.register(f"glue/{_name}")(functools.partial(open_dataset, _spec))
