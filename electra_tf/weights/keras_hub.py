"""Preset folders of KerasHub: an encoder and its tokenizer, no head.

KerasHub's own classes write and read the files. Its encoder is not quite
ELECTRA's: GELU by its tanh approximation, and a pooler that nothing trains,
which starts at random and is nobody's weight here.
"""

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from electra_tf.config.pretraining import PretrainingConfig
from electra_tf.data.tokenizers import Tokenizer, WordPieceTokenizer
from electra_tf.data.tokenizers.word_borders import BERT, PUNCTUATED
from electra_tf.errors import InputError, require
from electra_tf.files import read_json
from electra_tf.locks import new_folder
from electra_tf.weights.names import network_names
from electra_tf.weights.pairs import config_of_sizes
from electra_tf.weights.record import (
    LazyArrays,
    OpenedWeights,
    WeightsFormat,
    as_wordpiece,
)

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.weights.h5", "tokenizer.json"
_VOCAB = os.path.join("assets", "tokenizer", "vocabulary.txt")
_BACKBONE, _TOKENIZER = "ElectraBackbone", "ElectraTokenizer"
# Theirs -> ours.
_SIZES = {
    "vocab_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "embedding_dim": "embedding_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
}
_POOLER = "pooled_dense/"


class KerasHubPreset(WeightsFormat):
    """What `ElectraBackbone.from_preset` and `ElectraTokenizer`'s load."""

    name = "keras_hub"
    takes = f"a KerasHub preset of {_BACKBONE} ({CONFIG} and {WEIGHTS})"

    def recognises(self, path: str) -> bool:
        return tf.io.gfile.exists(os.path.join(path, WEIGHTS))

    def read(self, path: str) -> OpenedWeights:
        sizes = _settings(os.path.join(path, CONFIG), _BACKBONE)
        text = _settings(os.path.join(path, TOKENIZER), _TOKENIZER)
        tokenizer = WordPieceTokenizer.read(
            os.path.join(path, _VOCAB),
            bool(text.get("lowercase", False)),
            bool(text.get("strip_accents", False)),
            BERT if text.get("split_on_cjk", True) else PUNCTUATED,
        )
        config = _our_config(sizes, tokenizer, os.path.join(path, CONFIG))
        backbone = _backbone(config)
        try:
            backbone.load_weights(os.path.join(path, WEIGHTS))
        except (ValueError, OSError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{WEIGHTS} in {path!r} must be that of its {CONFIG}; "
                f"received one of which Keras says: {reason}"
            ) from None
        found = {v.path: v for v in backbone.weights}
        names = {
            name.ours: name.keras_hub
            for name in network_names(config.model, "encoder")
        }
        shapes = {
            v.ours: found[v.keras_hub].shape
            for v in network_names(config.model, "encoder")
        }

        def read(path: str) -> np.ndarray:
            array = found[names[path]].numpy()
            return array.reshape(_flat(path, shapes[path]))

        return OpenedWeights(
            config,
            tokenizer,
            LazyArrays(names, read),
            f"the KerasHub preset {path!r}",
            os.path.join(path, _VOCAB),
            networks=(),
            stored_as=names,
        )

    def write(
        self, weights: OpenedWeights, output_dir: str, dtype: str
    ) -> None:
        import keras_hub

        require(dtype == "float32", "dtype of KerasHub must be float32", dtype)
        borders = (BERT, PUNCTUATED)
        tokenizer = as_wordpiece(weights.tokenizer, "KerasHub", borders)
        backbone = _backbone(weights.config)
        variables = {v.path: v for v in backbone.weights}
        for name in network_names(weights.config.model, "encoder"):
            variable = variables.pop(name.keras_hub)
            variable.assign(weights.arrays[name.ours].reshape(variable.shape))
        left = [path for path in variables if not path.startswith(_POOLER)]
        require(not left, "all of KerasHub's variables must have ours", left)
        logging.warning(
            "KerasHub's encoder has GELU by its tanh approximation, and a "
            "pooler, which stays at random: its states differ a little from "
            "ours, see docs/weights.md."
        )
        with new_folder(output_dir, last=WEIGHTS) as folder:
            backbone.save_to_preset(folder)
            keras_hub.models.ElectraTokenizer(
                vocabulary=list(tokenizer.vocab),
                lowercase=tokenizer.do_lower_case,
                strip_accents=tokenizer.strip_accents,
                split_on_cjk=tokenizer.word_borders == BERT,
            ).save_to_preset(folder)

    def plan(self, weights: OpenedWeights) -> list[tuple[str, str]]:
        return [
            (n.keras_hub, n.ours)
            for n in network_names(weights.config.model, "encoder")
        ]


def _flat(path: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Heads and their columns as one axis, as ours are."""
    if "/attention/" not in path or len(shape) == 1:
        return tuple(shape)
    if path.endswith("/output/dense/kernel"):
        return (shape[0] * shape[1], shape[2])  # [N, D, H]
    if path.endswith("/kernel"):
        return (shape[0], shape[1] * shape[2])  # [H, N, D]
    return (shape[0] * shape[1],)  # [N, D]


def _settings(path: str, class_name: str) -> dict[str, Any]:
    """The arguments of a class; nothing that the file names is imported."""
    found = read_json(path)
    rule = f"class_name in {path!r} must be {class_name}"
    name = found.get("class_name")
    require(name == class_name, rule, name)
    config = found.get("config")
    if not isinstance(config, dict):
        raise InputError(
            f"config in {path!r} must be an object; received {config!r}"
        )
    return config


def _our_config(
    sizes: dict[str, Any], tokenizer: Tokenizer, path: str
) -> PretrainingConfig:
    values = {ours: sizes.get(theirs) for theirs, ours in _SIZES.items()}
    for name, value in values.items():
        rule = f"the size {name} in {path!r} must be a whole number"
        require(isinstance(value, int), rule, value)
    rule = f"vocab_size in {path!r} must be that of the vocabulary"
    size = tokenizer.vocab_size
    require(values["vocab_size"] == size, f"{rule}, {size}", sizes)
    return config_of_sizes(values, tokenizer)


def _backbone(config: PretrainingConfig) -> keras.Model:
    import keras_hub  # seconds that only this format costs

    return keras_hub.models.ElectraBackbone(
        **{theirs: getattr(config.model, o) for theirs, o in _SIZES.items()},
        dropout=config.model.hidden_dropout_prob,
    )
