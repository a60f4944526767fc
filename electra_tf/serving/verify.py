"""Does an export answer as the Keras model did?"""

import dataclasses
import os
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.serving import replay
from electra_tf.serving.warmup import FILE, read_answers


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far one output of one request is off.

    Attributes:
      loader: "function" (`tf.saved_model.load`) or "session".
      signature, output: names.
      largest: see `distance`.
    """

    loader: str
    signature: str
    output: str
    largest: float


def verify_saved_model(path: str) -> list[Difference]:
    """Replays the warm-up requests in fresh processes, loaded in two ways.

    Args:
      path: folder of a SavedModel that was exported with warm-up requests.

    Returns the differences from the answers that the Keras model gave when
    the export was written.

    Raises:
      InputError: no SavedModel with warm-up requests, or one that fails to
        load or to answer.
    """
    if not tf.io.gfile.exists(os.path.join(path, FILE)):
        raise InputError(
            "verify takes a version's folder with warm-up requests, as "
            "export_saved_model.py --warmup writes it; received "
            f"{path!r}"
        )
    expected = read_answers(path)
    found = []
    for loader in replay.LOADERS:
        answers = _replay(loader, path)
        for number, (signature, outputs) in enumerate(expected):
            for name, array in outputs.items():
                answer = answers.get(f"{number}/{name}")
                largest = distance(array, answer)
                found.append(Difference(loader, signature, name, largest))
    return found


def distance(expected: np.ndarray, found: np.ndarray | None) -> float:
    """Largest difference |found - expected| / max(1, |expected|).

    Absolute up to 1, as probabilities and states are; relative above, as a
    log-probability of -1000 has no digits for 1e-5. Infinite where shapes,
    strings or whole numbers are not the same.
    """
    if found is None or expected.shape != found.shape:
        return float("inf")
    if expected.dtype.kind != "f":
        return 0.0 if np.array_equal(expected, found) else float("inf")
    difference = np.abs(expected - found) / np.maximum(1, np.abs(expected))
    if np.isnan(difference).any():
        return float("inf")
    return float(difference.max(initial=0.0))


def _replay(loader: str, path: str) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "answers.npz")
        done = subprocess.run(
            [sys.executable, "-P", replay.__file__, loader, path, output],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise InputError(
                f"the {loader} loader failed on {path!r}: {lines[-1]}"
            )
        with np.load(output) as file:
            return dict(file)
