"""A task's effective settings: the user's, else the paper's."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from electra_tf.config.finetuning import TaskOptions, TrainingOptions
from electra_tf.errors import InputError
from electra_tf.finetune.tasks import Task
from electra_tf.pretrained import PretrainedElectra

# Where something lies; what it holds has a fingerprint.
_PLACES = (
    "init_checkpoint data_dir train_file dev_file test_file tfds_data_dir"
).split()
# What may differ between the commands that fill one folder.
_FREE = ("num_trials", "save_model")
# ELECTRA, Table 7: widest model, (peak rate, factor from layer to layer).
_BY_HIDDEN_SIZE = (
    (511, (3e-4, 0.8)),  # Small has 256
    (1023, (1e-4, 0.8)),  # Base has 768
    (2**31, (5e-5, 0.9)),  # Large has 1024
)
_SMALL_RATE_GOOGLE = 1e-4


def make_plan(
    task: Task, options: TrainingOptions, pretrained: PretrainedElectra
) -> TrainingOptions:
    """The options, with what the user left open filled in.

    Raises:
      InputError: max_seq_length is not between what the task needs and what
        the model has.

    Reference: ELECTRA, Table 7.
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
    most = model.max_position_embeddings
    usual: dict[str, Any] = {
        "learning_rate": rate,
        "layerwise_lr_decay": decay,
        "num_train_epochs": task.epochs,
        "weight_decay_rate": 0.01 if is_google else 0.0,
        "max_seq_length": min(task.max_seq_length, most),
    }
    is_open = [name for name in usual if getattr(options, name) is None]
    plan = dataclasses.replace(options, **{n: usual[n] for n in is_open})
    if not task.least_length <= plan.max_seq_length <= most:
        raise InputError(
            f"max_seq_length must lie between {task.least_length}, which "
            f"{task.name} needs, and {most}, the model's "
            f"max_position_embeddings; received {plan.max_seq_length}"
        )
    return plan


def train_examples(
    plan: TrainingOptions, examples: Sequence[Any]
) -> Sequence[Any]:
    """Those to learn from: all, or as many as were asked for, drawn by the
    seed of the first trial, in the file's order."""
    limit = plan.max_train_examples
    if limit is None or limit >= len(examples):
        return examples
    order = np.random.default_rng(plan.seed).permutation(len(examples))
    return [examples[index] for index in np.sort(order[:limit])]


def fingerprint(parts: Sequence[Any]) -> str:
    """A digest of examples or weights, to know them again."""
    digest = hashlib.sha256()
    for part in parts:
        is_array = isinstance(part, np.ndarray)
        digest.update(part.tobytes() if is_array else repr(part).encode())
    return digest.hexdigest()[:16]


def settings_of(
    task: Task, plan: TrainingOptions, task_options: TaskOptions, weights: str
) -> dict[str, Any]:
    """What trials of one folder must have in common."""
    splits = task.splits
    return {
        "task": task.name,
        "metric": task.metric,
        "weights": weights,
        "num_train": len(splits.train),
        "data": fingerprint([*splits.train, *splits.dev.items()]),
        **{n: v for n, v in dataclasses.asdict(plan).items() if n not in _FREE},
        **dataclasses.asdict(task_options),
    }


def changed_settings(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> list[str]:
    """What differs between two `settings_of`, where it defines trials."""
    return [
        f"{name} was {old.get(name)!r}, now {value!r}"
        for name, value in new.items()
        if old.get(name) != value and name not in _PLACES
    ]
