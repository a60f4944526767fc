"""metrics.jsonl, timing.jsonl and TensorBoard of a run."""

import json
import os
import resource
import sys
import time
from collections.abc import Mapping

import tensorflow as tf

from electra_tf.files import naming_write_errors, write_text

METRICS, TIMING = "metrics.jsonl", "timing.jsonl"


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
    """The whole lines of a log; a last half line, of a kill, is left out."""
    if not tf.io.gfile.exists(path):
        return []
    rows = []
    with tf.io.gfile.GFile(path) as file:
        for line in file.read().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return rows


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
