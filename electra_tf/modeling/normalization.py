"""LayerNorm whose gradient is written out, for speed on every device."""

import keras
import tensorflow as tf

EPSILON = 1e-12  # of TF1's contrib layer and Hugging Face


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

    def compute_output_shape(self, input_shape):
        return input_shape
