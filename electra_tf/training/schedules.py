"""The learning rate as a function of the step."""

import abc
import dataclasses
import math
import warnings

import keras
import tensorflow as tf

from electra_tf.config.optimization import OptimizerConfig


@dataclasses.dataclass(eq=False)
class WarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """peak * decay(t) * min(1, t / warm-up).

    t is the number of updates already made, so the first update has rate 0
    and moves only the moments; after T the rate stays what it was there.

    Args:
      peak: the nominal learning rate.
      num_train_steps: T.
      num_warmup_steps: 0 for none.
    """

    peak: float
    num_train_steps: int
    num_warmup_steps: int = 0

    def __post_init__(self) -> None:
        self.has_warned = False

    def __call__(self, step):
        # Differs from TF1: its graph leaves open which side of the update
        # the step is read on; here it is always before.
        step = tf.cast(step, tf.float32)
        rate = self.peak * self.decay(step)
        if self.num_warmup_steps:
            rate *= tf.minimum(1.0, step / self.num_warmup_steps)
        return rate

    @abc.abstractmethod
    def decay(self, step: tf.Tensor) -> tf.Tensor:
        """The factor at a step, float32 scalars, that falls from 1."""

    def get_config(self):
        return dataclasses.asdict(self)


@keras.saving.register_keras_serializable("electra_tf")
@dataclasses.dataclass(eq=False)
class WarmupPolynomialDecay(WarmupDecay):
    """peak * (1 - t / T) ** power * min(1, t / warm-up): the paper's.

    Args: as `WarmupDecay`, and
      power: 1 decays linearly.

    Reference: ELECTRA, Table 6; the product of warm-up and decay is the
    authors' code's, and peaks a little below the nominal rate.
    """

    power: float = 1.0

    def decay(self, step):
        done = tf.minimum(step / self.num_train_steps, 1.0)
        return (1 - done) ** self.power


@keras.saving.register_keras_serializable("electra_tf")
@dataclasses.dataclass(eq=False)
class WarmupStableDecay(WarmupDecay):
    """peak * min(1, (T - t) / D) ** power * min(1, t / warm-up).

    The rate stays at its peak until D steps before the end. A run that is
    made longer before these D steps goes on as if it had always been.

    Args: as `WarmupDecay`, and
      num_decay_steps: D.
      power: 1 decays linearly.

    Reference: Hu et al. 2024, "MiniCPM"; the linear decay as in Haegele et al.
    2024, "Scaling Laws and Compute-Optimal Training Beyond Fixed Training
    Durations".
    """

    _: dataclasses.KW_ONLY
    num_decay_steps: int
    power: float = 1.0

    def decay(self, step):
        left = (self.num_train_steps - step) / self.num_decay_steps
        return tf.clip_by_value(left, 0.0, 1.0) ** self.power


@keras.saving.register_keras_serializable("electra_tf")
@dataclasses.dataclass(eq=False)
class WarmupCosineDecay(WarmupDecay):
    """peak * (f + (1 - f) (1 + cos(pi s)) / 2) * min(1, t / warm-up).

    s rises from 0 to 1 between the end of the warm-up and T.

    Args: as `WarmupDecay`, and
      min_ratio: f, the fraction of the peak that is left at T.

    Reference: Loshchilov and Hutter 2017, equation 5, without restarts.
    """

    min_ratio: float = 0.0

    def decay(self, step):
        start = self.num_warmup_steps
        steps = max(1, self.num_train_steps - start)
        done = tf.clip_by_value((step - start) / steps, 0.0, 1.0)
        fall = (1 + tf.cos(math.pi * done)) / 2
        return self.min_ratio + (1 - self.min_ratio) * fall


def make_schedule(config: OptimizerConfig) -> WarmupDecay:
    """The schedule that `--lr_schedule` names."""
    times = (
        config.learning_rate,
        config.num_train_steps,
        config.num_warmup_steps,
    )
    if config.lr_schedule == "cosine":
        return WarmupCosineDecay(*times, config.min_lr_ratio)
    power = config.lr_decay_power
    if config.lr_schedule == "warmup_stable_decay":
        steps = config.num_decay_steps
        return WarmupStableDecay(*times, num_decay_steps=steps, power=power)
    return WarmupPolynomialDecay(*times, power)


def warn_of_lost_steps(rate: object, done: int | keras.Variable) -> None:
    """Warns, once, where updates were made after the end of a schedule.

    Args:
      rate: an optimizer's; one that does not fall to 0 has no end.
      done: updates made so far.
    """
    if not isinstance(rate, WarmupDecay) or rate.has_warned:
        return
    end = int(rate.num_train_steps)
    lost = int(tf.convert_to_tensor(done)) - end
    if lost > 0 and not rate(end) > 0:
        rate.has_warned = True
        warnings.warn(
            f"the learning rate is 0 after {end:,} steps, and {lost:,} more "
            "moved no weight: create the optimizer for all steps of the "
            "training",
            stacklevel=3,
        )
