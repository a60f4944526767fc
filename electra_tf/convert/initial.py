"""Initial weights of a new run: `--init_checkpoint`."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from electra_tf.convert import tf1
from electra_tf.convert.weights import assign_weights
from electra_tf.errors import InputError
from electra_tf.pretraining.pretrainer import Pretrainer
from electra_tf.training.checkpoints import latest_checkpoint, read_weights


def read_any_weights(path: str) -> dict[str, np.ndarray]:
    """Weights by variable path, of a run's folder or a TF1 checkpoint.

    Raises:
      InputError: `path` is neither.
    """
    if tf.io.gfile.isdir(path):
        latest = latest_checkpoint(path)
        if latest is None:
            raise InputError(f"{path!r} holds no checkpoint of a run")
        return read_weights(latest)
    return tf1.weights_alone(tf1.read_tf1_checkpoint(path))


def initial_weights(path: str) -> Callable[[Pretrainer], None]:
    """A function that gives a fresh model the weights of `path` alone.

    Step, optimizer and data position start anew.
    """
    arrays = read_any_weights(path)

    def assign(pretrainer: Pretrainer) -> None:
        assign_weights(pretrainer.trainable_variables, arrays, path)

    return assign
