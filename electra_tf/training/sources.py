"""The records and the tokenizer of a run, found or made."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.config.pretraining import TOKENIZER_OPTIONS, PretrainingConfig
from electra_tf.data.records import Records, open_records
from electra_tf.data.records.build import build_records
from electra_tf.data.records.manifest import (
    has_manifest,
    read_manifest,
    tokenizer_of,
)
from electra_tf.data.records.scan import foreign_paths
from electra_tf.data.text import (
    about_embedded_corpus,
    embedded_corpus_path,
    embedded_vocab_path,
    read_documents,
)
from electra_tf.data.tokenizers import DEFAULT_KIND, KINDS, Tokenizer
from electra_tf.data.tokenizers.kinds import check_kind
from electra_tf.errors import require

BERT_VOCAB_SIZE = 30522
# The English corpus is 62 addresses: one in twenty is held out.
EMBEDDED_EVAL_FRACTION = 0.05
_LONG_WORD = 10


@dataclasses.dataclass(frozen=True)
class Source:
    """What a run reads.

    Attributes:
      config: with the vocabulary's real size.
      tokenizer: of the records.
      train, held_out: the records; `held_out` may be None.
    """

    config: PretrainingConfig
    tokenizer: Tokenizer
    train: Records
    held_out: Records | None


def adopt_vocabulary(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values that were given, with vocab_size of the records or vocab_file.

    Args:
      given: flat values; where neither names a vocabulary they stay as they
        are.

    Raises:
      InputError: a vocab_size given that is not the vocabulary's.
    """
    data_dir, path = given.get("data_dir"), given.get("vocab_file")
    if data_dir and has_manifest(data_dir):
        size, source = read_manifest(data_dir)["vocab_size"], data_dir
    else:
        source = path or (Tokenizer.find_file(data_dir) if data_dir else "")
        if not source or not tf.io.gfile.exists(source):
            return dict(given)
        size = Tokenizer.from_file(source).vocab_size
    wanted = given.get("vocab_size", size)
    rule = f"vocab_size must be {size}, the pieces of the vocabulary in"
    remedy = "leave it out, or build records with the other vocabulary"
    require(wanted == size, f"{rule} {source} ({remedy})", wanted)
    return {**given, "vocab_size": size}


def open_source(
    config: PretrainingConfig, say: Callable[[str], None]
) -> Source:
    """The run's records; of the embedded corpus where no data_dir is given.

    Args:
      config: the run's configuration.
      say: told what is made and what cannot be checked.

    Raises:
      InputError: records, vocabulary and configuration do not fit.
    """
    data_dir = config.data.data_dir
    if not data_dir:
        data_dir = _embedded_records(config, say)
    tokenizer = _tokenizer(config, data_dir, say)
    config = _with_vocabulary(config, tokenizer)
    length = config.data.max_seq_length
    train = open_records(data_dir, "train", length)
    held_out = open_records(data_dir, "eval", length)
    if held_out is None:
        say(f"no held-out records in {data_dir}: nothing will be evaluated")
    _check_ids(train, tokenizer, data_dir)
    if config.objective.masking != "token":
        _warn_of_long_words(train, tokenizer, say)
    return Source(config, tokenizer, train, held_out)


def _embedded_records(
    config: PretrainingConfig, say: Callable[[str], None]
) -> str:
    folder = os.path.join(config.run.model_dir, "data")
    if has_manifest(folder):
        found = read_manifest(folder)["vocab_size"]
        size = config.model.vocab_size
        fits = bool(config.data.vocab_file) or found <= size
        rule = f"vocab_size must be that of the records in {folder}: {found}"
        require(fits, f"{rule} pieces; or use another model_dir", size)
        if found < size:
            say(f"the vocabulary in {folder} has {found:,} pieces")
        return folder
    corpus = config.data.corpus
    say(
        "no --data_dir: building records of the embedded corpus "
        f"({about_embedded_corpus(corpus)}) in {folder}"
    )
    text = embedded_corpus_path(corpus)
    build_records(
        [text],
        folder,
        _embedded_tokenizer(config, text, say),
        config.data.max_seq_length,
        seed=config.run.seed,
        eval_fraction=EMBEDDED_EVAL_FRACTION,
        num_shards=1,
        num_processes=1,
    )
    return folder


