"""GLUE from its official files, or from TensorFlow Datasets."""

import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from electra_tf.config.finetuning import TaskOptions
from electra_tf.data.text import open_tfds
from electra_tf.errors import InputError
from electra_tf.finetune.tasks import (
    SPLITS,
    Splits,
    register,
    require_data_dir,
)
from electra_tf.finetune.tasks.glue_specs import GLUE, GlueSpec
from electra_tf.finetune.tasks.tables import Table, read_table
from electra_tf.finetune.tasks.text_task import (
    Classification,
    Regression,
    TextExample,
    TextTask,
    table_examples,
)

_LARGEST_SCORE = 5.0  # of STS-B


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
    shared = {
        "name": spec.name,
        "splits": splits,
        "metric": spec.metric,
        "epochs": spec.epochs,
        "double_unordered": double_unordered and spec.is_symmetric,
    }
    if spec.labels:
        return Classification(spec.labels, **shared)
    bounds = (0.0, _LARGEST_SCORE)
    return Regression(scale=_LARGEST_SCORE, bounds=bounds, **shared)


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

    def read(file: str | tuple[str, ...], is_test: bool) -> list[TextExample]:
        path = _path(folder, file)
        table = read_table(
            path,
            None if is_test else spec.columns,
            skip_malformed=spec.has_broken_rows and not is_test,
        )
        return _examples(spec, table, is_test, notes)

    return Splits(
        train=read("train.tsv", False),
        dev={name: read(file, False) for name, file in spec.dev.items()},
        test={name: read(file, True) for name, file in spec.test_files.items()}
        if with_test
        else {},
        notes=tuple(notes),
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

    def read(split: str) -> list[TextExample]:
        *other, split = split.split("/")
        name = f"glue/{other[0] if other else own}"
        names = spec.tfds_texts or spec.texts
        features = [*names, "label"]
        info, records = open_tfds(name, features, data_dir, split)
        to_label = _tfds_label(spec, info.features["label"])
        return _tfds_examples(names, to_label, records, f"{name} {split}")

    tests = spec.tfds_test or dict.fromkeys(spec.test_files, "test")
    return Splits(
        train=read("train"),
        dev={name: read(split) for name, split in spec.tfds_dev.items()},
        test={n: read(split) for n, split in tests.items()}
        if with_test
        else {},
    )


def _path(folder: str, files: str | tuple[str, ...]) -> str:
    """The first of the places that is there, or the first of all."""
    files = (files,) if isinstance(files, str) else files
    paths = [_beside(folder, file) for file in files]
    return next(filter(tf.io.gfile.exists, paths), paths[0])


def _beside(folder: str, file: str) -> str:
    """A file that may begin with "../", which object stores do not follow."""
    if file.startswith("../"):
        folder = os.path.dirname(folder.rstrip("/"))
    return os.path.join(folder, file.removeprefix("../"))


def _examples(
    spec: GlueSpec, table: Table, is_test: bool, notes: list[str]
) -> list[TextExample]:
    label = None if is_test else spec.label
    is_broken = spec.has_broken_rows and not is_test
    examples = table_examples(
        table, spec.texts, label, not spec.labels, skip_blank=is_broken
    )
    num_skipped = table.num_skipped + len(table.rows) - len(examples)
    if num_skipped:
        notes.append(f"{table.path}: {num_skipped} broken rows were left out")
    return examples


def _tfds_label(spec: GlueSpec, feature: Any) -> Callable[[Any], Any]:
    """From a record's label to one of `spec.labels`, or a number."""
    if not spec.labels:
        return float
    # Names where they are ours ("entailment"); their order may differ.
    names = feature.names
    if set(names) != set(spec.labels):
        names = spec.labels
    return lambda value: names[value] if value >= 0 else None


def _tfds_examples(
    texts: Sequence[str],
    to_label: Callable[[Any], Any],
    records: Iterable[Mapping[str, Any]],
    where: str,
) -> list[TextExample]:
    examples = []
    for index, record in enumerate(records):
        found = (record[name].decode("utf-8") for name in texts)
        text, pair = [*found, None][:2]
        label = to_label(record["label"])
        place = f"{where}, record {index}"
        examples.append(TextExample(text, pair, label, place))
    if not examples:
        raise InputError(f"{where} must hold records; received none")
    return examples


def open_files(spec: GlueSpec, options: TaskOptions) -> TextTask:
    """The task of a spec, from the official files in `--data_dir`."""
    given = [f"{s}_file" for s in SPLITS if getattr(options, f"{s}_file")]
    if given:
        raise InputError(
            f"{spec.name} reads the official files of --data_dir (for files "
            f"of your own use --task=custom); received --{given[0]}"
        )
    require_data_dir(spec.name, options)
    splits = read_files(spec, options.data_dir, options.do_predict)
    return glue_task(spec, splits, options.double_unordered)


def open_dataset(spec: GlueSpec, options: TaskOptions) -> TextTask:
    """The task of a spec, from TensorFlow Datasets."""
    data_dir = options.tfds_data_dir or None
    splits = read_tfds(spec, data_dir, options.do_predict)
    return glue_task(spec, splits, options.double_unordered)


for _name, _spec in GLUE.items():
    register(_name)(functools.partial(open_files, _spec))
for _name, _spec in GLUE.items():
    register(f"glue/{_name}")(functools.partial(open_dataset, _spec))
