"""How the networks start."""

import keras
import numpy as np

INITIALIZER_RANGE = 0.02  # BERT's, at every size


def truncated_normal(
    initializer_range: float = INITIALIZER_RANGE,
) -> keras.initializers.Initializer:
    """BERT's start of kernels and tables, cut at two deviations."""
    return keras.initializers.TruncatedNormal(stddev=initializer_range)


@keras.saving.register_keras_serializable("electra_tf")
class Sinusoid(keras.initializers.Initializer):
    """A start for position tables: 0.03 sin / cos (p / 1000**(2i/E)).

    Row p, column 2i holds the sine, column 2i + 1 the cosine. Only a start
    value: the table is learned from there. A post-LN network on little text
    finds its neighbours several times sooner than from a normal start.
    """

    scale, base = 0.03, 1000.0

    def __call__(self, shape, dtype=None):
        rows, width = shape
        pair = 2 * (np.arange(width) // 2) / width
        angle = np.arange(rows)[:, None] / self.base**pair
        even = np.arange(width) % 2 == 0
        table = self.scale * np.where(even, np.sin(angle), np.cos(angle))
        return keras.ops.convert_to_tensor(table, dtype=dtype or "float32")


def position_initializer(
    name: str, initializer_range: float = INITIALIZER_RANGE
) -> keras.initializers.Initializer:
    """The start that `--position_init` names: normal or sinusoidal."""
    if name == "sinusoidal":
        return Sinusoid()
    return truncated_normal(initializer_range)
