"""From places in normalised texts back to places in the original ones."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from electra_tf.data.tokenizers.normalization import MARK, SPACE

# What NFKC may join to the character in front: marks, vowels and final
# consonants of Hangul, the voiced marks of half-width kana.
_JOINS = (
    r"[\p{M}\x{1160}-\x{11FF}\x{314F}-\x{3163}\x{FF9E}\x{FF9F}"
    r"\x{FFC2}-\x{FFDC}]"
)


def to_original(
    texts: tf.Tensor,
    normalize: Callable[[tf.Tensor], tf.Tensor],
    starts: tf.RaggedTensor,
    ends: tf.RaggedTensor,
    joins: bool = False,
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Maps byte ranges of `normalize(texts)` to byte ranges of `texts`.

    Each character is normalised on its own; the lengths give the map. A whole
    text may come out differently (sigma at a word's end, the order of marks),
    but as long. A stripped mark goes with the character in front of it. The
    ranges within one character share it.

    Args:
      texts: string [B].
      normalize: string [N] -> string [N].
      starts, ends: int32 [B, (ranges)], none of the ranges empty.
      joins: whether `normalize` joins characters, as NFKC does. Marks, and
        what is left out, then are one with what stands before them.

    Returns:
      (starts, ends): int32 [B, (ranges)].
    """
    chars = _characters(texts, normalize, joins)
    row = starts.value_rowids()
    first = chars.holding(starts.values, row)
    last = chars.holding(ends.values - 1, row)
    char_ends = tf.concat([chars.starts[1:], [chars.num_bytes]], axis=0)
    begin = tf.gather(chars.row_begins, row)
    return (
        starts.with_values(tf.gather(chars.starts, first) - begin),
        ends.with_values(tf.gather(char_ends, last) - begin),
    )


def borders_in_original(
    texts: tf.Tensor,
    normalize: Callable[[tf.Tensor], tf.Tensor],
    starts: tf.RaggedTensor,
    ends: tf.RaggedTensor,
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """As `to_original`, but of ranges within one character the last has it.

    The others are empty, and stand in front of it. White space at the
    beginning of a range is left out; a range of nothing else is empty.

    Args:
      texts: string [B].
      normalize: string [N] -> string [N], which joins no characters.
      starts, ends: int32 [B, (ranges)], some of them perhaps empty.
    """
    chars = _characters(texts, normalize)
    row = starts.value_rowids()
    behind = tf.gather(chars.row_ends, row)  # the first character of the next
    first = tf.minimum(chars.holding(starts.values, row), behind)
    last = tf.minimum(chars.holding(ends.values, row), behind)
    words = tf.cast(tf.where(~chars.is_space)[:, 0], tf.int32)
    none = tf.size(chars.starts)
    words = tf.concat([words, [none]], axis=0)
    first = tf.gather(words, tf.searchsorted(words, first))
    first = tf.minimum(first, last)
    places = tf.concat([chars.starts, [chars.num_bytes]], axis=0)
    begin = tf.gather(chars.row_begins, row)
    text_ends = begin + tf.gather(tf.strings.length(texts), row)
    return tuple(
        starts.with_values(
            tf.where(char < behind, tf.gather(places, char), text_ends) - begin
        )
        for char in (first, last)
    )


class _Characters(NamedTuple):
    """The C characters of B texts, all positions in the texts joined to one.

    Attributes:
      starts: int32 [C], in bytes.
      byte_ends: int32 [C], where they end when each is normalised.
      is_space: bool [C].
      row_begins: int32 [B], bytes in front of each text.
      byte_begins: int32 [B], normalised bytes in front of each text.
      row_ends: int32 [B], characters up to the end of each text.
      num_bytes: int32 [], of the texts.
    """

    starts: tf.Tensor
    byte_ends: tf.Tensor
    is_space: tf.Tensor
    row_begins: tf.Tensor
    byte_begins: tf.Tensor
    row_ends: tf.Tensor
    num_bytes: tf.Tensor

    def holding(self, places: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
        """Numbers of the characters that bytes of normalised texts are of."""
        places += tf.gather(self.byte_begins, row)
        # The first one that ends behind it.
        return tf.searchsorted(self.byte_ends, places, side="right")


def _characters(
    texts: tf.Tensor,
    normalize: Callable[[tf.Tensor], tf.Tensor],
    joins: bool = False,
) -> _Characters:
    """The characters; with `joins` each with what may be joined to it.

    A stripped mark is no character of its own, unless it begins the text.
    """
    codes, starts = tf.strings.unicode_decode_with_offsets(
        texts, "UTF-8", errors="replace"
    )
    rows = codes.value_rowids()
    starts = tf.cast(starts.values, tf.int32)
    codes = codes.values
    # A text has few different characters: each is normalised once.
    unique, index = tf.unique(codes)
    chars = tf.strings.unicode_encode(unique[:, tf.newaxis], "UTF-8")
    lengths = tf.strings.length(normalize(chars))
    if joins:
        # Marks find their letter across what is left out, too.
        goes_on = tf.strings.regex_full_match(chars, _JOINS) | (lengths == 0)
    else:
        goes_on = tf.strings.regex_full_match(chars, MARK) & (lengths == 0)
    keep = ~tf.gather(goes_on, index) | (starts == 0)
    if joins:
        units = tf.RaggedTensor.from_row_starts(codes, tf.where(keep)[:, 0])
        units = tf.strings.unicode_encode(units, "UTF-8")
        unique, unit = tf.unique(units)
        num_bytes = tf.gather(tf.strings.length(normalize(unique)), unit)
    else:
        num_bytes = tf.boolean_mask(tf.gather(lengths, index), keep)
    is_space = tf.strings.regex_full_match(chars, SPACE)
    rows = tf.boolean_mask(rows, keep)
    texts_in_turn = tf.range(tf.size(texts, out_type=rows.dtype))
    text_bytes = tf.strings.length(texts)
    row_begins = _begins(text_bytes)
    row_bytes = tf.math.unsorted_segment_sum(num_bytes, rows, tf.size(texts))
    return _Characters(
        starts=tf.boolean_mask(starts, keep) + tf.gather(row_begins, rows),
        byte_ends=tf.cumsum(num_bytes),
        is_space=tf.boolean_mask(tf.gather(is_space, index), keep),
        row_begins=row_begins,
        byte_begins=_begins(row_bytes),
        row_ends=tf.searchsorted(rows, texts_in_turn, side="right"),
        num_bytes=tf.reduce_sum(text_bytes),
    )


def _begins(lengths: tf.Tensor) -> tf.Tensor:
    return tf.cumsum(lengths, exclusive=True)
