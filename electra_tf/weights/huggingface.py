"""Folders of Hugging Face's ELECTRA classes: read, and written."""

import json
import math
import os

import numpy as np
import tensorflow as tf

from electra_tf.config.objectives import describe
from electra_tf.config.pretraining import (
    flat_values,
    make_config,
)
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import require
from electra_tf.files import make_folder, read_json, write_text
from electra_tf.locks import new_folder
from electra_tf.pretraining.factory import network_shapes
from electra_tf.weights import pairs
from electra_tf.weights.huggingface_card import model_card
from electra_tf.weights.huggingface_config import (
    CLASSES,
    check_model_type,
    read_config,
    written_config,
)
from electra_tf.weights.huggingface_heads import (
    head_tensors,
    read_head,
    written_head,
    written_labels,
)
from electra_tf.weights.huggingface_names import (
    OUTPUT_TABLE,
    ROOT,
    WORDS,
    canonical_names,
    head_of,
)
from electra_tf.weights.huggingface_tokenizer import (
    read_tokenizer,
    write_tokenizer,
)
from electra_tf.weights.names import check_names, network_names
from electra_tf.weights.record import (
    LazyArrays,
    OpenedWeights,
    WeightsFormat,
)
from electra_tf.weights.safetensors_writer import DTYPES, write_safetensors
from electra_tf.weights.tensor_files import TENSOR_FILES, open_tensors

CONFIG, TENSORS = "config.json", "model.safetensors"
CARD = "README.md"
_PAIR = ("discriminator", "generator")


class HuggingFaceWeights(WeightsFormat):
    """config.json, the tensors, and the tokenizer's files.

    A folder with two such folders, `discriminator` and `generator`, is both.
    """

    name = "huggingface"
    takes = (
        f"a Hugging Face folder ({CONFIG}, {TENSORS} or an older form), or "
        "one with discriminator/ and generator/"
    )
    keeps = ("head", "labels")

    def recognises(self, path: str) -> bool:
        return _holds_tensors(path) or bool(_networks_in(path))

    def read(self, path: str) -> OpenedWeights:
        if _holds_tensors(path):
            return _read_network(path)
        folders = [os.path.join(path, name) for name in _networks_in(path)]
        found = [_read_network(folder) for folder in folders]
        return found[0] if len(found) == 1 else pairs.pair(*found)

    def write(
        self, weights: OpenedWeights, output_dir: str, dtype: str
    ) -> None:
        rule = f"dtype must be one of {', '.join(DTYPES)}"
        require(dtype in DTYPES, rule, dtype)
        networks = _written_networks(weights)
        last = TENSORS if not networks else networks[-1]
        with new_folder(output_dir, last) as folder:
            if not networks:
                kind = _kind(weights)
                _write_network(weights, kind, folder, dtype, weights)
            for name in networks:
                alone = pairs.alone(weights, name)
                there = os.path.join(folder, name)
                _write_network(alone, name, there, dtype, weights)

    def plan(self, weights: OpenedWeights) -> list[tuple[str, str]]:
        rows = [
            (f"{kind}: {name.huggingface}", paths[name.ours])
            for kind in _written_networks(weights)
            for paths in [pairs.names_alone(weights, kind)]
            for name in network_names(
                pairs.alone(weights, kind).config.model, kind
            )
        ]
        if rows:
            return rows
        names = network_names(weights.config.model, _kind(weights))
        rows = [(name.huggingface, name.ours) for name in names]
        if weights.head is not None:
            tensors = written_head(weights.head)
            rows += [(tensor, "the head") for tensor in tensors]
        return rows


def _written_networks(weights: OpenedWeights) -> list[str]:
    there = pairs.networks_of(weights)
    rule = "a model for Hugging Face must have a discriminator or be an MLM"
    described = describe(weights.config.objective.objective)
    is_known = not there or described.main.name in _PAIR
    require(is_known, rule, f"objective={described.name}")
    return [name for name in _PAIR if name in there]


def _kind(weights: OpenedWeights) -> str:
    return weights.head.kind if weights.head else "encoder"


