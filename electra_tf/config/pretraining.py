"""The configuration of a pre-training run: every field is exactly one flag.

Names are the authors' where they have one. Values that depend on the model's
size (paper, Tables 1 and 6) stand in sizes.py; a flag given explicitly wins.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, get_type_hints

from electra_tf.config import (
    POSITIVE,
    PROBABILITY,
    Field,
    Options,
    at_least,
    check_kind,
    check_values,
    field,
    fields_of,
    json_object,
    own,
)
from electra_tf.config.description import GENERATORS, TYINGS
from electra_tf.config.execution import ExecutionConfig, RunConfig
from electra_tf.config.objective_options import ObjectiveConfig
from electra_tf.config.objectives import describe, has_trained_generator
from electra_tf.config.optimization import OptimizerConfig
from electra_tf.config.sizes import SIZES, NetworkSizes, check_generator_sizes
from electra_tf.errors import require


@dataclasses.dataclass(frozen=True)
class ElectraConfig(NetworkSizes):
    """The networks: what a checkpoint's shapes and forward pass depend on.

    Attributes:
      hidden_dropout_prob: dropout of hidden states.
      attention_probs_dropout_prob: dropout of attention probabilities.
      generator: what proposes the replacements.
      tying: what generator and main network share; without a trained generator
        the default is none.
      initializer_range: deviation of the normal start of kernels and tables.
      position_init: start of the position table; sinusoidal leaves the unigram
        plateau sooner on little text.
    """

    hidden_dropout_prob: float = field(0.1, PROBABILITY)
    attention_probs_dropout_prob: float = field(0.1, PROBABILITY)
    generator: str = field("transformer", choices=GENERATORS)
    tying: str = field("embeddings", choices=TYINGS)
    initializer_range: float = field(0.02, POSITIVE)
    position_init: str = field("normal", choices=("normal", "sinusoidal"))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tying != "all":
            check_generator_sizes(self)
            return
        fractions = (self.generator_hidden_size, self.generator_layers)
        require(
            fractions == (1, 1),
            "tying=all shares one encoder, so generator_hidden_size and "
            "generator_layers must be 1",
            fractions,
        )


# Embedded corpora by language; the first is the default.
CORPORA = ("en", "ja")
WORD_BORDERS = ("bert", "punctuation", "spaces")
WORD_SPLITTERS = ("none", "mecab", "sudachi")
UNICODE_NORMALIZATIONS = ("none", "NFKC")
# What decides the ids beside the vocabulary; a tokenizer may have fewer.
TOKENIZER_OPTIONS = (
    "do_lower_case",
    "strip_accents",
    "word_borders",
    "word_splitter",
    "unicode_normalization",
)


def borders_of(splitter: str) -> dict[str, str]:
    """The word_borders that follow from a word_splitter, if any do."""
    return {} if splitter == WORD_SPLITTERS[0] else {"word_borders": "spaces"}


@dataclasses.dataclass(frozen=True)
class DataConfig(Options):
    """What is read.

    Attributes:
      data_dir: records: a folder of build_pretraining_data, the authors'
        folder, or a glob of TFRecords; empty: an embedded corpus.
      corpus: language of the embedded corpus, read where there is no data_dir.
      vocab_file: vocabulary for the embedded corpus, or for records without
        one.
      do_lower_case: lower-case as BERT uncased does.
      strip_accents: strip accents as BERT uncased does.
      word_borders: where words end: bert: at white space, punctuation and
        Chinese characters; punctuation: not at the latter; spaces: at white
        space alone, of text that was split already.
      word_splitter: what splits text without spaces, with word_borders=spaces:
        mecab (fugashi with unidic-lite) or sudachi, extra ja.
      unicode_normalization: NFKC makes one of full-width and half-width forms
        and the like, behind lower-casing (default: none for WordPiece, for
        SentencePiece what its model does).
      max_seq_length: L, tokens of an example.
    """

    data_dir: str = field("", defines=False)
    corpus: str = field(CORPORA[0], choices=CORPORA)
    vocab_file: str = field("", defines=False)
    do_lower_case: bool = field(True)
    strip_accents: bool = field(True)
    word_borders: str = field(WORD_BORDERS[0], choices=WORD_BORDERS)
    word_splitter: str = field(WORD_SPLITTERS[0], choices=WORD_SPLITTERS)
    unicode_normalization: str | None = field(
        None, choices=UNICODE_NORMALIZATIONS
    )
    max_seq_length: int = field(128, at_least(5))

    def __post_init__(self) -> None:
        super().__post_init__()
        borders = borders_of(self.word_splitter).get("word_borders")
        rule = f"word_borders must be {borders} with word_splitter="
        fits = borders in (None, self.word_borders)
        require(fits, rule + self.word_splitter, self.word_borders)


@dataclasses.dataclass(frozen=True)
class PretrainingConfig:
    """The whole configuration of `pretrain.py`."""

    model: ElectraConfig
    objective: ObjectiveConfig
    optimizer: OptimizerConfig
    data: DataConfig
    run: RunConfig
    execution: ExecutionConfig


BESIDE = "weights"
GROUPS: dict[str, Any] = get_type_hints(PretrainingConfig)


def all_fields() -> dict[str, Field]:
    """Every field by its flat name, which is its flag's name."""
    return fields_of(PretrainingConfig)


