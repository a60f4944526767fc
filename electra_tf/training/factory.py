"""From a configuration to an optimizer."""

from electra_tf.config.pretraining import OptimizerConfig
from electra_tf.training.loss_scaling import LossScaledAdamW
from electra_tf.training.optimizers import AdamW
from electra_tf.training.schedules import WarmupPolynomialDecay


def make_optimizer(
    config: OptimizerConfig, precision: str = "float32"
) -> AdamW:
    """AdamW with warm-up and polynomial decay, for pre-training.

    Args:
      config: rates and schedule.
      precision: mixed_float16 scales the loss.
    """
    schedule = WarmupPolynomialDecay(
        peak=config.learning_rate,
        num_train_steps=config.num_train_steps,
        num_warmup_steps=config.num_warmup_steps,
        power=config.lr_decay_power,
    )
    kind = LossScaledAdamW if precision == "mixed_float16" else AdamW
    return kind(
        schedule,
        decay_rate=config.weight_decay_rate,
        clip_norm=config.clip_norm,
        bias_correction=config.adam_bias_correction,
    )
