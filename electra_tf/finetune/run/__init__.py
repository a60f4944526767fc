"""What trials leave in a folder, summed up.

results.json, results.md and, for GLUE, submission.zip are made of the trials'
own files (see trials.py).
"""

import io
import json
import os
import re
import statistics
import zipfile
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.finetune.tasks.glue_specs import GLUE
from electra_tf.training.run_folder import write_bytes, write_text

SETTINGS, RESULT, TEST = "settings.json", "result.json", "test"
RESULTS, TABLE, SUBMISSION = "results.json", "results.md", "submission.zip"
_TRIAL = re.compile(r"trial_(\d+)/?$")


def trial_name(number: int) -> str:
    """The folder of a trial, counted from 1."""
    return f"trial_{number}"


def read_trials(folder: str) -> list[dict[str, Any]]:
    """The finished trials of a task's folder, in order."""
    if not tf.io.gfile.exists(folder):
        return []
    found = map(_TRIAL.match, tf.io.gfile.listdir(folder))
    numbers = sorted(int(match[1]) for match in found if match)
    paths = [os.path.join(folder, trial_name(n), RESULT) for n in numbers]
    return [read_json(path) for path in paths if tf.io.gfile.exists(path)]


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


def write_results(output_dir: str) -> None:
    """Writes `results.json`, `results.md` and, where test sets of GLUE were
    predicted, `submission.zip`, of all tasks in the folder."""
    found = {}
    for name in sorted(tf.io.gfile.listdir(output_dir)):
        folder = os.path.join(output_dir, name.rstrip("/"))
        path = os.path.join(folder, SETTINGS)
        if tf.io.gfile.exists(path):
            trials = read_trials(folder)
            if trials:
                found[name.rstrip("/")] = _task_result(path, trials)
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    write_text(os.path.join(output_dir, RESULTS), text)
    write_text(os.path.join(output_dir, TABLE), _table(found))
    if files := _submission_files(output_dir, found):
        write_bytes(os.path.join(output_dir, SUBMISSION), _zip(files))


def read_results(output_dir: str) -> str:
    """The content of `results.md`."""
    with tf.io.gfile.GFile(os.path.join(output_dir, TABLE)) as file:
        return file.read()


def read_json(path: str) -> dict[str, Any]:
    """A file of ours.

    Raises:
      InputError: it is damaged.
    """
    try:
        with tf.io.gfile.GFile(path) as file:
            return json.loads(file.read())
    except ValueError:
        raise InputError(
            f"{path} must be JSON (remove its folder, and run again); received "
            "a damaged file"
        ) from None


def _task_result(path: str, trials: list[dict[str, Any]]) -> dict[str, Any]:
    settings = read_json(path)
    metric = settings["metric"]
    names = trials[0]["metrics"]
    best = max(trials, key=lambda trial: trial["metrics"][metric])
    return {
        "metric": metric,
        "best_trial": best["trial"],
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
    columns = ("median", "mean", "deviation", "best")
    for task, result in found.items():
        for metric, summary in result["summary"].items():
            values = [_shown(summary[column]) for column in columns]
            cells = [task, metric, *values, str(len(result["trials"]))]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _submission_files(
    output_dir: str, found: dict[str, Any]
) -> dict[str, bytes]:
    """The best trials' test predictions of GLUE tasks, by file name."""
    files = {}
    for task, result in found.items():
        if task.removeprefix("glue_") not in GLUE:
            continue
        trial = trial_name(result["best_trial"])
        folder = os.path.join(output_dir, task, trial, TEST)
        if tf.io.gfile.exists(folder):
            for name in sorted(tf.io.gfile.listdir(folder)):
                path = os.path.join(folder, name)
                with tf.io.gfile.GFile(path, "rb") as file:
                    files[name] = file.read()
    return files


def _zip(files: dict[str, bytes]) -> bytes:
    """A zip file with no times in it: equal content, equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()
