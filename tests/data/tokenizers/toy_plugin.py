"""A tokenizer from outside of the package: words between white space."""

import tensorflow as tf
import tensorflow_text as tf_text

from electra_tf.data.tokenizers import Tokenizer, register


@register
class WholeWords(Tokenizer):
    kind, file_name = "whole_words", "words.txt"

    def split(self, texts):
        words, starts, ends = tf_text.regex_split_with_offsets(texts, r"\s+")
        match = words.values[:, tf.newaxis] == tf.constant(self.vocab)
        known = tf.cast(tf.argmax(match, axis=1), tf.int32)
        ids = tf.where(tf.reduce_any(match, axis=1), known, self.unk_id)
        return (
            words.with_values(ids),
            tf.cast(starts, tf.int32),
            tf.cast(ends, tf.int32),
        )
