"""The learning rate as a function of the step."""

import dataclasses
import warnings

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("electra_tf")
@dataclasses.dataclass(eq=False)
class WarmupPolynomialDecay(keras.optimizers.schedules.LearningRateSchedule):
    """peak * (1 - t / T) ** power * min(1, t / warm-up).

    t is the number of updates already made, so the first update has rate 0
    and moves only the moments; after T it stays at 0.

    Args:
      peak: the nominal learning rate.
      num_train_steps: T.
      num_warmup_steps: 0 for none.
      power: 1 decays linearly.

    Reference: ELECTRA, Table 6; the product of warm-up and decay is the
    authors' code's, and peaks a little below the nominal rate.
    """

    peak: float
    num_train_steps: int
    num_warmup_steps: int = 0
    power: float = 1.0

    def __post_init__(self) -> None:
        self.has_warned = False

    def __call__(self, step):
        # Differs from TF1: its graph leaves open which side of the update
        # the step is read on; here it is always before.
        step = tf.cast(step, tf.float32)
        done = tf.minimum(step / self.num_train_steps, 1.0)
        rate = self.peak * (1 - done) ** self.power
        if self.num_warmup_steps:
            rate *= tf.minimum(1.0, step / self.num_warmup_steps)
        return rate

    def get_config(self):
        return dataclasses.asdict(self)


def warn_of_lost_steps(rate: object, done: int | keras.Variable) -> None:
    """Warns, once, where updates were made after the end of a schedule.

    Args:
      rate: an optimizer's; one that does not fall to 0 has no end.
      done: updates made so far.
    """
    if not isinstance(rate, WarmupPolynomialDecay) or rate.has_warned:
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
