"""Weights of any source we read, and `--init_checkpoint`."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.pretraining.pretrainer import Pretrainer
from electra_tf.training.checkpoints import latest_checkpoint, read_weights
from electra_tf.weights import native, tf1
from electra_tf.weights.assign import assign_weights
from electra_tf.weights.disentangled import split_tables, sum_tables


def read_any_weights(path: str) -> dict[str, np.ndarray]:
    """Weights by variable path: a run's folder, a folder of ours, or TF1.

    Of gradient_disentangled the main network's tables are the sums.

    Raises:
      InputError: `path` is none of these.
    """
    if tf.io.gfile.isdir(path):
        if native.is_folder(path):
            return native.read_arrays(path)
        latest = latest_checkpoint(path)
        if latest is None:
            raise InputError(
                f"{path!r} holds neither a run's checkpoints nor "
                f"{native.WEIGHTS}"
            )
        return sum_tables(read_weights(latest))
    return tf1.weights_alone(tf1.read_tf1_checkpoint(path))


def initial_weights(path: str) -> Callable[[Pretrainer], None]:
    """A function that gives a fresh model the weights of `path` alone.

    Step, optimizer and data position start anew.
    """

    def assign(pretrainer: Pretrainer) -> None:
        # Read here: a run that goes on does not need them any more.
        variables = pretrainer.trainable_variables
        arrays = read_any_weights(path)
        arrays = split_tables(arrays, [v.path for v in variables])
        assign_weights(variables, arrays, path)

    return assign
