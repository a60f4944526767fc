"""Strings to model inputs, as a layer that can stand inside a model."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from electra_tf.data.columns import WHOLE
from electra_tf.data.tokenizers import Tokenizer, pack_segments
from electra_tf.data.tokenizers.word_splitter import check_is_split
from electra_tf.errors import require

Texts: TypeAlias = tf.Tensor | Mapping[str, tf.Tensor]
TEXT_NAMES = ("text", "text_pair")
_TEXTS_AT_ONCE = 2048


@keras.saving.register_keras_serializable("electra_tf")
class TextPreprocessor(keras.layers.Layer):
    """Texts, or pairs of texts, to padded ids.

    `[CLS] text [SEP]`, or `[CLS] text [SEP] text_pair [SEP]` with segment ids
    0 and 1. What is too long is cut; `truncated` says where.

    Args:
      tokenizer: the model's.
      max_seq_length: L of every batch, with [CLS] and [SEP].

    Call arguments:
      inputs: string [B], or a dict of `text` and, for pairs, `text_pair`,
        each string [B].

    Returns a dict: `input_ids`, `input_mask`, `segment_ids` int32 [B, L], and
    `truncated` int32 [B], 1 where something was cut off.

    Raises:
      InputError: max_seq_length leaves no room, or other keys came in.

    Example:
      preprocess = TextPreprocessor(tokenizer, max_seq_length=64)
      dataset = dataset.map(lambda texts, y: (preprocess(texts), y))
    """

    def __init__(self, tokenizer: Tokenizer, max_seq_length: int, **kwargs):
        super().__init__(trainable=False, **kwargs)
        is_enough = isinstance(max_seq_length, WHOLE) and max_seq_length >= 5
        rule = "max_seq_length must be a whole number, at least 5"
        require(is_enough, rule, max_seq_length)
        self.tokenizer = tokenizer
        self.max_seq_length = max_seq_length
        self.supports_jit = False  # XLA knows no strings
        self.built = True

    def call(self, inputs: Texts) -> dict[str, tf.Tensor]:
        texts = inputs if isinstance(inputs, Mapping) else {"text": inputs}
        rule = (
            "inputs must be strings, or a dict of text and text_pair, or of "
            "input_ids, input_mask and segment_ids"
        )
        are_texts = "text" in texts and set(texts) <= set(TEXT_NAMES)
        require(are_texts, rule, sorted(texts))
        tokens = {name: self._tokens(text) for name, text in texts.items()}
        packed = pack_segments(
            self.tokenizer,
            tokens["text"],
            tokens.get("text_pair"),
            self.max_seq_length,
        )
        truncated = tf.cast(packed.truncated, tf.int32)
        return {**packed.features(), "truncated": truncated}

    def _tokens(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return self.tokenizer.tokenize(tf.reshape(texts, [-1]))

    def get_config(self):
        config = super().get_config()
        config.pop("trainable")
        return {
            **config,
            "max_seq_length": self.max_seq_length,
            "tokenizer": self.tokenizer.get_config(),
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        tokenizer = config.pop("tokenizer", None)
        if tokenizer is None:  # of a file from before there were other kinds
            names = ("vocab", "do_lower_case", "strip_accents")
            return cls(Tokenizer(**{n: config.pop(n) for n in names}), **config)
        return cls(Tokenizer.from_config(tokenizer), **config)


def encode_texts(
    tokenizer: Tokenizer,
    texts: Sequence[tuple[str, str | None]],
    max_seq_length: int,
) -> tuple[dict[str, np.ndarray], int]:
    """Texts, or pairs, to ids.

    Args:
      tokenizer: the model's.
      texts: (text, second text or None), all with or all without a second.
      max_seq_length: they are cut to.

    Returns:
      `input_ids`, `input_mask`, `segment_ids`, int32 [N, L], L the longest of
      them, and how many were cut.
    """
    check_is_split(tokenizer, [text for text, _ in texts[:_TEXTS_AT_ONCE]])
    preprocessor = TextPreprocessor(tokenizer, max_seq_length)
    parts = []
    for begin in range(0, len(texts), _TEXTS_AT_ONCE):
        columns = zip(*texts[begin : begin + _TEXTS_AT_ONCE], strict=True)
        named = dict(zip(TEXT_NAMES, columns, strict=True))
        given = {n: tf.constant(x) for n, x in named.items() if None not in x}
        parts.append(preprocessor(given))
    rows = joined_rows(parts)
    return rows, int(rows.pop("truncated").sum())


def joined_rows(parts: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Batches of rows as one, each array as wide as the longest row.

    Args:
      parts: name -> tensor [B, ...], `input_mask` [B, L] among them.
    """
    whole = {n: np.concatenate([p[n].numpy() for p in parts]) for n in parts[0]}
    length = int(whole["input_mask"].sum(axis=1).max())
    return {
        name: array[:, :length] if array.ndim > 1 else array
        for name, array in whole.items()
    }


def ragged_rows(rows: Sequence[np.ndarray]) -> tf.RaggedTensor:
    """Rows of ids as one tensor, int32 [B, (ids)]."""
    lengths = np.array([len(row) for row in rows], np.int64)
    return tf.RaggedTensor.from_row_lengths(np.concatenate(rows), lengths)


def split_rows(ragged: tf.RaggedTensor) -> list[np.ndarray]:
    """The rows of such a tensor."""
    return np.split(ragged.values.numpy(), ragged.row_splits.numpy()[1:-1])
