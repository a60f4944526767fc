"""A scaled loss, so that float16 holds its gradients."""

import keras
import tensorflow as tf

# The usual 2**15, less what the loss is larger than usual: detection has a
# weight of 50.
INITIAL_SCALE = 2.0**10
STEPS_TO_DOUBLE = 2000
LOSS_SCALE = "loss_scale"


class LossScaled(keras.optimizers.Optimizer):
    """A dynamic loss scale before an optimizer: `class X(LossScaled, Y)`.

    The loss is multiplied by the scale, the gradients, summed over replicas
    and parts of the batch, are divided by it. A step whose gradients are not
    finite counts as a step but changes neither weights nor moments, and
    halves the scale; `STEPS_TO_DOUBLE` finite ones in a row double it. Every
    replica sees the sum, so all of them skip the same steps.

    Y asks `unscaled` for its gradients, `betas` for its moments' decay and
    `step_of` for its rate.
    Args: as of Y. Reference: Micikevicius et al. 2018, section 3.2.
    """

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.loss_scale = self._scalar(LOSS_SCALE, INITIAL_SCALE)
        self.finite_steps = self._scalar("finite_steps", 0.0)
        self.is_finite = self._scalar("is_finite", 1.0)

    def _scalar(self, name: str, value: float) -> keras.Variable:
        return self.add_variable(
            (),
            keras.initializers.Constant(value),
            name=name,
            aggregation="only_first_replica",
        )

    def scale_loss(self, loss):
        return loss * tf.convert_to_tensor(self.loss_scale)

    def unscaled(self, gradients):
        scale = tf.convert_to_tensor(self.loss_scale)
        gradients = [gradient / scale for gradient in gradients]
        finite = tf.math.is_finite(tf.linalg.global_norm(gradients))
        self._follow(finite, scale)
        return [tf.where(finite, g, tf.zeros_like(g)) for g in gradients]

    def _follow(self, finite: tf.Tensor, scale: tf.Tensor) -> None:
        steps = tf.convert_to_tensor(self.finite_steps) + 1
        doubles = finite & (steps >= STEPS_TO_DOUBLE)
        grown = tf.where(doubles, 2 * scale, scale)
        fallen = tf.maximum(scale / 2, 1.0)
        self.loss_scale.value.assign(tf.where(finite, grown, fallen))
        restart = doubles | ~finite
        self.finite_steps.value.assign(tf.where(restart, 0.0, steps))
        self.is_finite.value.assign(tf.cast(finite, tf.float32))

    def betas(self):
        # With betas of 1 the moments stay, with rate 0 the weights do. They
        # are float64, so that 1 - beta is no more rounded than a number's.
        is_finite = tf.convert_to_tensor(self.is_finite) > 0
        one = tf.ones([], tf.float64)
        return tuple(tf.where(is_finite, b * one, one) for b in super().betas())

    def step_of(self, learning_rate):
        is_finite = tf.convert_to_tensor(self.is_finite)
        return super().step_of(learning_rate * is_finite)
