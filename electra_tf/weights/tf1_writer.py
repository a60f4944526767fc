"""Writes what the authors' TensorFlow 1 code goes on from."""

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.config.objectives import describe
from electra_tf.config.pretraining import PretrainingConfig, flat_values
from electra_tf.errors import require
from electra_tf.files import write_bytes, write_text
from electra_tf.locks import new_folder
from electra_tf.weights.names import HEADS
from electra_tf.weights.record import OpenedWeights, as_wordpiece

ADAM_M, ADAM_V, STEP = "/adam_m", "/adam_v", "global_step"
# The authors' names whose meaning and name are ours as well.
SAME = (
    "gen_weight disc_weight mask_prob learning_rate lr_decay_power "
    "weight_decay_rate num_warmup_steps num_train_steps vocab_size "
    "embedding_size do_lower_case generator_layers generator_hidden_size "
    "disallow_correct temperature max_seq_length train_batch_size "
    "eval_batch_size model_size"
).split()
OVERRIDES = (
    "hidden_size num_hidden_layers num_attention_heads intermediate_size "
    "hidden_dropout_prob attention_probs_dropout_prob "
    "max_position_embeddings type_vocab_size initializer_range"
).split()
_SCOPES = (
    "electra/",
    "generator/",
    "generator_ltr/",
    "generator_rtl/",
    "cloze_predictions/",
    *(f"{head}_predictions/" for head in HEADS),
)
_MAIN = ("discriminator", "generator", "energy")
# Tensors are gathered into files of about this size, one in memory at a time.
_BYTES_A_FILE = 1 << 28


def write_tf1(weights: OpenedWeights, output_dir: str) -> None:
    """Writes model.ckpt-N, the authors' config.json and vocab.txt.

    N is the optimizer's step, or 0. Slots go along where they are there.

    Raises:
      InputError: a network that the authors' code does not have; the folder
        holds something or cannot be written.
    """
    config = weights.config
    described = describe(config.objective.objective)
    rule = f"a network for TF1 must be one of {', '.join(_MAIN)}"
    require(described.main.name in _MAIN, rule, described.main.name)
    tokenizer = as_wordpiece(weights.tokenizer, "TF1")
    tensors = _tensors(weights)
    step = weights.optimizer.step if weights.optimizer else 0
    with new_folder(output_dir, last="checkpoint") as folder:
        text = json.dumps(written_config(config), indent=1) + "\n"
        write_text(os.path.join(folder, "config.json"), text)
        vocab_file = os.path.join(folder, tokenizer.file_name)
        write_bytes(vocab_file, tokenizer.content())
        name = f"model.ckpt-{step or 0}"
        _save(os.path.join(folder, name), tensors, step or 0)
        text = f'model_checkpoint_path: "{name}"\n'
        write_text(os.path.join(folder, "checkpoint"), text)


def _tensors(weights: OpenedWeights) -> dict[str, tuple[Mapping, str]]:
    """Name in the checkpoint -> the arrays that hold it, and its name there."""
    found = {
        name: (weights.arrays, name)
        for name in weights.arrays
        if name.startswith(_SCOPES)
    }
    if weights.optimizer is None:
        return found
    for end, slots in (
        (ADAM_M, weights.optimizer.m),
        (ADAM_V, weights.optimizer.v),
    ):
        found |= {n + end: (slots, n) for n in slots if n in found}
    return found


def _save(
    prefix: str, tensors: Mapping[str, tuple[Mapping, str]], step: int
) -> None:
    parts: list[str] = []
    waiting: dict[str, np.ndarray] = {STEP: np.array(step, np.int64)}
    for name, (arrays, there) in tensors.items():
        waiting[name] = arrays[there]
        if sum(a.nbytes for a in waiting.values()) > _BYTES_A_FILE:
            parts.append(_save_part(prefix, len(parts), waiting))
            waiting = {}
    if waiting:
        parts.append(_save_part(prefix, len(parts), waiting))
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=parts, destination_prefix=prefix
    )


def _save_part(
    prefix: str, number: int, tensors: Mapping[str, np.ndarray]
) -> str:
    part = f"{prefix}_part_{number}"
    tf.raw_ops.SaveV2(
        prefix=part,
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(array) for array in tensors.values()],
    )
    return part


def written_config(config: PretrainingConfig) -> dict[str, Any]:
    """The authors' hyperparameters of ours; `tf1_config` gives ours back."""
    values = flat_values(config)
    objective, tying = values["objective"], values["tying"]
    return {
        **_some(values, SAME),
        "electra_objective": objective not in ("mlm", "electric"),
        "electric_objective": objective == "electric",
        "model_hparam_overrides": _some(values, OVERRIDES),
        "uniform_generator": values["generator"] == "uniform",
        "two_tower_generator": values["generator"] == "two_tower",
        "untied_generator_embeddings": tying
        in ("none", "gradient_disentangled"),
        "untied_generator": tying != "all",
    }


def _some(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: values[name] for name in names}
