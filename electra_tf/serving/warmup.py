"""Warm-up requests, and whether an export answers them as Keras did.

TensorFlow Serving replays them before it serves: without them the first
caller of each signature waits while the server prepares the graph. Each is
kept with the answer of the Keras model, and verifying compares that with the
export's.
"""

import dataclasses
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.files import check_path
from electra_tf.serving import NAMES, Function, replay
from electra_tf.serving.replay import storable

FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
TEXTS = (
    "The chef cooked the meal.",
    "It is said that nobody who has read the letter, however often, could "
    "tell who had written it: neither the hand nor the words gave a hint, and "
    "the paper came from a shop where half of the town used to buy.",
)
_LENGTHS = (8, 40)  # of rows of ids: two buckets


def wants_warmup(asked: bool | None) -> bool:
    """Whether requests shall be written; None: where they can be.

    Raises:
      InputError: asked for, but tensorflow-serving-api is not installed.
    """
    installed = importlib.util.find_spec("tensorflow_serving") is not None
    if asked and not installed:
        raise InputError(
            "warm-up requests need tensorflow-serving-api (pip install -e "
            '".[serving]"); received none'
        )
    return installed if asked is None else asked


def write_warmup(
    signatures: Mapping[str, Function],
    path: str,
    model_name: str,
    max_length: int,
) -> None:
    """Writes two requests a signature, with answers, into a SavedModel.

    Args:
      signatures: name -> the function that was saved; called eagerly, so that
        the answers are the Keras model's, not the graph's.
      path: the SavedModel's folder.
      model_name: what the server will call the model.
      max_length: of a row of ids.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    file = os.path.join(path, FILE)
    tf.io.gfile.makedirs(os.path.dirname(file))
    with tf.io.TFRecordWriter(file) as writer:
        for name, function in signatures.items():
            for inputs in example_inputs(function, max_length):
                log = prediction_log_pb2.PredictionLog()
                request = log.predict_log.request
                request.model_spec.name = model_name
                request.model_spec.signature_name = name
                _fill(request.inputs, inputs)
                _fill(log.predict_log.response.outputs, ask(function, inputs))
                writer.write(log.SerializeToString())


def read_answers(path: str) -> list[tuple[str, dict[str, np.ndarray]]]:
    """(signature, output -> array) of each request of a SavedModel.

    Strings as `storable` makes them.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    answers = []
    for record in tf.data.TFRecordDataset(os.path.join(path, FILE)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        signature = log.predict_log.request.model_spec.signature_name
        outputs = log.predict_log.response.outputs
        arrays = {k: storable(tf.make_ndarray(v)) for k, v in outputs.items()}
        answers.append((signature, arrays))
    return answers


def example_inputs(
    function: Function, max_length: int
) -> Iterator[dict[str, tf.Tensor]]:
    """A batch of one short row, and one of a short and a long row."""
    ranks = {spec.name: len(spec.shape) for spec in function.input_signature}
    for rows in (1, 2):
        if "input_ids" in ranks:
            yield _ids(rows, max_length)
        else:
            # A passage has a mask as well as any other text.
            texts = [text.replace("meal", "[MASK]") for text in TEXTS[:rows]]
            one = tf.constant(texts)
            # Of several texts a row the last is there, and the first "".
            several = tf.stack([tf.zeros_like(one), one], 1)
            yield {n: one if r == 1 else several for n, r in ranks.items()}


def ask(function: Function, inputs: Mapping[str, tf.Tensor]) -> dict:
    """What the Python code of a signature answers, run eagerly."""
    tf.config.run_functions_eagerly(True)
    try:
        return function(**inputs)
    finally:
        tf.config.run_functions_eagerly(False)


def _ids(rows: int, max_length: int) -> dict[str, tf.Tensor]:
    lengths = np.minimum(_LENGTHS[:rows], max_length)[:, None]
    places = np.arange(lengths.max())
    mask = (places < lengths).astype(np.int64)
    second = (places >= lengths // 2).astype(np.int64) * mask
    # Small ids are in every vocabulary; 0 to 4 are the special ones.
    ids = (5 + places % 7) * mask
    return {
        name: tf.constant(x, tf.int64)
        for name, x in zip(NAMES, (ids, mask, second), strict=True)
    }


def _fill(protos, tensors: Mapping[str, tf.Tensor]) -> None:
    for name, tensor in tensors.items():
        protos[name].CopyFrom(tf.make_tensor_proto(tensor.numpy()))


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
    path = check_path("path", path)
    if not tf.io.gfile.exists(os.path.join(path, FILE)):
        raise InputError(
            "verify takes a version's folder with warm-up requests; received "
            f'{path!r} without: pip install -e ".[serving]", then export again'
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
                f"{path!r} must answer through the {loader} loader; received "
                f"{lines[-1]}"
            )
        with np.load(output) as file:
            return dict(file)
