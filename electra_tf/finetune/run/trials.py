"""All trials of all tasks, in a folder; a killed command goes on.

<output_dir>/results.json, results.md, submission.zip
<output_dir>/<task>/settings.json      what the trials have in common
<output_dir>/<task>/model.keras        of the best trial
<output_dir>/<task>/trial_1/result.json      written last
<output_dir>/<task>/trial_1/...        predictions, tensorboard/
"""

import json
import os
import time
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tqdm import tqdm

from electra_tf.config.finetuning import TaskOptions, TrainingOptions
from electra_tf.errors import InputError
from electra_tf.files import (
    check_path,
    locked,
    make_folder,
    naming_write_errors,
    read_json,
    write_text,
)
from electra_tf.finetune.run import (
    REMEDY,
    RESULT,
    SETTINGS,
    TEST,
    changed_settings,
    fingerprint,
    learner,
    read_results,
    read_trials,
    settings_of,
    train_examples,
    trial_name,
    write_results,
)
from electra_tf.finetune.tasks import (
    SPLITS,
    TASKS,
    Encoded,
    Task,
    glue,
    question_answering,
    tagging,
    text_task,
)
from electra_tf.pretrained import PretrainedElectra, from_pretrained
from electra_tf.training.console import say

# Imported for the names that they register.
_BUILT_IN = (glue, question_answering, tagging, text_task)


def open_task(name: str, options: TaskOptions) -> Task:
    """Reads a task's examples.

    Raises:
      InputError: there is no such task, or its files are not as they must be.
    """
    if name not in TASKS:
        raise InputError(
            f"task must be one of {', '.join(sorted(TASKS))}; received {name!r}"
        )
    return TASKS[name](options)


def finetune(
    names: Sequence[str],
    task_options: TaskOptions,
    options: TrainingOptions,
    output_dir: str,
) -> str:
    """Runs the trials that are missing, of one task after the other.

    Everything is read and checked before the first is trained.

    Returns:
      the table of results, as Markdown.

    Raises:
      InputError: an input is not as it must be, or `output_dir` holds trials
        of other settings.
    """
    files = [getattr(task_options, f"{split}_file") for split in SPLITS]
    if len(names) > 1 and any(files):
        raise InputError(
            "train_file, dev_file and test_file must be of one task; received "
            f"{len(names)} tasks: {', '.join(names)}"
        )
    pretrained = from_pretrained(options.init_checkpoint)
    weights = fingerprint(
        [
            pretrained.tokenizer.settings(),
            *(v.numpy() for v in pretrained.encoder.variables),
        ]
    )
    runs = []
    for name in dict.fromkeys(names):
        task = open_task(name, task_options)
        plan = learner.make_plan(task, options, pretrained)
        folder = os.path.join(output_dir, name.replace("/", "_"))
        run = TaskRun(task, plan, folder)
        run.check(settings_of(task, plan, task_options, weights))
        runs.append(run)
    with locked(check_path("output_dir", output_dir)):
        for run in runs:
            run.run_missing(options.num_trials, options.save_model, pretrained)
            write_results(output_dir)
        return read_results(output_dir)


