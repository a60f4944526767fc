"""A run's folder: configuration, tokenizer, logs; and who may use it."""

import json
import os
import resource
import sys
import time
from collections.abc import Mapping

import tensorflow as tf
from absl import logging

from electra_tf.config.pretraining import (
    PretrainingConfig,
    differences,
    from_json,
    to_json,
)
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError, require
from electra_tf.files import (
    make_folder,
    naming_write_errors,
    read_bytes,
    read_json,
    remove_quietly,
    write_text,
)
from electra_tf.locks import LOCK, is_empty
from electra_tf.training.checkpoints import FOLDER
from electra_tf.training.sources import Source

CONFIG, RECORDS = "config.json", "records.json"
METRICS, TIMING = "metrics.jsonl", "timing.jsonl"


class RunFolder:
    """A run's `model_dir`; refuses the folder of another run.

    Args:
      source: what the run reads, and its effective configuration, whose
        `model_dir` `prepare` makes where it is missing.

    Raises:
      InputError: the folder belongs to another run.
    """

    def __init__(self, source: Source):
        self.path, self.source = source.config.run.model_dir, source
        self.notes: list[str] = []
        if tf.io.gfile.exists(self.file(CONFIG)):
            self._check()
        elif tf.io.gfile.exists(self.file(FOLDER)):
            raise InputError(
                f"model_dir {self.path!r} with checkpoints must hold their "
                f"{CONFIG}; received none: restore it, or use another model_dir"
            )

    def prepare(self) -> None:
        """Writes what describes the run, `config.json` last.

        Raises:
          InputError: the folder cannot be written; an empty one is so again.
        """
        is_new = is_empty(self.path)
        try:
            make_folder(self.path)
            self.source.tokenizer.save(self.path)
            train = self.source.train
            records = {"fingerprint": train.fingerprint, "stats": train.stats}
            self.write(RECORDS, json.dumps(records) + "\n")
            self.write(CONFIG, to_json(self.source.config))
        except InputError:
            if is_new and tf.io.gfile.isdir(self.path):
                for name in {*tf.io.gfile.listdir(self.path)} - {LOCK}:
                    remove_quietly(self.file(name))
            raise

    def file(self, *names: str) -> str:
        """The path of something in the folder."""
        return os.path.join(self.path, *names)

    def write(self, name: str, text: str) -> None:
        """Writes a text file whole or not at all."""
        write_text(self.file(name), text)

    def _check(self) -> None:
        changed = differences(read_config(self.path), self.source.config)
        steps = changed.pop("num_train_steps", None)
        if steps and steps[1] < steps[0]:
            changed["num_train_steps"] = steps
        elif steps:
            note = (
                f"num_train_steps is raised from {steps[0]:,} to "
                f"{steps[1]:,}: the learning-rate schedule is the new one"
            )
            if self.source.config.objective.mask_prob_end:
                note += ", and so is that of mask_prob_end"
            self.notes.append(note)
        saved = Tokenizer.from_folder(self.path).settings()
        now = self.source.tokenizer.settings()
        for name in saved | now:
            if saved.get(name) != now.get(name):
                changed[f"tokenizer {name}"] = (saved.get(name), now.get(name))
        if tf.io.gfile.exists(self.file(RECORDS)):
            remedy = "restore it, or use another model_dir"
            old = read_json(self.file(RECORDS), remedy).get("fingerprint")
            new = self.source.train.fingerprint
            if old != new:
                changed["records' fingerprint"] = (old, new)
        listed = "; ".join(
            f"{name} was {a!r}, now {b!r}" for name, (a, b) in changed.items()
        )
        if changed:
            raise InputError(
                f"model_dir {self.path!r} holds a run that differs in what "
                f"defines it: {listed}. Use another model_dir, or the old "
                "values"
            )


def read_config(model_dir: str) -> PretrainingConfig:
    """The configuration of a run's folder.

    Raises:
      InputError: there is none, or it cannot be read.
    """
    path = os.path.join(model_dir, CONFIG)
    is_there = tf.io.gfile.exists(path)
    require(is_there, f"a run's folder must hold {CONFIG}", model_dir)
    try:
        with tf.io.gfile.GFile(path) as file:
            return from_json(file.read())
    # Text that is not UTF-8, too; a folder of that name.
    except (ValueError, tf.errors.OpError) as error:
        raise InputError(f"cannot read {path!r}: {error}") from None


class JsonLines:
    """One flat JSON object a line, cut back to a step on restart.

    Args:
      path: the file; made at the first line.
      last_step: lines of later steps are cut off, half lines too.
    """

    def __init__(self, path: str, last_step: int):
        self.path = path
        kept = [row for row in read_lines(path) if row["step"] <= last_step]
        text = "".join(json.dumps(row) + "\n" for row in kept)
        write_text(path, text)

    def append(self, row: Mapping[str, float]) -> None:
        """Writes one line through to the disk."""
        with (
            naming_write_errors(os.path.dirname(self.path)),
            tf.io.gfile.GFile(self.path, "a") as file,
        ):
            file.write(json.dumps(row) + "\n")


def read_lines(path: str) -> list[dict[str, float]]:
    """The whole lines of a log, without a last half line, of a kill.

    Other lines that are none, as a power cut leaves them, are left out with a
    warning.
    """
    if not tf.io.gfile.exists(path):
        return []
    *lines, half = read_bytes(path).split(b"\n")
    rows = [_row(line) for line in lines]
    damaged = rows.count(None)
    if damaged:
        logging.warning(
            f"{path!r}: {damaged} of {len(rows)} lines are damaged and left "
            "out; the others stay"
        )
    return [row for row in (*rows, _row(half)) if row is not None]


def last_evaluation(model_dir: str) -> dict[str, float]:
    """The last line of a run's log that tells of held-out records, or {}."""
    rows = read_lines(os.path.join(model_dir, METRICS))
    return next((row for row in reversed(rows) if "eval_loss" in row), {})


def _row(line: bytes) -> dict[str, float] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_whole = isinstance(row, dict) and isinstance(row.get("step"), int)
    return row if is_whole else None


class RunLogs:
    """What a run writes down at log and evaluation steps.

    metrics.jsonl holds only what configuration, data and seed determine;
    times go to timing.jsonl. TensorBoard gets both.
    """

    def __init__(self, model_dir: str, last_step: int):
        self.metrics = JsonLines(os.path.join(model_dir, METRICS), last_step)
        self.timing = JsonLines(os.path.join(model_dir, TIMING), last_step)
        self._writer = tf.summary.create_file_writer(
            os.path.join(model_dir, "tensorboard")
        )

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """A line of metrics."""
        self.metrics.append({"step": step, **values})
        self._scalars(step, values)

    def write_timing(self, step: int, values: Mapping[str, float]) -> None:
        """A line of times and sizes."""
        values = {**values, "peak_memory_mb": peak_memory_mb()}
        self.timing.append({"step": step, "time": time.time(), **values})
        self._scalars(step, values)

    def _scalars(self, step: int, values: Mapping[str, float]) -> None:
        with self._writer.as_default(step=step):
            for name, value in values.items():
                kind = "eval" if name.startswith("eval_") else "train"
                tf.summary.scalar(f"{kind}/{name}", value)
        self._writer.flush()


def peak_memory_mb() -> float:
    """The largest resident size of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
