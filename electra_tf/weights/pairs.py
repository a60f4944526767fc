"""Two networks as one record, and each of a record's networks by itself.

Other libraries keep generator and discriminator apart, each with its own
sizes. By itself a discriminator is `electra/` and its head; a generator is
what objective=mlm trains: `electra/` and the masked-LM head.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from electra_tf.config.objectives import describe
from electra_tf.config.pretraining import (
    PretrainingConfig,
    flat_values,
    make_config,
)
from electra_tf.config.sizes import generator_sizes, like_paper, num_heads
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError, require
from electra_tf.pretraining.factory import network_shapes
from electra_tf.weights.assigning import with_shapes
from electra_tf.weights.names import SCOPE, check_names, network_names
from electra_tf.weights.record import LazyArrays, OpenedWeights

_GENERATOR = "generator/"
_TABLES = f"{SCOPE}embeddings/"
_PROJECTION = "embeddings_project/"
_ENCODER = (f"{SCOPE}encoder/", SCOPE + _PROJECTION)
_HEADS = {
    "discriminator": "discriminator_predictions/",
    "generator": "generator_predictions/",
}
# What a generator has of its own; the other sizes are shared.
_SIZES = (
    "hidden_size num_hidden_layers num_attention_heads intermediate_size"
).split()
_SHARED = "vocab_size embedding_size max_position_embeddings type_vocab_size"


def networks_of(weights: OpenedWeights) -> tuple[str, ...]:
    """Names of the networks that are there; none for an encoder alone."""
    if weights.networks is not None:
        return weights.networks
    described = describe(weights.config.objective.objective)
    trained = described.trains_generator(weights.config.model.generator)
    parts = [part.name for part in (described.main, *described.parts)]
    return ("generator", *parts) if trained else tuple(parts)


def expected_shapes(weights: OpenedWeights) -> Mapping[str, tuple[int, ...]]:
    """Paths and shapes of the variables that a record's networks have."""
    shapes = network_shapes(weights.config)
    if weights.networks is None or len(weights.networks) > 1:
        return shapes
    kind = weights.networks[0] if weights.networks else "encoder"
    names = network_names(weights.config.model, kind)
    return {name.ours: shapes[name.ours] for name in names}


def complete(weights: OpenedWeights) -> OpenedWeights:
    """The same, of which no variable is missing or left over.

    Raises:
      InputError: which are missing, or unknown; or, when an array is read,
        that its shape is another.
    """
    shapes = expected_shapes(weights)
    check_names(shapes, weights.arrays, weights.source)
    arrays = with_shapes(weights.arrays, shapes, weights.source)
    return dataclasses.replace(weights, arrays=arrays)


def names_alone(weights: OpenedWeights, network: str) -> dict[str, str]:
    """A network's variables by themselves -> their paths in the record.

    Raises:
      InputError: it is not there.
    """
    head = _HEADS[network]
    is_there = any(name.startswith(head) for name in weights.arrays)
    rule = f"{weights.source} must hold a {network}"
    require(is_there, rule, ", ".join(weights.networks or ("others",)))
    if network == "generator" and _has_own_encoder(weights):
        return _own_names(weights.arrays, head)
    parts = (_TABLES, *_ENCODER, head)
    return {name: name for name in weights.arrays if name.startswith(parts)}


def alone(weights: OpenedWeights, network: str) -> OpenedWeights:
    """One of the networks of a record, by itself.

    Args:
      weights: of an objective with these networks, plain encoders.
      network: "discriminator" or "generator".

    Raises:
      InputError: it is not there, or is no plain encoder with such a head.
    """
    names = names_alone(weights, network)
    values = flat_values(weights.config)
    if network == "generator":
        values = _of_generator(weights.config, values, weights)
    return dataclasses.replace(
        weights,
        config=make_config(values),
        arrays=LazyArrays(names, lambda name: weights.arrays[names[name]]),
        networks=(network,),
        optimizer=None,
        stored_as={
            name: weights.stored_as.get(there, there)
            for name, there in names.items()
        },
    )


