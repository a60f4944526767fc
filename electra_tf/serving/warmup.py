"""Warm-up requests: what TensorFlow Serving replays before it serves.

Without them the first caller of each signature waits while the server
prepares the graph. Each request is kept with the answer of the Keras model,
which `verify_saved_model.py` compares with the export's.
"""

import importlib.util
import os
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.serving.replay import storable

FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
TEXTS = (
    "The chef cooked the meal.",
    "It is said that nobody who has read the letter, however often, could "
    "tell who had written it: neither the hand nor the words gave a hint, and "
    "the paper came from a shop where half of the town used to buy.",
)
_LENGTHS = (8, 40)  # of rows of ids: two buckets

Function = tf.types.experimental.GenericFunction


def wants_warmup(asked: bool | None) -> bool:
    """Whether requests shall be written; None: where they can be.

    Raises:
      InputError: asked for, but tensorflow-serving-api is not installed.
    """
    installed = importlib.util.find_spec("tensorflow_serving") is not None
    if asked and not installed:
        raise InputError(
            "warm-up requests need tensorflow-serving-api, not installed "
            'here: pip install -e ".[serving]"'
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
    names = [spec.name for spec in function.input_signature]
    for rows in (1, 2):
        if "input_ids" in names:
            yield _ids(rows, max_length)
        else:
            # A passage has a mask as well as any other text.
            texts = [text.replace("meal", "[MASK]") for text in TEXTS[:rows]]
            yield dict.fromkeys(names, tf.constant(texts))


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
        for name, x in zip(
            ("input_ids", "input_mask", "segment_ids"),
            (ids, mask, second),
            strict=True,
        )
    }


def _fill(protos, tensors: Mapping[str, tf.Tensor]) -> None:
    for name, tensor in tensors.items():
        protos[name].CopyFrom(tf.make_tensor_proto(tensor.numpy()))
