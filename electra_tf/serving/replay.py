"""Loads an export and answers its warm-up requests; run by file, alone.

It imports nothing of electra_tf, and Keras cannot be imported: what is
loaded here knows nothing of how the export was made. `verify.py` starts it:

    python -P replay.py {function,session} <SavedModel> <answers to write>
"""

import glob
import importlib.util
import os
import sys
from typing import Any

BLOCKED = ("electra_tf", "keras", "tf_keras")


class Without:
    """A finder of imports, as if what an export must not need were missing."""

    def __init__(self, finder):
        self._finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            return None
        return self._finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self._finder, name)


# First of all: TensorFlow itself imports Keras where it finds it.
if __name__ == "__main__":
    sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402


def load_text_ops() -> None:
    """Registers TF Text's ops, as TensorFlow Serving has them built in."""
    (folder,) = importlib.util.find_spec(
        "tensorflow_text"
    ).submodule_search_locations
    for library in glob.glob(os.path.join(folder, "python", "ops", "*.so")):
        tf.load_op_library(library)


def storable(array: np.ndarray) -> np.ndarray:
    """Bytes as their Python literals, which an .npz can hold."""
    if array.dtype != object:
        return array
    literals = np.array([repr(value) for value in array.flat], np.str_)
    return literals.reshape(array.shape)


def requests(path: str):
    """(signature, name -> array) of each warm-up request."""
    from tensorflow_serving.apis import prediction_log_pb2

    for record in tf.compat.v1.io.tf_record_iterator(path):
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
        yield request.model_spec.signature_name, inputs


def by_function(path: str):
    """Answers through `tf.saved_model.load`."""
    model = tf.saved_model.load(path)

    def answer(signature, inputs):
        tensors = {k: tf.constant(v) for k, v in inputs.items()}
        outputs = model.signatures[signature](**tensors)
        return {k: v.numpy() for k, v in outputs.items()}

    return answer


def by_session(path: str):
    """Answers through a session, as TensorFlow Serving gives them."""
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    with graph.as_default():
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], path)

    def answer(signature, inputs):
        spec = loaded.signature_def[signature]
        feeds = {spec.inputs[k].name: v for k, v in inputs.items()}
        fetches = {k: v.name for k, v in spec.outputs.items()}
        return session.run(fetches, feeds)

    return answer


LOADERS = {"function": by_function, "session": by_session}


def main(how: str, path: str, output: str) -> None:
    """Writes an .npz: "<number of the request>/<output>" -> answer."""
    load_text_ops()
    answer = LOADERS[how](path)
    file = os.path.join(path, "assets.extra", "tf_serving_warmup_requests")
    answers: dict[str, Any] = {}
    for number, (signature, inputs) in enumerate(requests(file)):
        for name, array in answer(signature, inputs).items():
            answers[f"{number}/{name}"] = storable(array)
    np.savez(output, **answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