def pair(
    discriminator: OpenedWeights, generator: OpenedWeights
) -> OpenedWeights:
    """A discriminator and a generator, each by itself, as one record.

    Their embeddings are one where they are equal.

    Raises:
      InputError: vocabulary or the tables' sizes differ, with both.
    """
    _check_fit(discriminator, generator)
    tied = all(
        np.array_equal(discriminator.arrays[name], generator.arrays[name])
        for name in generator.arrays
        if name.startswith(_TABLES)
    )
    names = {
        _GENERATOR + name.removeprefix(SCOPE)
        if name.startswith(SCOPE)
        else name: name
        for name in generator.arrays
        if not (tied and name.startswith(_TABLES))
    }

    def read(name: str) -> np.ndarray:
        if name in names:
            return generator.arrays[names[name]]
        return discriminator.arrays[name]

    stored = generator.stored_as
    return dataclasses.replace(
        discriminator,
        config=_config_of_both(discriminator, generator, tied),
        arrays=LazyArrays([*discriminator.arrays, *names], read),
        networks=("generator", "discriminator"),
        source=f"{discriminator.source} and {generator.source}",
        stored_as={
            **discriminator.stored_as,
            **{n: stored.get(there, there) for n, there in names.items()},
        },
    )


def _check_fit(discriminator: OpenedWeights, generator: OpenedWeights) -> None:
    ours, theirs = (flat_values(w.config) for w in (discriminator, generator))
    for name in _SHARED.split():
        rule = f"{name} of {generator.source} must be that of "
        rule += f"{discriminator.source}, {ours[name]}"
        require(ours[name] == theirs[name], rule, theirs[name])
    same = discriminator.tokenizer.vocab == generator.tokenizer.vocab
    rule = "generator and discriminator must have one vocabulary"
    require(same, rule, f"{generator.source} with another")


def _config_of_both(
    discriminator: OpenedWeights, generator: OpenedWeights, tied: bool
) -> PretrainingConfig:
    ours, theirs = (flat_values(w.config) for w in (discriminator, generator))
    sizes = [theirs[name] / ours[name] for name in _SIZES[:2]]
    derived = num_heads(theirs["hidden_size"]), 4 * theirs["hidden_size"]
    own = [
        0 if theirs[name] == usual else theirs[name]
        for name, usual in zip(_SIZES[2:], derived, strict=True)
    ]
    values = {
        **ours,
        "objective": "electra",
        "tying": "embeddings" if tied else "none",
        "generator_hidden_size": sizes[0],
        "generator_layers": sizes[1],
        "generator_num_attention_heads": own[0],
        "generator_intermediate_size": own[1],
    }
    return make_config(values)


def _has_own_encoder(weights: OpenedWeights) -> bool:
    return any(
        name.startswith(f"{_GENERATOR}encoder/") for name in weights.arrays
    )


def _own_names(arrays: Mapping[str, np.ndarray], head: str) -> dict[str, str]:
    """Names of a generator by itself -> those beside a discriminator."""
    own = f"{_GENERATOR}embeddings/"
    tables = own if any(n.startswith(own) for n in arrays) else _TABLES
    parts = (tables, f"{_GENERATOR}encoder/", _GENERATOR + _PROJECTION)
    names = {}
    for name in arrays:
        if name.startswith(parts):
            names[SCOPE + name.partition("/")[2]] = name
        elif name.startswith(head):
            names[name] = name
    return names


def _of_generator(
    config: PretrainingConfig, values: dict[str, Any], weights: OpenedWeights
) -> dict[str, Any]:
    if config.model.generator != "transformer":
        raise InputError(
            "a generator by itself must be a transformer; received "
            f"{weights.source} with {config.model.generator}"
        )
    if _has_own_encoder(weights):
        sizes = generator_sizes(config.model)
        values |= {name: getattr(sizes, name) for name in _SIZES}
    return values | as_masked_lm(values)


def as_masked_lm(values: Mapping[str, Any]) -> dict[str, Any]:
    """What makes of sizes those of a generator by itself."""
    return {"objective": "mlm", "tying": "none", **without_generator(values)}


def config_of_sizes(
    values: Mapping[str, Any], tokenizer: Tokenizer
) -> PretrainingConfig:
    """The configuration of an encoder that somebody else's file tells of.

    Args:
      values: the encoder's sizes as the main network's of ours.
      tokenizer: whose casing it is.

    Raises:
      InputError: they break a rule.
    """
    found = {**values, **like_paper(values)}
    if "model_size" not in found:
        found |= without_generator(values)
    return make_config(found | tokenizer.options)


def without_generator(values: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes of a generator that is not there: some that can be."""
    return {
        "generator_hidden_size": 1.0,
        "generator_layers": 1.0,
        "generator_num_attention_heads": values["num_attention_heads"],
        "generator_intermediate_size": values["intermediate_size"],
    }