def _holds_tensors(path: str) -> bool:
    names = (CONFIG, *TENSOR_FILES)
    there = [tf.io.gfile.exists(os.path.join(path, name)) for name in names]
    return there[0] and any(there[1:])


def _networks_in(path: str) -> list[str]:
    return [n for n in _PAIR if _holds_tensors(os.path.join(path, n))]


def _read_network(path: str) -> OpenedWeights:
    config_file, source = os.path.join(path, CONFIG), f"the folder {path!r}"
    found = read_json(config_file)
    check_model_type(found, config_file)
    tokenizer = read_tokenizer(path)
    theirs = read_config(found, config_file, tokenizer)
    tensors = open_tensors(path)
    stored = canonical_names(tensors, tensors.kind, source)
    kind = theirs.kind or head_of(stored)

    def read(canonical: str) -> np.ndarray:
        place = stored[canonical]
        array = _as_floats(place.name, tensors[place.name], source)
        return array.T if place.is_transposed else array

    if OUTPUT_TABLE in stored:
        same = np.array_equal(read(OUTPUT_TABLE), read(ROOT + WORDS))
        rule = f"{OUTPUT_TABLE} in {source} must be the word table"
        require(same, rule, "another one")
        del stored[OUTPUT_TABLE]
    config = theirs.config
    if kind == "generator":
        values = flat_values(config)
        config = make_config(values | pairs.as_masked_lm(values))
    names = network_names(config.model, kind)
    wanted = [*(name.huggingface for name in names), *head_tensors(kind)]
    check_names(wanted, stored, f"{source}, a {CLASSES[kind]},")
    by_path = {name.ours: name for name in names}

    def ours(path: str) -> np.ndarray:
        name = by_path[path]
        return name.from_huggingface(read(name.huggingface))

    return OpenedWeights(
        config,
        tokenizer,
        LazyArrays(by_path, ours),
        source,
        _vocab_file(path),
        networks=(kind,) if kind in _PAIR else (),
        head=read_head(theirs, kind, read),
        labels=theirs.labels if kind in ("classifier", "tagger") else None,
        stored_as={
            path: stored[name.huggingface].name
            for path, name in by_path.items()
        },
    )


def _vocab_file(path: str) -> str:
    file = Tokenizer.find_file(path)
    return file if tf.io.gfile.exists(file) else ""


def _write_network(
    weights: OpenedWeights,
    kind: str,
    folder: str,
    dtype: str,
    run: OpenedWeights,
) -> None:
    """Writes a network by itself; its card tells of the `run` as it was."""
    make_folder(folder)
    names = network_names(weights.config.model, kind)
    shapes = network_shapes(weights.config)
    by_theirs = {name.huggingface: name for name in names}
    tensors = {
        theirs: name.shape_there(shapes[name.ours])
        for theirs, name in by_theirs.items()
    }
    model = weights.config.model
    config = written_config(weights.config, kind, weights.tokenizer.pad_id)
    head: dict[str, np.ndarray] = {}
    if weights.head is not None:
        head = written_head(weights.head)
        config |= written_labels(weights.head, weights.labels)
        tensors |= {name: array.shape for name, array in head.items()}

    def read(theirs: str) -> np.ndarray:
        if theirs in head:
            return head[theirs]
        name = by_theirs[theirs]
        return name.to_huggingface(weights.arrays[name.ours])

    config |= {"dtype": dtype}
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    write_text(os.path.join(folder, CONFIG), text)
    write_tokenizer(weights.tokenizer, folder, model.max_position_embeddings)
    num_weights = sum(map(math.prod, tensors.values()))
    card = model_card(run, kind, model, num_weights)
    write_text(os.path.join(folder, CARD), card)
    path = os.path.join(folder, TENSORS)
    write_safetensors(path, tensors, LazyArrays(tensors, read), dtype)


def _as_floats(name: str, array: np.ndarray, source: str) -> np.ndarray:
    """As float32, of whatever width the floats were.

    Raises:
      InputError: they are no floats.
    """
    is_float = array.dtype.kind == "f" or array.dtype.name == "bfloat16"
    rule = f"{name} in {source} must hold floats"
    require(is_float, rule, array.dtype.name)
    return array.astype(np.float32, copy=False)
