"""Fine-tuned models as `save` writes them, `.keras` files: read.

None of their classes is needed: what the file says of them is enough.
"""

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf

from electra_tf.config.finetuning import SPAN_STYLES
from electra_tf.config.pretraining import PretrainingConfig
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError, require
from electra_tf.modeling.embeddings import Embeddings
from electra_tf.modeling.encoder import Encoder
from electra_tf.weights.pairs import config_of_sizes
from electra_tf.weights.record import (
    Head,
    LazyArrays,
    OpenedWeights,
    WeightsFormat,
)

SUFFIX = ".keras"
_CONFIG, _ARRAYS = "config.json", "model.weights.h5"
# Classes of finetune/models, by the names that Keras writes.
_KINDS = {
    "electra_tf>Classifier": "classifier",
    "electra_tf>Regressor": "regressor",
    "electra_tf>Ranker": "regressor",
    "electra_tf>Tagger": "tagger",
    "electra_tf>SpanQA": "span_qa",
    "electra_tf>SentenceEncoder": "",  # an encoder, and no head
}
_LABELLED = ("classifier", "tagger")
# Dense layers keep their kernel first.
_PARTS = {"0": "kernel", "1": "bias"}


class KerasFile(WeightsFormat):
    """The encoder, the head, its labels and the tokenizer of such a file."""

    name = "keras"
    takes = f"a fine-tuned model's {SUFFIX} file"

    def recognises(self, path: str) -> bool:
        return path.endswith(SUFFIX) and tf.io.gfile.exists(path)

    def read(self, path: str) -> OpenedWeights:
        source = f"the fine-tuned model {path!r}"
        try:
            with tempfile.TemporaryDirectory() as folder:
                stored = os.path.join(folder, _ARRAYS)
                return _opened(_unpack(path, stored), stored, source)
        except InputError:
            raise
        except Exception as error:  # zipfile, h5py and Keras raise their own
            reason = " ".join(str(error).split())
            raise InputError(
                f"{source} must be a file that Keras saved whole; received one "
                f"that cannot be read ({type(error).__name__}: {reason})"
            ) from None


def _unpack(path: str, stored: str) -> dict[str, Any]:
    """What the file says of the model; its arrays are copied to `stored`."""
    with (
        tf.io.gfile.GFile(path, "rb") as file,
        zipfile.ZipFile(file) as archive,
        archive.open(_ARRAYS) as arrays,
        open(stored, "wb") as copy,
    ):
        shutil.copyfileobj(arrays, copy)
        return json.loads(archive.read(_CONFIG))


def _opened(
    model: Mapping[str, Any], stored: str, source: str
) -> OpenedWeights:
    name, values = model["registered_name"], model["config"]
    require(name in _KINDS, f"{source} must be of {', '.join(_KINDS)}", name)
    kind = _KINDS[name]
    tokenizer = _tokenizer(values["preprocessor"], source)
    encoder = _read_encoder(values["encoder"]["config"], stored)
    by_path = {variable.path: variable for variable in encoder.variables}
    labels = values["labels"] if kind in _LABELLED else ()
    return OpenedWeights(
        _config_of(encoder, tokenizer),
        tokenizer,
        LazyArrays(by_path, lambda path: by_path[path].numpy()),
        source,
        networks=(),
        head=_read_head(kind, values, stored) if kind else None,
        labels=tuple(map(str, labels)) or None,
    )


def _tokenizer(
    preprocessor: Mapping[str, Any] | None, source: str
) -> Tokenizer:
    rule = f"{source} must have its preprocessor, which has the vocabulary"
    if preprocessor is None:
        raise InputError(f"{rule}; received one saved without it")
    values = preprocessor["config"]
    if "tokenizer" in values:
        return Tokenizer.from_config(values["tokenizer"])
    # Of a file from before there were other kinds.
    names = ("vocab", "do_lower_case", "strip_accents")
    return Tokenizer(**{name: values[name] for name in names})


def _read_encoder(values: Mapping[str, Any], stored: str) -> Encoder:
    tables = Embeddings.from_config(values["embeddings"]["config"])
    # Without adapters, it reads what they add as a part of the kernels.
    others = ("name", "embeddings", "lora_rank")
    sizes = {n: x for n, x in values.items() if n not in others}
    encoder = Encoder(tables, name="electra", **sizes)
    encoder.build()
    # Keras reads what a model has, by its attributes, and leaves the rest.
    model = keras.Model()
    model.encoder, model.built = encoder, True
    model.load_weights(stored)
    return encoder


def _read_head(kind: str, values: Mapping[str, Any], stored: str) -> Head:
    arrays: dict[str, np.ndarray] = {}

    def keep(name: str, found: h5py.Group | h5py.Dataset) -> None:
        if isinstance(found, h5py.Dataset):
            *scopes, _, number = name.split("/")  # end/vars/0
            path = "/".join(["task_head", *scopes, _PARTS[number]])
            arrays[path] = found[()]

    with h5py.File(stored) as file:
        file["head"].visititems(keep)
    style = values.get("head", "paper")
    return Head(
        kind,
        arrays,
        SPAN_STYLES.get(style, style),
        values.get("multi_label", False),
        values.get("dropout", 0.0),
    )


def _config_of(encoder: Encoder, tokenizer: Tokenizer) -> PretrainingConfig:
    """The encoder's sizes as those of a run's main network."""
    tables, sizes = encoder.embeddings, encoder.sizes
    values = {
        "vocab_size": tables.vocab_size,
        "embedding_size": tables.embedding_size,
        "max_position_embeddings": tables.max_position_embeddings,
        "type_vocab_size": tables.type_vocab_size,
        "hidden_size": encoder.hidden_size,
        "num_hidden_layers": len(encoder.blocks),
        "num_attention_heads": sizes["num_attention_heads"],
        "intermediate_size": sizes["intermediate_size"],
        "hidden_dropout_prob": sizes["hidden_dropout"],
        "attention_probs_dropout_prob": sizes["attention_dropout"],
        "initializer_range": sizes["initializer_range"],
        "position_init": tables.position_init,
    }
    return config_of_sizes(values, tokenizer)
