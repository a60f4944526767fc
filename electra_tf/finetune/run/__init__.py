"""What the trials in a folder have in common, and their results summed up.

results.json, results.md and, for GLUE, submission.zip are made of the trials'
own files (see trials.py).
"""

import dataclasses
import hashlib
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.config.finetuning import TaskOptions, TrainingOptions
from electra_tf.errors import InputError, require
from electra_tf.files import read_json, write_text
from electra_tf.finetune import tasks
from electra_tf.finetune.run import submission
from electra_tf.finetune.tasks import (
    custom,
    glue,
    question_answering,
    ranking,
    sentence_pairs,
    tagging,
)
from electra_tf.training.console import say

TEST_DATA = "test_data"
SETTINGS, RESULT, TEST = "settings.json", "result.json", "test"
HAS_MODEL = "has_model"
RESULTS, TABLE, SUBMISSION = "results.json", "results.md", "submission.zip"
# Where something lies; what it holds has a fingerprint.
_PLACES = (
    "init_checkpoint data_dir train_file dev_file test_file tfds_data_dir"
).split()
# What may differ between the commands that fill one folder.
_FREE = ("num_trials", "save_model")
REMEDY = "remove its folder, and run again"

# Imported for the names that they register.
_BUILT_IN = (custom, glue, question_answering, ranking, sentence_pairs, tagging)


def open_task(name: str, options: TaskOptions) -> tasks.Task:
    """Reads a task's examples.

    Raises:
      InputError: there is no such task, or its files are not as they must be.
    """
    rule = f"task must be one of {', '.join(sorted(tasks.TASKS))}"
    require(name in tasks.TASKS, rule, name)
    return tasks.TASKS[name](options)


def task_folder(name: str) -> str:
    """The folder of a task, below the output's: glue_cola of glue/cola."""
    return name.replace("/", "_")


def task_folders(output_dir: str) -> list[str]:
    """The tasks' folders, by name, that an output folder holds already."""
    found = tf.io.gfile.glob(os.path.join(output_dir, "*", SETTINGS))
    return [os.path.basename(os.path.dirname(path)) for path in found]


def trial_name(number: int | str) -> str:
    """The folder of a trial, counted from 1; "*": of all."""
    return f"trial_{number}"


def read_trials(folder: str) -> list[dict[str, Any]]:
    """The finished trials of a task's folder, in order."""
    paths = tf.io.gfile.glob(os.path.join(folder, trial_name("*"), RESULT))
    trials = [_read(path, trial=int, metrics=dict) for path in paths]
    return sorted(trials, key=lambda trial: trial["trial"])


