"""How a run learns: optimizer, learning rate, batch size."""

import dataclasses

from electra_tf.config import NOT_NEGATIVE, POSITIVE, Options, field

OPTIMIZERS = ("adam", "lamb")


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(Options):
    """How it is learned: the optimizer and its schedule.

    Attributes:
      optimizer: adam: AdamW, the paper's; lamb: for large batches, each
        kernel and table takes steps in proportion to its own norm.
      learning_rate: peak learning rate.
      num_train_steps: steps of the run.
      num_warmup_steps: steps of linear warm-up.
      lr_decay_power: power of the polynomial decay.
      weight_decay_rate: decoupled decay, not on LayerNorm and biases.
      clip_norm: global norm the gradients are clipped to.
      adam_bias_correction: correct Adam's moments for their zero start (paper:
        no); lamb always does.
      train_batch_size: sequences a step, over all replicas.
    """

    optimizer: str = field("adam", choices=OPTIMIZERS)
    learning_rate: float = field(5e-4, POSITIVE)
    num_train_steps: int = field(1_000_000, POSITIVE)
    num_warmup_steps: int = field(10_000, NOT_NEGATIVE)
    lr_decay_power: float = field(1.0, NOT_NEGATIVE)
    weight_decay_rate: float = field(0.01, NOT_NEGATIVE)
    clip_norm: float = field(1.0, POSITIVE)
    adam_bias_correction: bool = field(False)
    train_batch_size: int = field(128, POSITIVE)
