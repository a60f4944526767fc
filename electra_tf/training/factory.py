"""From a configuration to an optimizer."""

from electra_tf.config import OptimizerConfig
from electra_tf.training.optimizers import AdamW
from electra_tf.training.schedules import WarmupPolynomialDecay


def make_optimizer(config: OptimizerConfig) -> AdamW:
    """AdamW with warm-up and polynomial decay, for pre-training."""
    schedule = WarmupPolynomialDecay(
        peak=config.learning_rate,
        num_train_steps=config.num_train_steps,
        num_warmup_steps=config.num_warmup_steps,
        power=config.lr_decay_power,
    )
    return AdamW(
        schedule,
        decay_rate=config.weight_decay_rate,
        clip_norm=config.clip_norm,
        bias_correction=config.adam_bias_correction,
    )
