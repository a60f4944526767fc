"""AdamW as the authors' code has it."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from electra_tf.modeling.layers import arguments_of
from electra_tf.training import schedules

NO_DECAY = r"LayerNorm|layer_norm|bias"


def decay_groups(
    variables: Sequence[keras.Variable], no_decay: str = NO_DECAY
) -> dict[str, list[keras.Variable]]:
    """Splits variables into "decayed" and "not_decayed" by their full path.

    Keras' own `exclude_from_weight_decay` sees the last name alone, so that
    "LayerNorm" would exclude nothing.
    """
    groups: dict[str, list] = {"decayed": [], "not_decayed": []}
    for variable in variables:
        free = re.search(no_decay, variable.path)
        groups["not_decayed" if free else "decayed"].append(variable)
    return groups


def _rounding_of_v(beta_2: float) -> float:
    """By what factor float32 makes sqrt(v) too small, near 1 - 6e-6.

    The fused operation takes 1 - beta_2 in float32, where 0.999 leaves
    0.00099999. The same factor on rate and epsilon takes it out of the update.
    """
    rounded = np.float32(1) - np.float32(beta_2)
    return math.sqrt(float(rounded) / (1 - beta_2))


class Step(NamedTuple):
    """What one update has in common for all variables, scalars.

    Worked out once: by hundreds of variables these would be most of a graph.
    """

    rate: tf.Tensor
    beta_1: tf.Tensor
    beta_2: tf.Tensor
    correction_1: tf.Tensor
    correction_2: tf.Tensor
    epsilon: tf.Tensor


@keras.saving.register_keras_serializable("electra_tf")
class AdamW(keras.optimizers.Optimizer):
    """Adam with decoupled weight decay and a global norm clipped once.

    m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2
    theta <- theta - rate * (m / (sqrt(v) + eps) + decay * theta)

    Gradients are summed over replicas before their global norm is clipped, so
    that N replicas take the step that one would. Moments are not corrected
    for their start at zero unless `bias_correction` is set: the paper's
    results have none.

    Args:
      learning_rate: float or schedule.
      decay_rate: of the variables whose path does not match `no_decay`.
      clip_norm: largest global norm of the gradients, None for no limit.
      bias_correction: divide m by 1 - b1^t and v by 1 - b2^t.
      beta_1, beta_2, epsilon: as in the paper's Table 6.
      no_decay: regular expression searched in variables' full paths.

    Reference: ELECTRA, Table 6; Loshchilov and Hutter 2019, Algorithm 2.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        decay_rate: float = 0.01,
        clip_norm: float | None = 1.0,
        bias_correction: bool = False,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        no_decay: str = NO_DECAY,
        name: str = "adamw",
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.decay_rate = decay_rate
        self.clip_norm = clip_norm
        self.bias_correction = bias_correction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.no_decay = no_decay

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        slot = self.add_variable_from_reference
        self.adam_m = [slot(v, name="adam_m") for v in variables]
        self.adam_v = [slot(v, name="adam_v") for v in variables]
        decayed = decay_groups(variables, self.no_decay)["decayed"]
        decayed = {id(v) for v in decayed}
        self._is_decayed = [id(v) in decayed for v in variables]

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        # Keras clips each replica's own gradient; here they are summed first.
        variables = [
            v.value if isinstance(v, keras.Variable) else v
            for v in trainable_variables
        ]
        # Norms of sparse gradients count repeated rows apart: make all dense.
        grads = [tf.convert_to_tensor(g) for g in grads]
        pairs = list(zip(grads, variables, strict=True))
        pairs = self._all_reduce_sum_gradients(pairs)
        grads = self.unscaled([gradient for gradient, _ in pairs])
        if self.clip_norm is not None:
            grads, _ = tf.clip_by_global_norm(grads, self.clip_norm)
        tf.__internal__.distribute.interim.maybe_merge_call(
            self._distributed_tf_update_step,
            tf.distribute.get_strategy(),
            list(zip(grads, variables, strict=True)),
            self.step_of(learning_rate),
        )

    def unscaled(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """Gradients of the loss itself, of those of what `scale_loss` gave."""
        return gradients

    def betas(self) -> tuple[float | tf.Tensor, float | tf.Tensor]:
        """Decay of the first and second moment at this step."""
        return self.beta_1, self.beta_2

    def step_of(self, learning_rate: tf.Tensor) -> Step:
        """This update's scalars; the corrections are b1^t and b2^t."""
        beta_1, beta_2 = (tf.cast(beta, tf.float32) for beta in self.betas())
        power_1 = power_2 = tf.zeros([], tf.float32)
        if self.bias_correction:
            step = tf.cast(self.iterations.value + 1, tf.float32)
            power_1, power_2 = self.beta_1**step, self.beta_2**step
        # The fused operation adds epsilon to the uncorrected sqrt(v).
        epsilon = self.epsilon * _rounding_of_v(self.beta_2)
        epsilon *= tf.sqrt(1 - power_2)
        rate = tf.cast(learning_rate, tf.float32)
        return Step(rate, beta_1, beta_2, power_1, power_2, epsilon)

    def update_step(self, gradient, variable, learning_rate: Step):
        step, index = learning_rate, self._get_variable_index(variable)
        m, v = self.adam_m[index].value, self.adam_v[index].value
        if self._is_decayed[index] and self.decay_rate:
            variable.assign(variable * (1 - step.rate * self.decay_rate))
        # One fused pass. The operation's own powers correct the bias; at 0
        # they correct nothing.
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=m.handle,
            v=v.handle,
            beta1_power=step.correction_1,
            beta2_power=step.correction_2,
            lr=step.rate * _rounding_of_v(self.beta_2),
            beta1=step.beta_1,
            beta2=step.beta_2,
            epsilon=step.epsilon,
            grad=gradient,
        )

    def apply(self, grads, trainable_variables=None):
        super().apply(grads, trainable_variables)
        if tf.executing_eagerly():
            schedules.warn_of_lost_steps(self._learning_rate, self.iterations)

    def finalize_variable_values(self, var_list):
        # `fit` calls it at its end; a step that XLA compiled can say nothing.
        super().finalize_variable_values(var_list)
        schedules.warn_of_lost_steps(self._learning_rate, self.iterations)

    def get_config(self):
        return {**arguments_of(self, AdamW), **super().get_config()}
