"""Greedy longest-match-first WordPiece over normalised text."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
from tensorflow_text.core.pybinds import (
    pywrap_fast_wordpiece_tokenizer_model_builder as model_builder,
)

from electra_tf.data.tokenizers.vocab_file import SUFFIX, UNKNOWN
from electra_tf.errors import InputError

# A word of more characters becomes one [UNK] (`max_input_chars_per_word` of
# the authors' WordpieceTokenizer).
MAX_WORD_CHARS = 200
_MAX_UTF8_BYTES = 4


class WordPiece:
    """Splits texts at white space, punctuation and CJK, and words into pieces.

    The vocabulary is compiled once; inside a graph the compiled model is a
    constant of that graph, so exports need no file or resource for it.

    Args:
      vocab: the pieces, in the order of their ids, with [UNK] among them.
    """

    def __init__(self, vocab: Sequence[str]):
        # TF Text's limit is in bytes: 800 never cuts a word of 200 characters,
        # and _join_long_words finds the longer words among what it lets pass.
        try:
            buffer = model_builder.build_fast_wordpiece_model(
                list(vocab),
                MAX_WORD_CHARS * _MAX_UTF8_BYTES,
                SUFFIX,
                UNKNOWN,
                False,  # no_pretokenization
                False,  # support_detokenization
            )
        except (RuntimeError, ValueError) as e:
            raise InputError(
                f"The vocabulary cannot be compiled: {e}"
            ) from None
        self._unk_id = list(vocab).index(UNKNOWN)
        self._model = np.frombuffer(bytes(buffer), np.uint8)
        is_suffix = [p.startswith(SUFFIX) and p != SUFFIX for p in vocab]
        self._begins_word = ~np.array(is_suffix)
        self._num_chars = np.array(
            [len(p) for p in vocab], np.int32
        ) - np.where(is_suffix, len(SUFFIX), 0).astype(np.int32)
        with tf.init_scope():
            self._eager_model = tf.constant(self._model)

    def tokenize_with_offsets(
        self, texts: tf.Tensor
    ) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """string [B] -> (ids, starts, ends): int32 [B, (tokens)], in bytes."""
        if tf.executing_eagerly():
            model = self._eager_model
        else:
            model = tf.constant(self._model)
        ids, starts, ends = tf_text.FastWordpieceTokenizer(
            model_buffer=model, token_out_type=tf.int32
        ).tokenize_with_offsets(texts)
        values, splits = tf.cond(
            _may_have_long_words(texts),
            lambda: self._join_long_words(ids, starts, ends),
            lambda: (_stack(ids, starts, ends), ids.row_splits),
        )
        return tuple(
            tf.RaggedTensor.from_row_splits(values[i], splits, validate=False)
            for i in range(3)
        )

    def _join_long_words(
        self,
        ids: tf.RaggedTensor,
        starts: tf.RaggedTensor,
        ends: tf.RaggedTensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Puts one [UNK] for the pieces of each word that is too long."""
        begins = tf.gather(self._begins_word, ids.values)
        word = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        num_chars = tf.math.segment_sum(
            tf.gather(self._num_chars, ids.values), word
        )
        is_long = tf.gather(num_chars > MAX_WORD_CHARS, word)
        word_ends = tf.gather(tf.math.segment_max(ends.values, word), word)
        values = _stack(
            ids.with_values(tf.where(is_long, self._unk_id, ids.values)),
            starts,
            ends.with_values(tf.where(is_long, word_ends, ends.values)),
        )
        keep = begins | ~is_long
        splits = tf.ragged.boolean_mask(ids, ids.with_values(keep)).row_splits
        return tf.boolean_mask(values, keep, axis=1), splits


def _stack(*ragged: tf.RaggedTensor) -> tf.Tensor:
    return tf.stack([tf.cast(r.values, tf.int32) for r in ragged])


def _may_have_long_words(texts: tf.Tensor) -> tf.Tensor:
    """Whether a long word is possible; a cheap test that is mostly False."""
    pattern = rf"(?s).*\S{{{MAX_WORD_CHARS + 1}}}.*"
    return tf.reduce_any(tf.strings.regex_full_match(texts, pattern))
