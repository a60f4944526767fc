"""The small parts: GELU, LayerNorm, Dropout, and how weights start."""

import inspect
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from electra_tf.errors import require
from electra_tf.modeling.lora import Dense
from electra_tf.modeling.noise import current_noise, drop_limit

EPSILON = 1e-12  # of TF1's contrib layer and Hugging Face
INITIALIZER_RANGE = 0.02  # BERT's, at every size


def gelu(x: tf.Tensor) -> tf.Tensor:
    """x Phi(x), the erf form.

    In the operations and the order in which TensorFlow draws it into the
    matrix product before it, and LiteRT knows it.

    Reference: Hendrycks and Gimpel 2016. The tanh form would depart from the
    authors' checkpoints by 1e-3.
    """
    return 0.5 * x * (1.0 + tf.math.erf(x * math.sqrt(0.5)))


@tf.custom_gradient
def trained_gelu(x: tf.Tensor):
    """The same, with its gradient Phi(x) + x phi(x) in few passes over x.

    For training: a gradient of its own stands in the way of `gelu`'s fusion.
    """
    phi = 0.5 + 0.5 * tf.math.erf(x * math.sqrt(0.5))

    def gradient(upstream):
        density = tf.exp(-0.5 * tf.square(x)) * (1 / math.sqrt(2 * math.pi))
        return upstream * (phi + x * density)

    return x * phi, gradient


@tf.custom_gradient
def layer_norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor):
    """gamma * (x - mean) / sqrt(variance + 1e-12) + beta over the last axis.

    Automatic differentiation would make a dozen passes over x; the closed
    form makes four. Statistics are taken in float32.
    """
    wide = tf.cast(x, tf.float32)
    centred = wide - tf.reduce_mean(wide, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
    scale = tf.math.rsqrt(variance + EPSILON)
    unit = centred * scale  # the normalised x

    def gradient(upstream):
        dy = tf.cast(upstream, tf.float32)
        axes = list(range(dy.shape.rank - 1))
        dunit = dy * tf.cast(gamma, tf.float32)
        along = tf.reduce_mean(dunit * unit, -1, keepdims=True)
        dx = dunit - tf.reduce_mean(dunit, -1, keepdims=True) - unit * along
        dgamma = tf.reduce_sum(dy * unit, axes)
        dbeta = tf.reduce_sum(dy, axes)
        return (
            tf.cast(dx * scale, x.dtype),
            tf.cast(dgamma, gamma.dtype),
            tf.cast(dbeta, beta.dtype),
        )

    wide_gamma = tf.cast(gamma, tf.float32)
    y = unit * wide_gamma + tf.cast(beta, tf.float32)
    return tf.cast(y, x.dtype), gradient


def arguments_of(made: Any, kind: type) -> dict[str, Any]:
    """What `kind`'s constructor takes, from attributes of the same names.

    Keras' own way to a config leaves out what was not given.
    """
    names = list(inspect.signature(kind).parameters)
    return {name: getattr(made, name) for name in names if name != "kwargs"}


class BaseLayer(keras.layers.Layer):
    """A layer that keeps each argument in an attribute of its name."""

    def get_config(self):
        return {**super().get_config(), **arguments_of(self, type(self))}

    def make_dense(self, units: int, name: str = "dense") -> Dense:
        """A part whose kernel starts with deviation `initializer_range`."""
        return Dense(
            units,
            kernel_initializer=truncated_normal(self.initializer_range),
            name=name,
            dtype=self.dtype_policy,
        )

    def make_layer_norm(self) -> "LayerNorm":
        """A part with the authors' name."""
        return LayerNorm(name="LayerNorm", dtype=self.dtype_policy)

    def make_dropout(self, rate: float) -> "Dropout":
        """A part whose name is fixed, since it enters the noise."""
        return Dropout(rate, name="dropout", dtype=self.dtype_policy)


@keras.saving.register_keras_serializable("electra_tf")
class LayerNorm(keras.layers.Layer):
    """Layer normalisation over the last axis, epsilon 1e-12.

    Call arguments:
      x: float [..., H].

    Reference: Ba et al. 2016, equation 4.
    """

    def build(self, input_shape):
        width = (input_shape[-1],)
        self.gamma = self.add_weight(width, "ones", name="gamma")
        self.beta = self.add_weight(width, "zeros", name="beta")

    def call(self, x):
        gamma = tf.convert_to_tensor(self.gamma)
        return layer_norm(x, gamma, tf.convert_to_tensor(self.beta))


@keras.saving.register_keras_serializable("electra_tf")
class Dropout(BaseLayer):
    """Zeroes values at random in training and scales up the others.

    What it drops depends on the example's place, not on the device.

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
        require(0 <= rate < 1, "rate must lie in [0, 1)", rate)
        self.rate = rate

    def call(self, x, training=False):
        if not training or self.rate == 0:
            return x
        noise = current_noise()
        shape = tf.shape(x)
        per_row = _size(x.shape[1:], shape[1:])
        keep = noise.keep(self.path, shape, per_row, self.rate)
        # Differs from TF1: the rate is rounded to 16 bits.
        scale = 1 / (1 - drop_limit(self.rate) / 2**16)
        return x * (tf.cast(keep, x.dtype) * tf.cast(scale, x.dtype))


def _size(static: tf.TensorShape, dynamic: tf.Tensor) -> int | tf.Tensor:
    """Values a row: a Python int where the shape is known."""
    known = static.num_elements()
    return tf.reduce_prod(dynamic) if known is None else known


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
