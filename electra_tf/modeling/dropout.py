"""Dropout whose mask depends on the example's place, not on the device."""

import keras
import tensorflow as tf

from electra_tf.modeling.noise import current_noise, drop_limit, fresh_noise


@keras.saving.register_keras_serializable("electra_tf")
class Dropout(keras.layers.Layer):
    """Zeroes values at random in training and scales up the others.

    Inside a `Noise` scope the mask is a pure function of (seed, step, this
    layer's path, place in the global batch); outside, it is drawn from
    TensorFlow's global generator.

    Args:
      rate: probability of a zero, in [0, 1).

    Call arguments:
      x: float [B, ...], all dimensions but the first two static or known at
        call time.
      training: whether to drop anything.
    """

    def __init__(self, rate: float, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate must lie in [0, 1); received {rate!r}")
        self.rate = rate

    def call(self, x, training=False):
        if not training or self.rate == 0:
            return x
        noise = current_noise() or fresh_noise()
        shape = tf.shape(x)
        per_row = _size(x.shape[1:], shape[1:])
        keep = noise.keep(self.path, shape, per_row, self.rate)
        # Differs from TF1: the rate is rounded to 16 bits.
        scale = 1 / (1 - drop_limit(self.rate) / 2**16)
        return x * (tf.cast(keep, x.dtype) * tf.cast(scale, x.dtype))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


def _size(static: tf.TensorShape, dynamic: tf.Tensor) -> int | tf.Tensor:
    """Values a row: a Python int where the shape is known."""
    known = static.num_elements()
    return tf.reduce_prod(dynamic) if known is None else known
