"""Checkpoints and configurations of the authors' TensorFlow 1 code.

The variables of `electra_tf` bear the authors' names, so the table of names
is the identity; what stands here is reading and what to leave out.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.config import json_object
from electra_tf.config.objectives import has_trained_generator
from electra_tf.config.pretraining import PretrainingConfig, make_config
from electra_tf.config.sizes import SIZES
from electra_tf.errors import InputError

ADAM_M, ADAM_V = "/adam_m", "/adam_v"

# The authors' names whose meaning and name are ours as well.
_SAME = (
    "gen_weight disc_weight mask_prob learning_rate lr_decay_power "
    "weight_decay_rate num_warmup_steps num_train_steps vocab_size "
    "embedding_size do_lower_case generator_layers generator_hidden_size "
    "disallow_correct temperature max_seq_length train_batch_size "
    "eval_batch_size model_size"
).split()
_OVERRIDES = (
    "hidden_size num_hidden_layers num_attention_heads intermediate_size "
    "hidden_dropout_prob attention_probs_dropout_prob "
    "max_position_embeddings type_vocab_size initializer_range"
).split()


def read_tf1_checkpoint(prefix: str) -> dict[str, np.ndarray]:
    """All variables of a TF1 checkpoint but the step, Adam's slots included.

    Args:
      prefix: path without `.index`, as `.../model.ckpt-8`.

    Raises:
      InputError: no such checkpoint, or a corrupt one.
    """
    try:
        reader = tf.train.load_checkpoint(prefix)
        return {
            name: reader.get_tensor(name)
            for name in reader.get_variable_to_shape_map()
            if name != "global_step"
        }
    except (tf.errors.OpError, ValueError) as error:
        raise InputError(
            f"cannot read a TensorFlow 1 checkpoint at {prefix!r}: "
            f"{str(error).splitlines()[0]}"
        ) from error


def weights_alone(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The model's variables, without Adam's slots."""
    return {
        name: array
        for name, array in arrays.items()
        if not name.endswith((ADAM_M, ADAM_V))
    }


def tf1_config(text: str) -> PretrainingConfig:
    """Our configuration from the authors' hyperparameters (JSON).

    With one encoder for both networks the authors' code ignores the
    generator's size, and so does this.

    Raises:
      InputError: no JSON object, or values that break a rule.
    """
    theirs = json_object(text)
    # None stands for a default: theirs for the embeddings is the hidden size.
    given = {name: v for name, v in theirs.items() if v is not None}
    values: dict[str, Any] = {n: given[n] for n in _SAME if n in given}
    overrides = given.get("model_hparam_overrides", {})
    values |= {n: overrides[n] for n in _OVERRIDES if n in overrides}
    if "embedding_size" in theirs and "embedding_size" not in given:
        size = values.get("model_size", "small")
        hidden = SIZES.get(size, {}).get("hidden_size")
        values["embedding_size"] = values.get("hidden_size", hidden)
    values["objective"] = _objective(theirs)
    for name in ("two_tower", "uniform"):
        if theirs.get(f"{name}_generator", False):
            values["generator"] = name
    if not has_trained_generator(values):
        return make_config(values)
    if theirs.get("untied_generator_embeddings", False):
        values["tying"] = "none"
    if not theirs.get("untied_generator", True):
        values |= {"tying": "all"}
        values |= {"generator_hidden_size": 1.0, "generator_layers": 1.0}
    return make_config(values)


def _objective(theirs: Mapping[str, Any]) -> str:
    if theirs.get("electric_objective", False):
        return "electric"
    return "electra" if theirs.get("electra_objective", True) else "mlm"