def best_trial(metric: str, trials: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The first of the best of some finished trials."""
    return max(trials, key=lambda trial: trial["metrics"][metric])


def _read(path: str, **kinds: type) -> dict[str, Any]:
    """A file of a trial or a task, with what is asked of it below."""
    found = read_json(path, REMEDY)
    if all(isinstance(found.get(n), kind) for n, kind in kinds.items()):
        return found
    raise InputError(
        f"{path!r} must have {' and '.join(kinds)}; received {found!r:.200}: "
        f"{REMEDY}"
    )


def summarize(values: Sequence[float]) -> dict[str, float | None]:
    """Median, mean, deviation and best of the trials.

    The deviation is the sample's, with n - 1; None for one trial.
    """
    return {
        "median": statistics.median(values),
        "mean": statistics.fmean(values),
        "deviation": statistics.stdev(values) if len(values) > 1 else None,
        "best": max(values),
    }


def write_results(output_dir: str) -> str:
    """Writes `results.json`, `results.md` and, where test sets of GLUE were
    predicted, `submission.zip`, of all tasks in the folder.

    Returns the content of `results.md`.
    """
    found = {}
    for name in sorted(tf.io.gfile.listdir(output_dir)):
        name = name.rstrip("/")
        folder = os.path.join(output_dir, name)
        path = os.path.join(folder, SETTINGS)
        if tf.io.gfile.exists(path) and (trials := read_trials(folder)):
            found[name] = _task_result(_read(path, metric=str), trials)
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    write_text(os.path.join(output_dir, RESULTS), text)
    table = _table(found)
    write_text(os.path.join(output_dir, TABLE), table)
    submission.write(
        os.path.join(output_dir, SUBMISSION),
        {
            task: os.path.join(
                output_dir, task, trial_name(r["best_trial"]), TEST
            )
            for task, r in found.items()
        },
    )
    return table


def _task_result(
    settings: dict[str, Any], trials: list[dict[str, Any]]
) -> dict[str, Any]:
    metric = settings["metric"]
    names = trials[0]["metrics"]
    for trial in trials:
        values = [trial["metrics"].get(name) for name in (metric, *names)]
        rule = (
            f"the trials of one task must have numbers of {metric} and others"
        )
        are_numbers = all(type(value) in (int, float) for value in values)
        require(are_numbers, f"{rule} ({REMEDY})", trial["metrics"])
    return {
        "metric": metric,
        "best_trial": best_trial(metric, trials)["trial"],
        "summary": {
            name: summarize([trial["metrics"][name] for trial in trials])
            for name in [metric, *(n for n in names if n != metric)]
        },
        "trials": trials,
        "settings": settings,
    }


def _table(found: dict[str, Any]) -> str:
    lines = [
        "| task | metric | median | mean | deviation | best | trials |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for task, result in found.items():
        for metric, summary in result["summary"].items():
            values = [
                "" if value is None else f"{value:.2f}"
                for value in summary.values()
            ]
            cells = [task, metric, *values, str(len(result["trials"]))]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def fingerprint(parts: Sequence[Any]) -> str:
    """A digest of examples or weights, to know them again."""
    digest = hashlib.sha256()
    for part in parts:
        is_array = isinstance(part, np.ndarray)
        digest.update(part.tobytes() if is_array else repr(part).encode())
    return digest.hexdigest()[:16]


def settings_of(
    task: tasks.Task,
    plan: TrainingOptions,
    task_options: TaskOptions,
    weights: str,
) -> dict[str, Any]:
    """What trials of one folder must have in common."""
    splits = task.splits
    return {
        "task": task.name,
        "metric": task.metric,
        "weights": weights,
        "num_train": len(splits.train),
        "data": fingerprint([*splits.train, *splits.dev.items()]),
        TEST_DATA: fingerprint([*splits.test.items()]),
        **{n: v for n, v in dataclasses.asdict(plan).items() if n not in _FREE},
        **dataclasses.asdict(task_options),
    }


def check_settings(path: str, new: Mapping[str, Any]) -> None:
    """Refuses other settings than those of the trials that are there.

    Args:
      path: of their settings.json; need not be there.
      new: of `settings_of`.

    Raises:
      InputError: they differ, where that defines trials.
    """
    if not tf.io.gfile.exists(path):
        return
    old, folder = read_json(path, REMEDY), os.path.dirname(path)
    free, usual = _PLACES, _usual_values()
    if TEST_DATA not in old:
        free = [*free, TEST_DATA]
        if new["do_predict"]:
            say(f"{folder} does not tell which test set was predicted")
    changed = [
        f"{name} was {old.get(name, usual.get(name))!r}, now {value!r}"
        for name, value in new.items()
        if old.get(name, usual.get(name)) != value and name not in free
    ]
    rule = (
        f"all trials in {folder!r} must be of the same settings (use another "
        "output_dir, or the old values)"
    )
    require(not changed, rule, ", ".join(changed))


def _usual_values() -> dict[str, Any]:
    """Defaults: what an earlier version, without an option, did."""
    kinds = (TaskOptions, TrainingOptions)
    return {f.name: f.default for k in kinds for f in dataclasses.fields(k)}


def train_examples(
    plan: TrainingOptions, examples: Sequence[Any]
) -> Sequence[Any]:
    """Those to learn from: all, or as many as were asked for, drawn by the
    seed of the first trial, in the file's order."""
    limit = plan.max_train_examples
    if limit is None or limit >= len(examples):
        return examples
    order = np.random.default_rng(plan.seed).permutation(len(examples))
    return [examples[index] for index in np.sort(order[:limit])]
