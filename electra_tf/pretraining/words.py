"""Which words are masked whole: their order, and how many of them fit."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

SPAN_WORDS = 10  # of a span, at most
SPAN_END = 0.2  # p: a span ends behind each of its words
_LONGER = (1 - SPAN_END) ** np.arange(1, SPAN_WORDS + 1)
# P(length <= 1), ..., P(length <= 9).
_BORDERS = ((1 - _LONGER) / (1 - _LONGER[-1]))[:-1].astype(np.float32)


class Words(NamedTuple):
    """The words of rows, numbered from the left.

    Attributes:
      numbers: int32 [B, L], of the word that a token belongs to, else -1.
      sizes: int32 [B, L], tokens of word 0, 1, ...; 0 behind the last word.
      stretches: int32 [B, L], number of the stretch of text, between special
        tokens, that holds word 0, 1, ...
    """

    numbers: tf.Tensor
    sizes: tf.Tensor
    stretches: tf.Tensor


def words_of(
    ids: tf.Tensor, allowed: tf.Tensor, starts_word: Sequence[bool] | np.ndarray
) -> Words:
    """Finds the words of rows.

    A word begins where `starts_word` is true of an id, and behind what belongs
    to none: special tokens, padding.

    Args:
      ids: int32 [B, L].
      allowed: bool [B, L], tokens that belong to words.
      starts_word: bool [V].
    """
    behind_another = tf.pad(allowed, [[0, 0], [1, 0]])[:, :-1]
    begins = tf.gather(tf.constant(starts_word, tf.bool), ids) | ~behind_another
    begins = tf.cast(begins & allowed, tf.int32)
    numbers = tf.where(allowed, tf.cumsum(begins, axis=1) - 1, -1)
    breaks = tf.cumsum(tf.cast(~allowed, tf.int32), axis=1)
    return Words(
        numbers,
        _each(tf.math.unsorted_segment_sum, tf.ones_like(ids), numbers),
        _each(tf.math.unsorted_segment_max, breaks, numbers),
    )


def _each(
    reduce: Callable[..., tf.Tensor], values: tf.Tensor, numbers: tf.Tensor
) -> tf.Tensor:
    """`values` [B, L] of tokens, reduced over each word: [B, L]."""
    rows, length = tf.unstack(tf.shape(values))
    # Row by row; what belongs to no word stays below 0 and is left out.
    segments = numbers + tf.range(rows)[:, None] * length
    segments = tf.where(numbers < 0, -1, segments)
    flat = tf.reshape(values, [-1]), tf.reshape(segments, [-1])
    return tf.reshape(reduce(*flat, rows * length), [rows, length])


def in_spans(words: Words, order: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Words in the order in which spans cover them.

    A span begins at every word, in the given order. It has a geometric number
    of words (p = 0.2, at most 10: 3.8 on average), or as many as are left up
    to the next special token. Spans may overlap.

    Args:
      words: of the rows.
      order: int32 [B, L], numbers of the words at which the first span begins,
        the second, ...; those behind the last word anywhere among them.
      draws: float32 [B, L] in [0, 1), of which the spans' lengths are made.

    Returns:
      int32 [B, L], numbers of the words: those of the first span from the
      left, those of the second that are no part of it, ...

    Reference: Joshi et al. 2020 (SpanBERT), section 3.1.
    """
    length = tf.shape(order)[1]
    place = tf.range(length)
    ranks = tf.argsort(order)  # of the span that begins at word 0, 1, ...
    longer = tf.cast(draws[..., None] >= _BORDERS, tf.int32)
    lengths = 1 + tf.reduce_sum(longer, -1)  # [B, L]
    back = tf.range(SPAN_WORDS)
    # Where a span over a word may begin. Before word 0 that one stands in, and
    # is asked for a longer span than it needs.
    starts = tf.maximum(place[:, None] - back, 0)  # [L, 10]
    reaches = tf.gather(lengths, starts, axis=1) > back  # [B, L, 10]
    stretches = words.stretches
    near = tf.gather(stretches, starts, axis=1) == stretches[..., None]
    ranks = tf.gather(ranks, starts, axis=1)
    covering = tf.where(reaches & near, ranks, length)
    first = tf.reduce_min(covering, -1)  # [B, L]
    return tf.argsort(first * length + place)


def fill(sizes: tf.Tensor, budget: tf.Tensor) -> tf.Tensor:
    """Takes words in their order; who does not fit in what is left is skipped.

    Not word by word: a pass takes all words up to the first that does not fit
    any more. That one, and all that are as long, never fit again, so the next
    pass goes on behind it with those that do. Few passes are left then, as all
    that is left is less than one word.

    Args:
      sizes: int32 [B, W], tokens of the words; 0 is no word.
      budget: int32 [B], tokens to take.

    Returns:
      bool [B, W]. What is not spent is less than any word that is not taken.
    """

    def fitting(taken, left):
        return (sizes > 0) & (sizes <= left[:, None]) & ~taken

    def take(taken, left):
        fits = fitting(taken, left)
        spent = tf.cumsum(tf.where(fits, sizes, 0), axis=1)
        now = fits & (spent <= left[:, None])
        return taken | now, left - tf.reduce_sum(tf.where(now, sizes, 0), 1)

    nothing = tf.zeros_like(sizes, tf.bool)
    taken, _ = tf.while_loop(
        lambda *state: tf.reduce_any(fitting(*state)), take, (nothing, budget)
    )
    return taken