class TaskRun:
    """The trials of one task.

    Args:
      task: its examples are read.
      plan: how it is learned.
      folder: for all that is written.
    """

    def __init__(self, task: Task, plan: TrainingOptions, folder: str):
        self.task, self.plan, self.folder = task, plan, folder
        self.settings: dict[str, Any] = {}

    def check(self, settings: dict[str, Any]) -> None:
        """Refuses a folder whose trials had other settings."""
        self.settings = settings
        path = os.path.join(self.folder, SETTINGS)
        if not tf.io.gfile.exists(path):
            return
        changed = changed_settings(read_json(path, REMEDY), settings)
        if changed:
            raise InputError(
                f"all trials in {self.folder!r} must be of the same settings "
                "(use another output_dir, or the old values); received "
                f"{', '.join(changed)}"
            )

    def run_missing(
        self, num_trials: int, save_model: bool, pretrained: PretrainedElectra
    ) -> None:
        """Trains, measures and writes the trials that are not there."""
        missing = [
            number
            for number in range(1, num_trials + 1)
            if not tf.io.gfile.exists(self._path(number, RESULT))
        ]
        if not missing:
            say(f"{self.task.name}: all {num_trials} trials are there")
            return
        examples, dev, test, notes = self._encode(pretrained)
        make_folder(self.folder)
        described = {**self.settings, "notes": notes}
        text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
        write_text(os.path.join(self.folder, SETTINGS), text)
        for number in missing:
            say(f"{self.task.name}: trial {number} of {num_trials}")
            self._run(number, examples, dev, test, save_model)

    def _run(
        self,
        number: int,
        examples: Encoded,
        dev: dict[str, Encoded],
        test: dict[str, Encoded],
        save_model: bool,
    ) -> None:
        begin = time.monotonic()
        task, plan, folder = self.task, self.plan, self._path(number)
        log_dir = os.path.join(folder, "tensorboard")
        if tf.io.gfile.exists(folder):  # of a trial that was killed
            with naming_write_errors(folder):
                tf.io.gfile.rmtree(folder)
        make_folder(folder)
        seed = plan.seed + number - 1
        first = next(iter(dev.values()))
        model = learner.train(task, plan, seed, examples, first, log_dir)
        steps = int(model.optimizer.iterations.numpy())
        metrics = self._measure(number, model, dev)
        learner.write_scalars(log_dir, metrics, steps)
        for name, encoded in test.items():
            outputs = learner.predict(plan, model, encoded)
            files = task.predictions(name, encoded, outputs, metrics)
            self._write(number, TEST, files)
        if save_model and self._is_best(metrics):
            learner.save(model, os.path.join(self.folder, "model.keras"))
        result: dict[str, Any] = {
            "trial": number,
            "seed": seed,
            "steps": steps,
            "seconds": round(time.monotonic() - begin, 1),
            "metrics": metrics,
        }
        self._write(number, "", {RESULT: json.dumps(result, indent=2)})
        took = tqdm.format_interval(result["seconds"])
        say(f"{task.name}: trial {number}: {learner.shown(metrics)} ({took})")

    def _measure(
        self, number: int, model: keras.Model, dev: dict[str, Encoded]
    ) -> dict[str, float]:
        """Metrics of all dev sets; those of the first bear plain names."""
        metrics: dict[str, float] = {}
        for index, (name, encoded) in enumerate(dev.items()):
            found = learner.evaluate(self.task, self.plan, model, encoded)
            prefix = f"{name}_" if index else ""
            metrics |= {prefix + key: v for key, v in found.metrics.items()}
            if not index:
                self._write(number, "", found.files)
        return metrics

    def _encode(
        self, pretrained: PretrainedElectra
    ) -> tuple[Encoded, dict[str, Encoded], dict[str, Encoded], list[str]]:
        """Examples of train, dev and test to arrays; and what was cut or left
        out, which it says, too."""
        task, plan, splits = self.task, self.plan, self.task.splits
        notes = list(splits.notes)

        def encode(name: str, examples: Sequence, is_training: bool = False):
            encoded = task.encode(
                pretrained.tokenizer,
                examples,
                plan.max_seq_length,
                is_training,
            )
            if encoded.num_cut:
                notes.append(
                    f"{name}: {encoded.num_cut} of {len(encoded.examples)} "
                    "examples were cut"
                )
            notes.extend(f"{name}: {note}" for note in encoded.notes)
            return encoded

        examples = encode("train", train_examples(plan, splits.train), True)
        dev = {name: encode(name, e) for name, e in splits.dev.items()}
        test = {name: encode(name, e) for name, e in splits.test.items()}
        for note in notes:
            say(f"{task.name}: {note}")
        return examples, dev, test, notes

    def _is_best(self, metrics: dict[str, float]) -> bool:
        name, others = self.task.metric, read_trials(self.folder)
        return all(metrics[name] > other["metrics"][name] for other in others)

    def _path(self, number: int, *names: str) -> str:
        return os.path.join(self.folder, trial_name(number), *names)

    def _write(self, number: int, part: str, files: dict[str, str]) -> None:
        for name, content in files.items():
            path = self._path(number, part, name)
            make_folder(os.path.dirname(path))
            write_text(path, content)
