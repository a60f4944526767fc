"""LAMB, for large batches."""

import math

import keras
import tensorflow as tf

from electra_tf.training.adamw import AdamW


@keras.saving.register_keras_serializable("electra_tf")
class Lamb(AdamW):
    """LAMB: Adam's direction, in steps as large as a variable's own norm.

    m, v as of `AdamW`;  r = m^ / (sqrt(v^) + eps) + decay * theta
    theta <- theta - rate * |theta| / |r| * r

    m^ and v^ are corrected for their start at zero, as published. Norms are of
    a whole variable; where one is 0 the ratio is 1. A variable that is not
    decayed (`no_decay`) takes r by the rate alone, as in the authors' code
    (google-research/albert), whose default excludes the same variables from
    both; that code corrects nothing, the paper's algorithm does.

    Keras' own Lamb decays outside the ratio, and gives LayerNorm and biases a
    ratio, too.

    Args: as `AdamW`.

    Reference: You et al. 2020, "Large Batch Optimization for Deep Learning:
    Training BERT in 76 minutes", Algorithm 2, with phi(z) = z.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        bias_correction: bool = True,
        name: str = "lamb",
        **kwargs,
    ):
        super().__init__(
            learning_rate, bias_correction=bias_correction, name=name, **kwargs
        )

    def step_of(self, learning_rate):
        """As `AdamW`'s; the corrections are 1 - b1^t and 1 - b2^t."""
        corrections = [tf.ones([], tf.float32)] * 2
        if self.bias_correction:
            t = tf.cast(self.iterations.value + 1, tf.float32)
            # Without the rounding of b^t near 1.
            corrections = [
                -tf.math.expm1(t * math.log(beta))
                for beta in (self.beta_1, self.beta_2)
            ]
        step = super().step_of(learning_rate)
        return step._replace(
            correction_1=corrections[0], correction_2=corrections[1]
        )

    def update_step(self, gradient, variable, learning_rate):
        step, index = learning_rate, self._get_variable_index(variable)
        m, v = self.adam_m[index].value, self.adam_v[index].value
        # Not of float32's betas, of which 1 - b is a rounded one.
        beta_1, beta_2 = self.betas()
        mean = m.assign_add((gradient - m) * tf.cast(1 - beta_1, m.dtype))
        square = v.assign_add((gradient**2 - v) * tf.cast(1 - beta_2, v.dtype))
        root = tf.sqrt(square / step.correction_2)
        update = mean / step.correction_1 / (root + self.epsilon)
        rate = step.rate
        if self._is_decayed[index]:
            update += self.decay_rate * variable
            rate *= trust_ratio(variable, update)
        variable.assign_sub(rate * update)


def trust_ratio(variable: tf.Tensor, update: tf.Tensor) -> tf.Tensor:
    """|variable| / |update|, or 1 where either is 0: scalar."""
    norm, length = tf.norm(variable), tf.norm(update)
    ratio = tf.math.divide_no_nan(norm, length)
    return tf.where(ratio > 0, ratio, 1.0)
