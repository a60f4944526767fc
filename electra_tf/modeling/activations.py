"""The exact GELU: as plain operations, and with its gradient written out."""

import math

import tensorflow as tf


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
