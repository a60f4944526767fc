"""`--init_checkpoint`: a fresh run that starts from somebody's weights."""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import keras

from electra_tf.config.execution import RunConfig
from electra_tf.config.pretraining import TOKENIZER_OPTIONS, flat_values
from electra_tf.data.records.manifest import has_manifest, tokenizer_of
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.data.tokenizers.kinds import check_kind
from electra_tf.errors import InputError, require
from electra_tf.pretraining.pretrainer import Pretrainer
from electra_tf.training.checkpoints import latest_checkpoint
from electra_tf.training.console import say
from electra_tf.weights import open_pair
from electra_tf.weights.assigning import assign_arrays
from electra_tf.weights.native import RunFolderWeights, split_tables
from electra_tf.weights.record import OpenedWeights

# What the weights' shapes and their use depend on. model_size is among them:
# where no flag gives it, learning rate and batch size follow the weights'.
_SIZES = (
    "model_size vocab_size embedding_size hidden_size num_hidden_layers "
    "num_attention_heads intermediate_size max_position_embeddings "
    "type_vocab_size generator_hidden_size generator_layers "
    "generator_num_attention_heads generator_intermediate_size "
    "generator tying"
).split()


def adopt_sizes(given: Mapping[str, Any]) -> dict[str, Any]:
    """Configuration values that were given, with those of init_checkpoint.

    Sizes, vocabulary, casing and length that are not given are those of the
    weights. A run that has a checkpoint of its own goes on from that: then
    they are the run's, and the initial weights need not be there any more.

    Args:
      given: flat values; without `init_checkpoint` they stay as they are.

    Raises:
      InputError: no such weights; or a value given that is not theirs, with
        both. Only the length may be another.
    """
    source, own = given.get("init_checkpoint"), given.get("model_dir")
    if not source:
        return dict(given)
    if own and latest_checkpoint(own):
        # What differs, the run's folder refuses.
        return {**_values_of(RunFolderWeights().read(own)), **given}
    weights = open_pair(source, given.get("generator_checkpoint", ""))
    found = _values_of(weights)
    for name in (*_SIZES, *TOKENIZER_OPTIONS):
        if name in found and given.get(name, found[name]) != found[name]:
            raise InputError(
                f"{name} must be that of init_checkpoint {source!r}, "
                f"{found[name]!r}; received {given[name]!r}"
            )
    _check_vocabulary(given, weights, source)
    names_one = any(map(given.get, ("data_dir", "vocab_file")))
    rule = f"the vocabulary of init_checkpoint {source!r} has no file of its "
    rule += "own, so data_dir or vocab_file must be given"
    require(names_one or "vocab_file" in found, rule, "neither")
    return {**found, **given}


def _values_of(weights: OpenedWeights) -> dict[str, Any]:
    values = flat_values(weights.config)
    names = [*_SIZES, "max_seq_length"]
    if weights.networks is not None and "generator" not in weights.networks:
        names = [n for n in names if n != "tying" and "generator" not in n]
    found = {name: values[name] for name in names}
    options = weights.tokenizer.options.items()
    found |= {n: value for n, value in options if n in TOKENIZER_OPTIONS}
    if weights.vocab_file:
        found["vocab_file"] = weights.vocab_file
    return found


def _check_vocabulary(
    given: Mapping[str, Any], weights: OpenedWeights, source: str
) -> None:
    """Refuses another vocabulary, of a file or of records, piece by piece."""
    ours, data_dir = weights.tokenizer, given.get("data_dir")
    others = {}
    if given.get("vocab_file"):
        path = given["vocab_file"]
        source_name = f"init_checkpoint {source!r}"
        check_kind("vocab_file", path, ours.kind, source_name)
        others["vocab_file"] = Tokenizer.from_file(path, **ours.options)
    if data_dir and has_manifest(data_dir):
        others["data_dir"] = tokenizer_of(data_dir)
    for flag, other in others.items():
        pieces = zip_longest(ours.vocab, other.vocab)
        for number, (wanted, piece) in enumerate(pieces):
            if piece != wanted:
                raise InputError(
                    f"the vocabulary of {flag} must be that of "
                    f"init_checkpoint {source!r}, with {wanted!r} for id "
                    f"{number}; received {given[flag]!r}, with {piece!r}"
                )
        for name, wanted in ours.options.items():
            value = other.options.get(name)
            if value != wanted:
                raise InputError(
                    f"{name} of {flag} must be that of init_checkpoint "
                    f"{source!r}, {wanted}; received {given[flag]!r}, with "
                    f"{value}"
                )


def initial_weights(run: RunConfig) -> Callable[[Pretrainer], None] | None:
    """A function that gives a fresh model the weights of `--init_checkpoint`.

    Step, optimizer and data position start anew, but with `--init_optimizer`.

    Args:
      run: what names the weights; None where it names none.
    """
    if not run.init_checkpoint:
        return None

    def assign(pretrainer: Pretrainer) -> None:
        # Read here: a run that goes on does not need them any more.
        weights = open_pair(run.init_checkpoint, run.generator_checkpoint)
        variables = _that_are_there(pretrainer.trainable_variables, weights)
        arrays = split_tables(weights.arrays, [v.path for v in variables])
        by_path = {variable.path: variable for variable in variables}
        assign_arrays(by_path, arrays, weights.source)
        if run.init_optimizer:
            _assign_slots(pretrainer, weights)

    return assign


def _that_are_there(
    variables: Sequence[keras.Variable], weights: OpenedWeights
) -> list[keras.Variable]:
    """All variables; of a source that lacks a network, those of the others."""
    if weights.networks is None:
        return list(variables)
    found = [v for v in variables if v.path in weights.arrays]
    scopes = {v.path.partition("/")[0] for v in variables}
    fresh = scopes - {v.path.partition("/")[0] for v in found}
    if fresh:
        names = ", ".join(sorted(fresh))
        say(f"fresh, since {weights.source} has none: {names}")
    return [v for v in variables if v.path.partition("/")[0] not in fresh]


def _assign_slots(pretrainer: Pretrainer, weights: OpenedWeights) -> None:
    slots, optimizer = weights.optimizer, pretrainer.optimizer
    if slots is None or slots.step is None:
        raise InputError(
            "init_optimizer needs weights with a step and Adam's moments; "
            f"received {weights.source}"
        )
    variables = pretrainer.trainable_variables
    for slot, arrays in (
        (optimizer.adam_m, slots.m),
        (optimizer.adam_v, slots.v),
    ):
        by_path = {
            variable.path: slot[optimizer._get_variable_index(variable)]
            for variable in variables
        }
        assign_arrays(by_path, arrays, weights.source)
    optimizer.iterations.assign(slots.step)
