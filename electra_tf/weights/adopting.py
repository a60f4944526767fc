"""What a run's configuration takes from `--init_checkpoint`."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from electra_tf.config import fields_of
from electra_tf.config.execution import RunConfig
from electra_tf.config.pretraining import TOKENIZER_OPTIONS, flat_values
from electra_tf.data.records.manifest import has_manifest, tokenizer_of
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.data.tokenizers.kinds import check_kind
from electra_tf.errors import InputError, require
from electra_tf.training.checkpoints import latest_checkpoint
from electra_tf.weights import open_pair
from electra_tf.weights.native import RunFolderWeights
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
# What says how weights are taken, and nothing without them.
_HOW = "generator_checkpoint init_optimizer init_vocab extend_positions".split()


def adopt_sizes(given: Mapping[str, Any]) -> dict[str, Any]:
    """Configuration values that were given, with those of init_checkpoint.

    Sizes, vocabulary, casing and length that are not given are those of the
    weights, but for what init_vocab and extend_positions let be another. A run
    that has a checkpoint of its own goes on from that: then they are the run's,
    and the initial weights need not be there any more.

    Args:
      given: flat values; without `init_checkpoint` they stay as they are.

    Raises:
      InputError: no such weights; or a value given that is not theirs, with
        both. Only the length may be another.
    """
    source, own = given.get("init_checkpoint"), given.get("model_dir")
    if not source:
        _check_how(given)
        return dict(given)
    if own and latest_checkpoint(own):
        # What differs, the run's folder refuses.
        return {**_values_of(RunFolderWeights().read(own)), **given}
    weights = open_pair(source, given.get("generator_checkpoint", ""))
    found = _values_of(weights)
    others = _extended(given, found["max_position_embeddings"], source)
    if given.get("init_vocab") == "match":
        others |= _other_vocabulary(given, weights)
        found.pop("vocab_file", None)
    else:
        _check_vocabulary(given, weights, source)
    for name in (*_SIZES, *TOKENIZER_OPTIONS):
        is_theirs = name in found and name not in others
        if is_theirs and given.get(name, found[name]) != found[name]:
            raise InputError(
                f"{name} must be that of init_checkpoint {source!r}, "
                f"{found[name]!r}; received {given[name]!r}"
            )
    names_one = any(map(given.get, ("data_dir", "vocab_file")))
    rule = f"the vocabulary of init_checkpoint {source!r} has no file of its "
    rule += "own, so data_dir or vocab_file must be given"
    require(names_one or "vocab_file" in found, rule, "neither")
    return {**found, **others, **given}


def _check_how(given: Mapping[str, Any]) -> None:
    for name in _HOW:
        default = fields_of(RunConfig)[name].default
        rule = f"{name} needs init_checkpoint, the weights to start from"
        value = given.get(name, default)
        require(value == default, rule, f"{name}={value}")


def _extended(
    given: Mapping[str, Any], rows: int, source: str
) -> dict[str, Any]:
    """The position table's rows, where they are to be more."""
    names = ("max_seq_length", "max_position_embeddings")
    wanted = max(given.get(name, 0) for name in names)
    if wanted <= rows:
        return {}
    rule = f"{' and '.join(names)} must be at most {rows}, the rows of the "
    rule += f"position table of init_checkpoint {source!r}, or "
    rule += "--extend_positions be given, which repeats them"
    require(given.get("extend_positions", False), rule, wanted)
    return {"max_position_embeddings": wanted}


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


def _given_vocabularies(
    given: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Tokenizer]:
    """Flag -> the vocabulary of its file or records, for those given."""
    found = {}
    if data_dir := given.get("data_dir"):
        if has_manifest(data_dir):
            found["data_dir"] = tokenizer_of(data_dir)
    if path := given.get("vocab_file"):
        found["vocab_file"] = Tokenizer.from_file(path, **options)
    return found


def _other_vocabulary(
    given: Mapping[str, Any], weights: OpenedWeights
) -> dict[str, Any]:
    """What follows from the vocabulary that init_vocab=match is for."""
    options = {n: given[n] for n in TOKENIZER_OPTIONS if n in given}
    options = {**weights.tokenizer.options, **options}
    found = [*_given_vocabularies(given, options).values()]
    rule = "init_vocab=match needs the other vocabulary: records in data_dir, "
    rule += "or vocab_file"
    require(bool(found), rule, "neither")
    theirs = found[0].options.items()
    own = {n: value for n, value in theirs if n in TOKENIZER_OPTIONS}
    return {"vocab_size": found[0].vocab_size, **own}


def _check_vocabulary(
    given: Mapping[str, Any], weights: OpenedWeights, source: str
) -> None:
    """Refuses another vocabulary, of a file or of records, piece by piece."""
    ours = weights.tokenizer
    if path := given.get("vocab_file"):
        check_kind("vocab_file", path, ours.kind, f"init_checkpoint {source!r}")
    others = _given_vocabularies(given, ours.options)
    for flag, other in others.items():
        pieces = zip_longest(ours.vocab, other.vocab)
        for number, (wanted, piece) in enumerate(pieces):
            if piece != wanted:
                raise InputError(
                    f"the vocabulary of {flag} must be that of "
                    f"init_checkpoint {source!r}, with {wanted!r} for id "
                    f"{number}; received {given[flag]!r}, with {piece!r} "
                    "(--init_vocab=match carries rows over)"
                )
        for name, wanted in ours.options.items():
            value = other.options.get(name)
            if value != wanted:
                raise InputError(
                    f"{name} of {flag} must be that of init_checkpoint "
                    f"{source!r}, {wanted}; received {given[flag]!r}, with "
                    f"{value}"
                )
