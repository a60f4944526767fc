"""A task's effective settings: the user's, else the paper's."""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from electra_tf.config.finetuning import TrainingOptions
from electra_tf.errors import InputError
from electra_tf.finetune.tasks.task import ModelSettings, Task
from electra_tf.pretrained import PretrainedElectra

# ELECTRA, Table 7: widest model, (peak rate, factor from layer to layer).
_BY_HIDDEN_SIZE = (
    (511, (3e-4, 0.8)),  # Small has 256
    (1023, (1e-4, 0.8)),  # Base has 768
    (2**31, (5e-5, 0.9)),  # Large has 1024
)
_SMALL_RATE_GOOGLE = 1e-4


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a task is learned; see `TrainingOptions` for the fields."""

    init_checkpoint: str
    from_scratch: bool
    learning_rate: float
    layerwise_lr_decay: float
    num_train_epochs: int
    train_batch_size: int
    eval_batch_size: int
    warmup_proportion: float
    weight_decay_rate: float
    hidden_dropout_prob: float
    compat: str
    max_seq_length: int
    max_train_examples: int | None
    early_stop_patience: int
    seed: int
    log_every_steps: int

    def model_settings(self) -> ModelSettings:
        """Those of the model."""
        return ModelSettings(
            self.init_checkpoint,
            self.max_seq_length,
            self.hidden_dropout_prob,
            self.from_scratch,
        )

    def train_examples(self, examples: Sequence[Any]) -> Sequence[Any]:
        """Those to learn from: all, or as many as were asked for, drawn by
        the seed of the first trial, in the file's order."""
        limit = self.max_train_examples
        if limit is None or limit >= len(examples):
            return examples
        order = np.random.default_rng(self.seed).permutation(len(examples))
        return [examples[index] for index in np.sort(order[:limit])]


def make_plan(
    task: Task, options: TrainingOptions, pretrained: PretrainedElectra
) -> Plan:
    """Fills in what the user left open (ELECTRA, Table 7).

    Raises:
      InputError: max_seq_length is not between what the task needs and what
        the model has.
    """
    model = pretrained.config.model
    rate, decay = next(
        values
        for widest, values in _BY_HIDDEN_SIZE
        if model.hidden_size <= widest
    )
    is_google = options.compat == "google"
    if is_google and model.hidden_size <= _BY_HIDDEN_SIZE[0][0]:
        rate = _SMALL_RATE_GOOGLE
    usual = {
        "learning_rate": rate,
        "layerwise_lr_decay": decay,
        "num_train_epochs": task.epochs,
        "weight_decay_rate": 0.01 if is_google else 0.0,
        "max_seq_length": min(
            task.max_seq_length, model.max_position_embeddings
        ),
    }
    values = {}
    for field in dataclasses.fields(Plan):
        value = getattr(options, field.name)
        values[field.name] = usual.get(field.name) if value is None else value
    plan = Plan(**values)
    least, most = task.least_length, model.max_position_embeddings
    if not least <= plan.max_seq_length <= most:
        raise InputError(
            f"max_seq_length must lie between {least}, which {task.name} "
            f"needs, and {most}, the model's max_position_embeddings; "
            f"received {plan.max_seq_length}"
        )
    return plan


def fingerprint(parts: Sequence[Any]) -> str:
    """A digest of examples or weights, to know them again."""
    digest = hashlib.sha256()
    for part in parts:
        is_array = isinstance(part, np.ndarray)
        digest.update(part.tobytes() if is_array else repr(part).encode())
    return digest.hexdigest()[:16]
