"""The optimizers of pre-training runs, by name and precision."""

import keras

from electra_tf.config.optimization import OptimizerConfig
from electra_tf.training.adamw import AdamW
from electra_tf.training.lamb import Lamb
from electra_tf.training.loss_scaling import LossScaled
from electra_tf.training.schedules import make_schedule


@keras.saving.register_keras_serializable("electra_tf")
class LossScaledAdamW(LossScaled, AdamW):
    """AdamW under mixed_float16."""


@keras.saving.register_keras_serializable("electra_tf")
class LossScaledLamb(LossScaled, Lamb):
    """LAMB under mixed_float16."""


KINDS: dict[str, tuple[type[AdamW], type[AdamW]]] = {
    "adam": (AdamW, LossScaledAdamW),
    "lamb": (Lamb, LossScaledLamb),
}


def make_optimizer(
    config: OptimizerConfig, precision: str = "float32"
) -> AdamW:
    """The optimizer of a pre-training run, with its schedule.

    Args:
      config: rates and schedule.
      precision: mixed_float16 scales the loss.
    """
    kind = KINDS[config.optimizer][precision == "mixed_float16"]
    always_corrects = config.optimizer == "lamb"
    return kind(
        make_schedule(config),
        decay_rate=config.weight_decay_rate,
        clip_norm=config.clip_norm,
        bias_correction=always_corrects or config.adam_bias_correction,
    )
