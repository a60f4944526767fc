"""config.json as Hugging Face has it for ELECTRA, read and written."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from electra_tf.config.pretraining import PretrainingConfig
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError, require
from electra_tf.weights.pairs import config_of_sizes

# The names that are the same on both sides.
_SAME = (
    "vocab_size embedding_size hidden_size num_hidden_layers "
    "num_attention_heads intermediate_size max_position_embeddings "
    "type_vocab_size hidden_dropout_prob attention_probs_dropout_prob "
    "initializer_range"
).split()
_TYPES = dict.fromkeys(_SAME[:8], int) | dict.fromkeys(_SAME[8:], float)
# What Hugging Face's ElectraConfig takes where the file does not say it.
_DEFAULTS = {
    "vocab_size": 30522,
    "embedding_size": 128,
    "hidden_size": 256,
    "num_hidden_layers": 12,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
}
# Of ours there is one; another would give other numbers without a word.
_FIXED = {
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute",),
    "layer_norm_eps": (1e-12,),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
}
ARCHITECTURES = {
    "ElectraForPreTraining": "discriminator",
    "ElectraForMaskedLM": "generator",
    "ElectraModel": "encoder",
    "ElectraForSequenceClassification": "classifier",
    "ElectraForTokenClassification": "tagger",
    "ElectraForQuestionAnswering": "span_qa",
}
CLASSES = {kind: name for name, kind in ARCHITECTURES.items()}
CLASSES["regressor"] = CLASSES["classifier"]
MULTI_LABEL = "multi_label_classification"


@dataclasses.dataclass(frozen=True)
class HuggingFaceConfig:
    """What a config.json tells.

    Attributes:
      config: the encoder's sizes as the main network's of ours.
      kind: of the head, a value of `ARCHITECTURES`; "" where it does not say.
      labels: names of the classes, in order.
      multi_label: whether each label is judged by itself.
      head_dropout: before the output of a fine-tuned head.
    """

    config: PretrainingConfig
    kind: str
    labels: tuple[str, ...]
    multi_label: bool
    head_dropout: float


def check_model_type(found: Mapping[str, Any], path: str) -> None:
    """Refuses BERT, RoBERTa and the like by name."""
    kind = found.get("model_type", "none")
    rule = f"model_type in {path!r} must be electra"
    require(kind == "electra", rule, kind)


def read_config(
    found: Mapping[str, Any], path: str, tokenizer: Tokenizer
) -> HuggingFaceConfig:
    """Our configuration of theirs.

    Args:
      found: the content of config.json.
      path: of the file, for messages.
      tokenizer: the folder's.

    Raises:
      InputError: a variant that is not ELECTRA as published, sizes that no
        network has, or a vocabulary of another size.
    """
    for name, allowed in _FIXED.items():
        value = found.get(name)
        rule = f"{name} in {path!r} must be {allowed[0]}"
        require(value in (None, *allowed), rule, value)
    values = {name: found.get(name, _DEFAULTS[name]) for name in _SAME}
    for name, value in values.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        rule = f"{name} in {path!r} must be a number ({_TYPES[name].__name__})"
        require(number and _TYPES[name](value) == value, rule, value)
        values[name] = _TYPES[name](value)
    rule = f"vocab_size in {path!r} must be that of the vocabulary beside it, "
    rule += str(tokenizer.vocab_size)
    same = values["vocab_size"] == tokenizer.vocab_size
    require(same, rule, values["vocab_size"])
    try:
        config = config_of_sizes(values, tokenizer)
    except InputError as error:
        raise InputError(f"{path!r}: {error}") from None
    labels = _labels(found, path)
    dropout = found.get("classifier_dropout")
    if dropout is None:
        dropout = values["hidden_dropout_prob"]
    return HuggingFaceConfig(
        config,
        _kind(found, path),
        labels,
        found.get("problem_type") == MULTI_LABEL,
        float(dropout),
    )


def _kind(found: Mapping[str, Any], path: str) -> str:
    names = found.get("architectures")
    if not isinstance(names, list) or not names:
        return ""
    name = str(names[0]).removeprefix("TF").removeprefix("Flax")
    rule = f"architectures in {path!r} must be one of "
    require(name in ARCHITECTURES, rule + ", ".join(ARCHITECTURES), name)
    return ARCHITECTURES[name]


def _labels(found: Mapping[str, Any], path: str) -> tuple[str, ...]:
    table = found.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})
    rule = f"id2label in {path!r} must name the classes 0, 1, ... in turn"
    is_table = isinstance(table, dict) and all(
        isinstance(label, str) for label in table.values()
    )
    require(is_table, rule, table)
    numbered = {str(key): label for key, label in table.items()}
    wanted = list(map(str, range(len(numbered))))
    require(sorted(numbered) == sorted(wanted), rule, sorted(numbered))
    return tuple(numbered[key] for key in wanted)


def written_config(
    config: PretrainingConfig, kind: str, pad_id: int
) -> dict[str, Any]:
    """The content of config.json, but for a fine-tuned head's.

    Args:
      config: of a network by itself (weights/pairs.py).
      kind: of the head, a key of `CLASSES`.
      pad_id: of [PAD].
    """
    sizes = {name: getattr(config.model, name) for name in _SAME}
    return {
        "architectures": [CLASSES[kind]],
        "model_type": "electra",
        **sizes,
        **{name: allowed[0] for name, allowed in _FIXED.items()},
        "summary_activation": "gelu",
        "summary_last_dropout": 0.1,
        "summary_type": "first",
        "summary_use_proj": True,
        "pad_token_id": pad_id,
        "tie_word_embeddings": True,
    }
