"""All trials of all tasks, in a folder; a killed command goes on.

<output_dir>/results.json, results.md, submission.zip
<output_dir>/<task>/settings.json      what the trials have in common
<output_dir>/<task>/model.keras        of the best trial
<output_dir>/<task>/lora.safetensors   its adapters and head, with --lora_rank
<output_dir>/<task>/trial_1/result.json      written last
<output_dir>/<task>/trial_1/...        predictions, tensorboard/
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from tqdm import tqdm

from electra_tf import files, locks
from electra_tf.config.finetuning import TaskOptions, TrainingOptions
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import require
from electra_tf.finetune import run, tasks
from electra_tf.finetune.run import learner, saving, submission
from electra_tf.finetune.tasks import Encoded
from electra_tf.pretrained import pretrained_of
from electra_tf.training.console import say
from electra_tf.weights import open_weights


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
    given = [getattr(task_options, f"{split}_file") for split in tasks.SPLITS]
    is_one = len(names) == 1 or not any(given)
    rule = "train_file, dev_file and test_file must be of one task"
    require(is_one, rule, names)
    files.check_path("output_dir", output_dir)
    if task_options.do_predict:
        folders = [*map(run.task_folder, names), *run.task_folders(output_dir)]
        submission.require_own(folders)
    opened = open_weights(options.init_checkpoint)
    pretrained, tokenizer = pretrained_of(opened), opened.tokenizer
    values = [variable.numpy() for variable in pretrained.encoder.variables]
    if opened.head is not None:
        values += opened.head.arrays.values()
    weights = run.fingerprint([tokenizer.settings(), *values])
    task_runs = []
    for name in dict.fromkeys(names):
        task = run.open_task(name, task_options)
        plan = learner.make_plan(task, options, pretrained)
        folder = os.path.join(output_dir, run.task_folder(name))
        settings = run.settings_of(task, plan, task_options, weights)
        task_runs.append(TaskRun(task, plan, folder, settings, tokenizer))
    with locks.locked(files.check_path("output_dir", output_dir)):
        if options.save_model and any(each.is_open() for each in task_runs):
            saving.require_room(output_dir, values)
        for each in task_runs:
            try:
                each.run_missing()
            finally:
                # Of all trials that are done, whatever failed after them.
                if run.read_trials(each.folder):
                    table = run.write_results(output_dir)
    return table


class TaskRun:
    """The trials of one task.

    Args:
      task: its examples are read.
      plan: how it is learned.
      folder: for all that is written.
      settings: what all trials in it must have in common.
      tokenizer: the model's.

    Raises:
      InputError: the folder holds trials of other settings.
    """

    def __init__(
        self,
        task: tasks.Task,
        plan: TrainingOptions,
        folder: str,
        settings: dict[str, Any],
        tokenizer: Tokenizer,
    ):
        self.task, self.plan, self.folder = task, plan, folder
        self.settings, self.tokenizer = settings, tokenizer
        # Split -> set -> its examples as arrays.
        self.encoded: dict[str, dict[str, Encoded]] = {}
        self.settings_file = os.path.join(folder, run.SETTINGS)
        self.model_file = os.path.join(folder, saving.MODEL)
        run.check_settings(self.settings_file, settings)

    def run_missing(self) -> None:
        """Trains, measures and writes the trials that are not there."""
        name, num_trials = self.task.name, self.plan.num_trials
        if not self.is_open():
            say(f"{name}: all {num_trials} trials are there")
            return
        described = {**self.settings, "notes": self._encode()}
        files.make_folder(self.folder)
        text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
        files.write_text(self.settings_file, text)
        for number in self._missing():
            say(f"{name}: trial {number} of {num_trials}")
            self._run(number)
        while not self._has_model():
            best = self._best()["trial"]
            say(f"{name}: trial {best}, the best, once more for its model")
            self._run(best)

    def is_open(self) -> bool:
        """Whether a trial, or the best one's model, is missing."""
        return bool(self._missing()) or not self._has_model()

    def _missing(self) -> list[int]:
        return [
            number
            for number in range(1, self.plan.num_trials + 1)
            if not tf.io.gfile.exists(self._path(number, run.RESULT))
        ]

    def _has_model(self) -> bool:
        """Whether the best trial's model is there, or none is asked for."""
        # An earlier version did not say whose it is.
        is_its = self._best().get(run.HAS_MODEL, True)
        is_there = is_its and tf.io.gfile.exists(self.model_file)
        return is_there or not self.plan.save_model

    def _best(self) -> dict[str, Any]:
        return run.best_trial(self.task.metric, run.read_trials(self.folder))

    def _encode(self) -> list[str]:
        """Fills `encoded`; returns, and says, what was cut or left out."""
        task, splits = self.task, self.task.splits
        notes = list(splits.notes)
        train = run.train_examples(self.plan, splits.train)
        sets = {
            "train": {"train": train},
            "dev": splits.dev,
            "test": splits.test,
        }
        for split, named in sets.items():
            self.encoded[split] = {}
            for name, examples in named.items():
                found = task.encode(
                    self.tokenizer,
                    examples,
                    self.plan.max_seq_length,
                    is_training=split == "train",
                )
                self.encoded[split][name] = found
                if found.num_cut:
                    notes.append(
                        f"{name}: {found.num_cut} of {len(found.examples)} "
                        "examples were cut"
                    )
                notes += [f"{name}: {note}" for note in found.notes]
        for note in notes:
            say(f"{task.name}: {note}")
        return notes

    def _run(self, number: int) -> None:
        begin = time.monotonic()
        task, plan, folder = self.task, self.plan, self._path(number)
        log_dir = os.path.join(folder, "tensorboard")
        if tf.io.gfile.exists(folder):  # of a trial that was killed
            with files.naming_write_errors(folder):
                tf.io.gfile.rmtree(folder)
        files.make_folder(folder)
        seed = plan.seed + number - 1
        examples = self.encoded["train"]["train"]
        dev = next(iter(self.encoded["dev"].values()))
        model = learner.train(task, plan, seed, examples, dev, log_dir)
        steps = int(model.optimizer.iterations.numpy())
        metrics = self._measure(number, model)
        for name, encoded in self.encoded["test"].items():
            outputs = learner.predict(plan, model, encoded)
            said = task.predictions(name, encoded, outputs, metrics)
            self._write(number, run.TEST, said)
        seconds = round(time.monotonic() - begin, 1)
        result = {
            "trial": number,
            "seed": seed,
            "steps": steps,
            "seconds": seconds,
            "metrics": metrics,
        }
        if plan.lora_rank:
            result["trainable_share"] = model.trainable_share()
        self._write_result(number, {**result, run.HAS_MODEL: False})
        took = tqdm.format_interval(seconds)
        say(f"{task.name}: trial {number}: {learner.shown(metrics)} ({took})")
        # These last, as a result counts without its points and its model.
        with files.naming_write_errors(log_dir):
            learner.write_scalars(log_dir, metrics, steps)
        if plan.save_model and self._best()["trial"] == number:
            saving.save(model, self.model_file, folder)
            if plan.lora_rank:
                model.save_lora_weights(os.path.join(self.folder, saving.LORA))
            self._write_result(number, {**result, run.HAS_MODEL: True})

    def _write_result(self, number: int, result: Mapping[str, Any]) -> None:
        self._write(number, "", {run.RESULT: json.dumps(result, indent=2)})

    def _measure(self, number: int, model: keras.Model) -> dict[str, float]:
        """Metrics of all dev sets; those of the first bear plain names."""
        metrics: dict[str, float] = {}
        for name, encoded in self.encoded["dev"].items():
            outputs = learner.predict(self.plan, model, encoded)
            found = self.task.evaluate(encoded, outputs)
            prefix = f"{name}_" if metrics else ""
            if not metrics:
                self._write(number, "", found.files)
            metrics |= {prefix + key: v for key, v in found.metrics.items()}
        return metrics

    def _path(self, number: int, *names: str) -> str:
        return os.path.join(self.folder, run.trial_name(number), *names)

    def _write(self, number: int, part: str, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            path = self._path(number, part, name)
            files.make_folder(os.path.dirname(path))
            files.write_text(path, text)
