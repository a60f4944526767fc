"""The tasks by name. A new kind of task is one entry in `TASKS`."""

import functools
import os
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from electra_tf.config.finetuning import TaskOptions
from electra_tf.errors import InputError
from electra_tf.finetune.tasks.conll import read_conll
from electra_tf.finetune.tasks.custom import custom_task
from electra_tf.finetune.tasks.glue import glue_task, read_files, read_tfds
from electra_tf.finetune.tasks.glue_specs import GLUE, GlueSpec
from electra_tf.finetune.tasks.question_answering import QuestionAnswering
from electra_tf.finetune.tasks.squad import Questions, read_mrqa, read_squad
from electra_tf.finetune.tasks.tables import KINDS
from electra_tf.finetune.tasks.tagging import Tagging
from electra_tf.finetune.tasks.task import Splits, Task
from electra_tf.finetune.tasks.windows import WindowSettings

SPLITS = ("train", "dev", "test")


def open_task(name: str, options: TaskOptions) -> Task:
    """Reads a task's examples.

    Raises:
      InputError: there is no such task, or its files are not as they must be.
    """
    if name not in TASKS:
        raise InputError(
            f"task must be one of {', '.join(TASKS)}; received {name!r}"
        )
    return TASKS[name](options)


def _glue(spec: GlueSpec, options: TaskOptions) -> Task:
    files = {s: getattr(options, f"{s}_file") for s in SPLITS}
    if any(files.values()):
        raise InputError(
            f"{spec.name} reads the official files of --data_dir; for files "
            "of your own use --task=custom"
        )
    _require_data_dir(spec.name, options)
    splits = read_files(spec, options.data_dir, options.do_predict)
    return glue_task(spec, splits, options.double_unordered)


def _glue_tfds(spec: GlueSpec, options: TaskOptions) -> Task:
    data_dir = options.tfds_data_dir or None
    splits = read_tfds(spec, data_dir, options.do_predict)
    return glue_task(spec, splits, options.double_unordered)


def _question_answering(
    name: str,
    read: Callable[[str, bool], Questions],
    usual: Mapping[str, Sequence[str]],
    options: TaskOptions,
) -> Task:
    files = _files(name, usual, options)
    train = read(files["train"], True)
    dev = read(files["dev"], False)
    notes = []
    if train.num_left_out:
        notes.append(
            f"{files['train']}: {train.num_left_out} questions were left out: "
            "their answer is not where the file says"
        )
    test = {}
    if "test" in files:
        test["test"] = read(files["test"], False).questions
    return QuestionAnswering(
        name,
        Splits(train.questions, {"dev": dev.questions}, test, tuple(notes)),
        WindowSettings(options.doc_stride, options.max_query_length),
        options.qa_head,
        options.num_beams,
        options.max_answer_length,
        options.n_best_size,
    )


def _tagging(
    name: str, usual: Mapping[str, Sequence[str]], options: TaskOptions
) -> Task:
    files = _files(name, usual, options)
    columns = (options.word_column, options.tag_column)
    test = {}
    if "test" in files:
        test["test"] = read_conll(files["test"], *columns, with_tags=False)
    return Tagging(
        name,
        Splits(
            train=read_conll(files["train"], *columns),
            dev={"dev": read_conll(files["dev"], *columns)},
            test=test,
        ),
    )


def _custom(options: TaskOptions) -> Task:
    endings = (*KINDS, *(f"{kind}.gz" for kind in KINDS))
    usual = {split: [split + e for e in endings] for split in SPLITS}
    return custom_task(
        _files("custom", usual, options),
        options.text_column,
        options.text_pair_column,
        options.label_column,
        options.label_kind,
    )


def _files(
    name: str, usual: Mapping[str, Sequence[str]], options: TaskOptions
) -> dict[str, str]:
    """Split -> path: as given, or the first usual one that is there."""
    files = {}
    for split in SPLITS:
        if split == "test" and not options.do_predict:
            continue
        if path := getattr(options, f"{split}_file"):
            files[split] = path
            continue
        _require_data_dir(name, options)
        paths = [os.path.join(options.data_dir, f) for f in usual[split]]
        found = next(filter(tf.io.gfile.exists, paths), None)
        if found is None:
            raise InputError(
                f"{name} has no {split} split: there is no "
                f"{' or '.join(paths)}; give --{split}_file"
            )
        files[split] = found
    return files


def _require_data_dir(name: str, options: TaskOptions) -> None:
    if not options.data_dir:
        raise InputError(
            f"{name} needs --data_dir, the folder of its files; received ''"
        )
    if not tf.io.gfile.isdir(options.data_dir):
        raise InputError(f"there is no folder {options.data_dir!r}")


def _entries() -> dict[str, Callable[[TaskOptions], Task]]:
    one = functools.partial
    squad = {
        version: {
            "train": [f"train-v{version}.json"],
            "dev": [f"dev-v{version}.json"],
            "test": [f"test-v{version}.json"],
        }
        for version in ("1.1", "2.0")
    }
    mrqa = {s: [f"{s}.jsonl", f"{s}.jsonl.gz"] for s in SPLITS}
    conll = {split: [f"{split}.txt"] for split in SPLITS}
    conll2003 = {
        "train": ["eng.train", "train.txt"],
        "dev": ["eng.testa", "valid.txt"],
        "test": ["eng.testb", "test.txt"],
    }
    wnut17 = {
        "train": ["wnut17train.conll"],
        "dev": ["emerging.dev.conll"],
        "test": ["emerging.test.annotated"],
    }
    return {
        **{name: one(_glue, spec) for name, spec in GLUE.items()},
        **{f"glue/{n}": one(_glue_tfds, spec) for n, spec in GLUE.items()},
        "squad1": one(_question_answering, "squad1", read_squad, squad["1.1"]),
        "squad2": one(_question_answering, "squad2", read_squad, squad["2.0"]),
        "mrqa": one(_question_answering, "mrqa", read_mrqa, mrqa),
        "chunk": one(_tagging, "chunk", conll),
        "conll2003": one(_tagging, "conll2003", conll2003),
        "wnut17": one(_tagging, "wnut17", wnut17),
        "tagging": one(_tagging, "tagging", conll),
        "custom": _custom,
    }


TASKS = _entries()
