"""Checkpoints and configurations of the authors' TensorFlow 1 code.

The variables of `electra_tf` bear the authors' names, so the table of names
is the identity; what stands here is reading and what to leave out.
"""

import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from electra_tf.config import json_object
from electra_tf.config.objectives import has_trained_generator
from electra_tf.config.pretraining import PretrainingConfig, make_config
from electra_tf.config.sizes import SIZES
from electra_tf.data.tokenizers import Tokenizer, WordPieceTokenizer
from electra_tf.errors import InputError
from electra_tf.training.checkpoints import open_checkpoint
from electra_tf.training.run_folder import CONFIG
from electra_tf.weights.record import (
    AdamSlots,
    LazyArrays,
    OpenedWeights,
    WeightsFormat,
)

ADAM_M, ADAM_V, STEP = "/adam_m", "/adam_v", "global_step"

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
_VOCAB = WordPieceTokenizer.file_name
_VOCAB = WordPieceTokenizer.file_name


class TF1Checkpoint(WeightsFormat):
    """A checkpoint's prefix; config.json and vocab.txt lie near it."""

    name = "tf1"
    takes = (
        "a TF1 checkpoint's prefix (model.ckpt-8 of model.ckpt-8.index, with "
        f"{CONFIG} and {_VOCAB} beside it or one folder up)"
    )

    def recognises(self, path: str) -> bool:
        return tf.io.gfile.exists(path + ".index")

    def read(self, path: str) -> OpenedWeights:
        config_file, vocab_file = (
            _near(path, CONFIG),
            _near(path, _VOCAB),
        )
        try:
            with tf.io.gfile.GFile(config_file) as file:
                config = tf1_config(file.read())
        except (ValueError, tf.errors.OpError) as error:
            raise InputError(f"cannot read {config_file!r}: {error}") from None
        data = config.data
        arrays, slots = read_tf1_variables(path)
        return OpenedWeights(
            config,
            Tokenizer.from_file(
                vocab_file, data.do_lower_case, data.strip_accents
            ),
            arrays,
            f"the TF1 checkpoint {path!r}",
            vocab_file,
            optimizer=slots,
        )


def _near(prefix: str, name: str) -> str:
    folder = os.path.dirname(prefix)
    for place in (folder, os.path.dirname(folder)):
        path = os.path.join(place, name)
        if tf.io.gfile.exists(path):
            return path
    raise InputError(
        f"a TF1 checkpoint must have {name} beside it or one folder up; "
        f"received {prefix!r}"
    )


def read_tf1_variables(prefix: str) -> tuple[LazyArrays, AdamSlots | None]:
    """The networks' variables, and Adam's slots where they are there.

    Args:
      prefix: path without `.index`, as `.../model.ckpt-8`.

    Raises:
      InputError: no such checkpoint, or a corrupt one.
    """
    names, read = open_checkpoint(prefix)
    weights = [
        name
        for name in names
        if not name.endswith((ADAM_M, ADAM_V)) and name != STEP
    ]
    trained = [name for name in weights if name + ADAM_M in names]
    if not trained:
        return LazyArrays(weights, read), None
    return LazyArrays(weights, read), AdamSlots(
        int(read(STEP)) if STEP in names else None,
        LazyArrays(trained, lambda name: read(name + ADAM_M)),
        LazyArrays(trained, lambda name: read(name + ADAM_V)),
    )


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