def _embedded_tokenizer(
    config: PretrainingConfig, text: str, say: Callable[[str], None]
) -> Tokenizer:
    path, size = config.data.vocab_file, config.model.vocab_size
    options = _options(config)
    if not path and size == BERT_VOCAB_SIZE and config.data.corpus == "en":
        path = embedded_vocab_path()
    if path:
        return Tokenizer.from_file(path, **options)
    say(f"training a vocabulary of {size:,} pieces on it")
    lines = [line for document in read_documents([text]) for line in document]
    tokenizer, _ = KINDS[DEFAULT_KIND].learn(lines, size, **options)
    if tokenizer.vocab_size < size:
        say(f"it gives {tokenizer.vocab_size:,} pieces, no more")
    return tokenizer


def _tokenizer(
    config: PretrainingConfig, data_dir: str, say: Callable[[str], None]
) -> Tokenizer:
    if has_manifest(data_dir):
        tokenizer = tokenizer_of(data_dir)
        _check_settings(tokenizer, config, data_dir)
        return tokenizer
    foreign_paths(data_dir)  # First of all there must be records.
    say(
        f"{data_dir} has no manifest: whether its text was lower-cased as "
        "this run's tokenizer does cannot be checked"
    )
    path = config.data.vocab_file or Tokenizer.find_file(data_dir)
    rule = "records without a manifest need a vocabulary: --vocab_file must be"
    require(tf.io.gfile.exists(path), f"{rule} a file", path)
    return Tokenizer.from_file(path, **_options(config))


def _options(config: PretrainingConfig) -> dict[str, Any]:
    return {name: getattr(config.data, name) for name in TOKENIZER_OPTIONS}


def _check_settings(
    tokenizer: Tokenizer, config: PretrainingConfig, data_dir: str
) -> None:
    for name, wanted in _options(config).items():
        found = getattr(tokenizer, name, wanted)
        if wanted is None:
            continue  # whatever it is
        rule = f"{name} must be {found}, as of the records in {data_dir}"
        require(found == wanted, rule, wanted)
    if config.data.vocab_file:
        check_kind(
            "vocab_file",
            config.data.vocab_file,
            tokenizer.kind,
            f"the records in {data_dir}",
        )
        given = Tokenizer.from_file(config.data.vocab_file)
        require(
            given.vocab == tokenizer.vocab,
            f"vocab_file must be the vocabulary of the records in {data_dir}, "
            f"{tokenizer.vocab_size} pieces",
            f"{config.data.vocab_file}, {given.vocab_size} pieces",
        )
    found = tokenizer.vocab_size
    expected = read_manifest(data_dir)["vocab_size"]
    rule = f"the vocabulary in {data_dir} must have {expected} pieces, as its"
    require(expected == found, f"{rule} manifest says", found)


def _with_vocabulary(
    config: PretrainingConfig, tokenizer: Tokenizer
) -> PretrainingConfig:
    """The configuration with the vocabulary's size as the table's."""
    size, wanted = tokenizer.vocab_size, config.model.vocab_size
    # A vocabulary trained on little text may stay below the size asked for.
    trained = not (config.data.data_dir or config.data.vocab_file)
    fits = wanted == size or (trained and size < wanted)
    require(fits, f"vocab_size must be the vocabulary's, {size}", wanted)
    model = dataclasses.replace(config.model, vocab_size=size)
    return dataclasses.replace(config, model=model)


def _check_ids(train: Records, tokenizer: Tokenizer, data_dir: str) -> None:
    if train.token_counts is None:
        return
    highest = int(train.token_counts.nonzero()[0].max(initial=0))
    require(
        highest < tokenizer.vocab_size,
        f"ids of the records in {data_dir} must be below the vocabulary's "
        f"{tokenizer.vocab_size} pieces: they were made with another one",
        highest,
    )


def _warn_of_long_words(
    train: Records, tokenizer: Tokenizer, say: Callable[[str], None]
) -> None:
    """Says where text has no borders of words, as Japanese has none."""
    if train.token_counts is None:
        return
    counts = np.array(train.token_counts, np.int64)
    counts[list(tokenizer.special_ids)] = 0
    words = counts[tokenizer.starts_word[: len(counts)]].sum()
    length = counts.sum() / max(words, 1)
    if length > _LONG_WORD:
        say(
            f"a word has {length:.0f} tokens on average, too many to be masked "
            "whole: split text without spaces into words first, or leave "
            "--masking=token"
        )
