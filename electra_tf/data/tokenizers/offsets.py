"""From places in normalised text back to places in the text as given."""

from collections.abc import Callable

import tensorflow as tf

from electra_tf.data.tokenizers.normalization import MARK


def to_original(
    texts: tf.Tensor,
    normalize: Callable[[tf.Tensor], tf.Tensor],
    starts: tf.RaggedTensor,
    ends: tf.RaggedTensor,
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Maps byte ranges of `normalize(texts)` to byte ranges of `texts`.

    Each character is normalised on its own; the lengths give the map. A whole
    text may come out differently (sigma at a word's end, the order of marks),
    but as long. A stripped mark goes with the character in front of it.

    Args:
      texts: string [B].
      normalize: string [N] -> string [N].
      starts, ends: int32 [B, (ranges)], none of the ranges empty.

    Returns:
      (starts, ends): int32 [B, (ranges)].
    """
    # All positions below are in the texts joined to one.
    lengths = tf.strings.length(texts)
    text_begin = _begins(lengths)
    rows, char_starts, num_bytes = _characters(texts, normalize)
    char_starts += tf.gather(text_begin, rows)
    char_ends = tf.concat([char_starts[1:], [tf.reduce_sum(lengths)]], axis=0)
    byte_ends = tf.cumsum(num_bytes)
    row_bytes = tf.math.unsorted_segment_sum(num_bytes, rows, tf.size(texts))
    byte_begin = _begins(row_bytes)
    row = starts.value_rowids()
    begin = tf.gather(text_begin, row)
    shift = tf.gather(byte_begin, row)
    # The character that a byte is of: the first one that ends behind it.
    first = tf.searchsorted(byte_ends, starts.values + shift, side="right")
    last = tf.searchsorted(byte_ends, ends.values + shift - 1, side="right")
    return (
        starts.with_values(tf.gather(char_starts, first) - begin),
        ends.with_values(tf.gather(char_ends, last) - begin),
    )


def _begins(lengths: tf.Tensor) -> tf.Tensor:
    return tf.cumsum(lengths, exclusive=True)


def _characters(
    texts: tf.Tensor, normalize: Callable[[tf.Tensor], tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Row, first byte and normalised length of the characters; each [C].

    A stripped mark is no character of its own, unless it begins the text.
    """
    codes, starts = tf.strings.unicode_decode_with_offsets(
        texts, "UTF-8", errors="replace"
    )
    rows = codes.value_rowids()
    starts = tf.cast(starts.values, tf.int32)
    # A text has few different characters: each is normalised once.
    unique, index = tf.unique(codes.values)
    chars = tf.strings.unicode_encode(unique[:, tf.newaxis], "UTF-8")
    lengths = tf.strings.length(normalize(chars))
    is_stripped_mark = tf.strings.regex_full_match(chars, MARK) & (lengths == 0)
    keep = ~tf.gather(is_stripped_mark, index) | (starts == 0)
    return (
        tf.boolean_mask(rows, keep),
        tf.boolean_mask(starts, keep),
        tf.boolean_mask(tf.gather(lengths, index), keep),
    )
