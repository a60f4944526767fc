"""Checkpoints and configurations of the authors' TensorFlow 1 code.

The variables of `electra_tf` bear the authors' names, so the table of names
is the identity; what stands here is reading and what to leave out.
"""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.config import json_object
from electra_tf.config.objectives import has_trained_generator
from electra_tf.config.pretraining import PretrainingConfig, make_config
from electra_tf.config.sizes import SIZES, like_paper, num_heads
from electra_tf.data.tokenizers import Tokenizer, WordPieceTokenizer
from electra_tf.errors import InputError, require
from electra_tf.training.checkpoints import open_checkpoint
from electra_tf.training.run_folder import CONFIG
from electra_tf.weights.names import HEADS
from electra_tf.weights.pairs import as_masked_lm, without_generator
from electra_tf.weights.record import (
    AdamSlots,
    LazyArrays,
    OpenedWeights,
    WeightsFormat,
)
from electra_tf.weights.tf1_writer import (
    ADAM_M,
    ADAM_V,
    OVERRIDES,
    SAME,
    STEP,
    write_tf1,
)

_VOCAB, _INDEX = WordPieceTokenizer.file_name, ".index"
# A generator's scope -> what `--generator` calls it.
_GENERATORS = {"generator": "transformer", "generator_ltr": "two_tower"}


class TF1Checkpoint(WeightsFormat):
    """A checkpoint's prefix, or its folder; vocab.txt lies near it.

    Without the authors' config.json, as they released theirs, the sizes are
    read off the shapes, with a head per 64 columns.
    """

    name = "tf1"
    takes = (
        "a TF1 checkpoint's prefix (model.ckpt-8 of model.ckpt-8.index) or "
        f"folder, with {_VOCAB} beside it or one folder up"
    )
    keeps = ("optimizer",)

    def recognises(self, path: str) -> bool:
        return _prefix_of(path) is not None

    def read(self, path: str) -> OpenedWeights:
        prefix = _prefix_of(path) or path
        arrays, slots = read_tf1_variables(prefix)
        config_file, vocab_file = _near(prefix, CONFIG), _near(prefix, _VOCAB)
        if vocab_file is None:
            raise InputError(
                f"a TF1 checkpoint must have {_VOCAB} beside it or one folder "
                f"up; received {path!r}"
            )
        if config_file is None:
            config = inferred_config(arrays, f"the checkpoint {prefix!r}")
        else:
            try:
                with tf.io.gfile.GFile(config_file) as file:
                    config = tf1_config(file.read())
            except (ValueError, tf.errors.OpError) as error:
                raise InputError(
                    f"cannot read {config_file!r}: {error}"
                ) from None
        data = config.data
        return OpenedWeights(
            config,
            Tokenizer.from_file(
                vocab_file, data.do_lower_case, data.strip_accents
            ),
            arrays,
            f"the TF1 checkpoint {prefix!r}",
            vocab_file,
            optimizer=slots,
        )

    def write(
        self, weights: OpenedWeights, output_dir: str, dtype: str
    ) -> None:
        require(dtype == "float32", "dtype of TF1 must be float32", dtype)
        write_tf1(weights, output_dir)


def _prefix_of(path: str) -> str | None:
    """A prefix: the path itself, or a folder's latest or only checkpoint."""
    if tf.io.gfile.exists(path + _INDEX):
        return path
    if tf.io.gfile.exists(os.path.join(path, "checkpoint")):
        return tf.train.latest_checkpoint(path)
    names = tf.io.gfile.listdir(path) if tf.io.gfile.isdir(path) else []
    found = [name for name in names if name.endswith(_INDEX)]
    if len(found) != 1:
        return None
    return os.path.join(path, found[0].removesuffix(_INDEX))


def _near(prefix: str, name: str) -> str | None:
    """A file beside a checkpoint or one folder up."""
    folder = os.path.dirname(prefix)
    for place in (folder, os.path.dirname(folder)):
        path = os.path.join(place, name)
        if tf.io.gfile.exists(path):
            return path
    return None


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
    values: dict[str, Any] = {n: given[n] for n in SAME if n in given}
    overrides = given.get("model_hparam_overrides", {})
    values |= {n: overrides[n] for n in OVERRIDES if n in overrides}
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


def inferred_config(
    arrays: Mapping[str, np.ndarray], source: str
) -> PretrainingConfig:
    """The configuration that the shapes tell of; text is lower-cased.

    Raises:
      InputError: it is no ELECTRA's.
    """

    tables = "electra/embeddings"
    pieces, width_of_table = _shape(arrays, f"{tables}/word_embeddings", source)
    hidden, intermediate, layers = _sizes(arrays, "electra", source)
    values: dict[str, Any] = {
        "vocab_size": pieces,
        "embedding_size": width_of_table,
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": num_heads(hidden),
        "max_position_embeddings": _shape(
            arrays, f"{tables}/position_embeddings", source
        )[0],
        "type_vocab_size": _shape(
            arrays, f"{tables}/token_type_embeddings", source
        )[0],
    }
    values |= like_paper(values)
    heads = [n for n in HEADS if f"{n}_predictions/dense/kernel" in arrays]
    if heads == ["generator"]:
        return make_config(values | as_masked_lm(values))
    scope = next((s for s in _GENERATORS if _has(arrays, f"{s}/encoder/")), "")
    if not scope and heads == ["discriminator"]:
        return make_config(values | without_generator(values))
    if not scope:
        return make_config(values | {"tying": "all"})
    width, ffn, depth = _sizes(arrays, scope, source)
    tied = not _has(arrays, f"{scope}/embeddings/")
    return make_config(
        values
        | {
            "generator": _GENERATORS[scope],
            "objective": "electra" if scope == "generator" else "electric",
            "tying": "embeddings" if tied else "none",
            "generator_hidden_size": width / hidden,
            "generator_layers": depth / layers,
            "generator_intermediate_size": 0 if ffn == 4 * width else ffn,
        }
    )


def _shape(
    arrays: Mapping[str, np.ndarray], name: str, source: str
) -> tuple[int, ...]:
    rule = f"{source} must hold ELECTRA's variables"
    require(name in arrays, rule, f"one without {name}")
    return arrays[name].shape


def _sizes(
    arrays: Mapping[str, np.ndarray], scope: str, source: str
) -> tuple[int, ...]:
    """Width, FFN and depth of an encoder."""
    kernel = f"{scope}/encoder/layer_0/intermediate/dense/kernel"
    start = f"{scope}/encoder/layer_"
    layers = {
        name.removeprefix(start).partition("/")[0]
        for name in arrays
        if name.startswith(start)
    }
    return *_shape(arrays, kernel, source), len(layers)


def _has(arrays: Mapping[str, np.ndarray], scope: str) -> bool:
    return any(name.startswith(scope) for name in arrays)