def make_config(values: Mapping[str, Any]) -> PretrainingConfig:
    """A validated configuration: the size's values, `values` over them.

    Raises:
      InputError: an unknown name or size, or a value that breaks a rule.
    """
    check_values(all_fields(), values)
    size = values.get("model_size", ElectraConfig.model_size)
    borders = borders_of(values.get("word_splitter", WORD_SPLITTERS[0]))
    flat = {**SIZES[size], **borders, **values}
    if "strip_accents" not in values:
        flat["strip_accents"] = flat.get("do_lower_case", True)
    if "tying" not in flat and not has_trained_generator(flat):
        flat["tying"] = "none"  # nothing is there to share with
    if flat.get("tying") == "all":
        # One shared encoder: its own size is the only one that makes sense.
        flat["generator_hidden_size"] = values.get("generator_hidden_size", 1.0)
    config = PretrainingConfig(
        **{name: group(**own(group, flat)) for name, group in GROUPS.items()}
    )
    rows = config.model.max_position_embeddings
    require(
        config.data.max_seq_length <= rows,
        f"max_seq_length must not exceed max_position_embeddings ({rows})",
        config.data.max_seq_length,
    )
    describe(config.objective.objective).check(flat_values(config))
    return config


def flat_values(config: PretrainingConfig) -> dict[str, Any]:
    """All values by flat name; `make_config` gives the same back."""
    return {
        name: value
        for group in dataclasses.asdict(config).values()
        for name, value in group.items()
    }


def differences(
    old: PretrainingConfig, new: PretrainingConfig
) -> dict[str, tuple[Any, Any]]:
    """Fields that differ in what defines the run: name -> (old, new)."""
    old_values, new_values = flat_values(old), flat_values(new)
    return {
        name: (old_values[name], new_values[name])
        for name, each in all_fields().items()
        if each.metadata["defines"] and old_values[name] != new_values[name]
    }


def to_json(config: PretrainingConfig) -> str:
    """The configuration as a run's folder keeps it: an object a group."""
    return json.dumps(dataclasses.asdict(config), indent=2) + "\n"


def from_json(text: str) -> PretrainingConfig:
    """Reads `to_json` back; anything else raises InputError.

    What folders of weights say beside it, under `BESIDE`, is left out.
    """
    groups = json_object(text)
    groups.pop(BESIDE, None)
    unknown = ", ".join(sorted(set(groups) - set(GROUPS)))
    require(not unknown, f"groups must be {', '.join(GROUPS)}", unknown)
    values: dict[str, Any] = {}
    for name, group in groups.items():
        check_kind(name, group, dict)
        values |= group
    return make_config(values)
