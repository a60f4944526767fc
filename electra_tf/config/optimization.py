"""How a run learns: optimizer, learning rate, batch size."""

import dataclasses
from typing import NamedTuple

from electra_tf.config import (
    NOT_NEGATIVE,
    POSITIVE,
    PROBABILITY,
    Options,
    field,
)
from electra_tf.errors import require

OPTIMIZERS = ("adam", "lamb")
SCHEDULES = ("polynomial", "warmup_stable_decay", "cosine")


class BatchStage(NamedTuple):
    """Steps with one batch size.

    Attributes:
      first_step: the first of them.
      batch_size: sequences of each.
      first_example: examples of all steps before.
    """

    first_step: int
    batch_size: int
    first_example: int


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(Options):
    """How it is learned: the optimizer and its schedule.

    Attributes:
      optimizer: adam: AdamW, the paper's; lamb: for large batches, each
        kernel and table takes steps in proportion to its own norm.
      learning_rate: peak learning rate.
      num_train_steps: steps of the run.
      num_warmup_steps: steps of linear warm-up.
      lr_schedule: polynomial: falls from the first step to the last, the
        paper's; warmup_stable_decay: stays at its peak until num_decay_steps
        before the end; cosine: falls after the warm-up to min_lr_ratio.
      lr_decay_power: power of the decay, but of cosine; 1 is linear.
      num_decay_steps: steps at the end in which the rate falls to 0
        (warmup_stable_decay).
      min_lr_ratio: what is left of the learning rate at the end, a fraction of
        it (cosine).
      weight_decay_rate: decoupled decay, not on LayerNorm and biases.
      clip_norm: global norm the gradients are clipped to.
      adam_bias_correction: correct Adam's moments for their zero start (paper:
        no); lamb always does.
      train_batch_size: sequences a step, over all replicas.
      train_batch_size_start: sequences of the first steps, doubled until they
        are train_batch_size; 0 has that from the first step on.
      batch_warmup_steps: steps until then, as many with each batch size
        (train_batch_size_start).
    """

    optimizer: str = field("adam", choices=OPTIMIZERS)
    learning_rate: float = field(5e-4, POSITIVE)
    num_train_steps: int = field(1_000_000, POSITIVE)
    num_warmup_steps: int = field(10_000, NOT_NEGATIVE)
    lr_schedule: str = field("polynomial", choices=SCHEDULES)
    lr_decay_power: float = field(1.0, NOT_NEGATIVE)
    num_decay_steps: int = field(0, NOT_NEGATIVE)
    min_lr_ratio: float = field(0.0, PROBABILITY)
    weight_decay_rate: float = field(0.01, NOT_NEGATIVE)
    clip_norm: float = field(1.0, POSITIVE)
    adam_bias_correction: bool = field(False)
    train_batch_size: int = field(128, POSITIVE)
    train_batch_size_start: int = field(0, NOT_NEGATIVE)
    batch_warmup_steps: int = field(0, NOT_NEGATIVE)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_schedule()
        self._check_batch_warmup()

    def _check_schedule(self) -> None:
        steps, total = self.num_decay_steps, self.num_train_steps
        if self.lr_schedule == "warmup_stable_decay":
            rule = f"lie in [1, num_train_steps] ([1, {total}])"
            needed = f"num_decay_steps of warmup_stable_decay must {rule}"
            require(1 <= steps <= total, needed, steps)
        else:
            rule = "num_decay_steps needs lr_schedule=warmup_stable_decay"
            require(not steps, rule, self.lr_schedule)
        if self.min_lr_ratio:
            rule = "min_lr_ratio needs lr_schedule=cosine"
            require(self.lr_schedule == "cosine", rule, self.lr_schedule)

    def _check_batch_warmup(self) -> None:
        start, steps = self.train_batch_size_start, self.batch_warmup_steps
        if not start:
            rule = "batch_warmup_steps needs train_batch_size_start"
            require(not steps, rule, start)
            return
        doubled = [start * 2**n for n in range(1, 33)]
        rule = f"train_batch_size_start ({start}) doubled once or more often"
        size = self.train_batch_size
        require(size in doubled, f"train_batch_size must be {rule}", size)
        least = 1 + doubled.index(size)
        rule = "batch_warmup_steps must give each smaller batch size a step, "
        require(steps >= least, f"{rule}so be at least {least}", steps)

    def batch_stages(self) -> list[BatchStage]:
        """The batch sizes of the run, in their order.

        With W steps of warm-up and n doublings, size number i begins at step
        floor(i W / n). What makes up batch t so follows from t alone.
        """
        size = self.train_batch_size_start or self.train_batch_size
        count = (self.train_batch_size // size).bit_length() - 1
        stages = [BatchStage(0, size, 0)]
        for number in range(1, count + 1):
            first = number * self.batch_warmup_steps // count
            before, size, examples = stages[-1]
            examples += (first - before) * size
            stages.append(BatchStage(first, 2 * size, examples))
        return stages

    def batch_stage(self, step: int) -> BatchStage:
        """The stage that a step (from 0) belongs to."""
        begun = [s for s in self.batch_stages() if s.first_step <= step]
        return begun[-1]

    def examples_before(self, step: int) -> int:
        """Examples of the first `step` steps."""
        first_step, size, examples = self.batch_stage(step)
        return examples + (step - first_step) * size
