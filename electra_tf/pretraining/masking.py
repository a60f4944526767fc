"""Which tokens are masked: m of the paper's section 2."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from electra_tf.config.sizes import num_slots
from electra_tf.errors import require
from electra_tf.modeling.layers import BaseLayer
from electra_tf.modeling.noise import Noise, current_noise
from electra_tf.pretraining.words import fill, in_spans, words_of


class MaskedBatch(NamedTuple):
    """A batch with tokens masked out.

    Attributes:
      input_ids: int32 [B, L], [MASK] at most of the masked positions.
      positions: int32 [B, M], 0 in unused slots.
      ids: int32 [B, M], the true tokens, 0 in unused slots.
      weights: float32 [B, M], 1 in used slots.
    """

    input_ids: tf.Tensor
    positions: tf.Tensor
    ids: tf.Tensor
    weights: tf.Tensor


def candidates(
    ids: tf.Tensor, mask: tf.Tensor, never_masked: tuple[int, ...]
) -> tf.Tensor:
    """Real tokens but the special ones: bool [B, L]."""
    found = mask > 0
    for special in never_masked:
        found &= ids != special
    return found


def write_slots(
    input_ids: tf.Tensor, positions: tf.Tensor, ids: tf.Tensor, used: tf.Tensor
) -> tf.Tensor:
    """`input_ids` [B, L] with `ids` [B, M] at `positions`, where `used`.

    Where two used slots share a position their ids are averaged and floored,
    as in the authors' code; only `compat=google` draws such slots.
    """
    length = tf.shape(input_ids)[1]
    # An extra column takes what unused slots would write.
    columns = tf.where(used, positions, length)
    rows = tf.broadcast_to(
        tf.range(tf.shape(ids)[0])[:, None], tf.shape(columns)
    )
    places = tf.stack([rows, columns], -1)  # [B, M, 2]
    shape = tf.shape(input_ids) + tf.constant([0, 1])
    counts = tf.scatter_nd(places, tf.ones_like(ids), shape)[:, :-1]
    totals = tf.scatter_nd(places, ids, shape)[:, :-1]
    written = totals // tf.maximum(counts, 1)
    return tf.where(counts > 0, written, input_ids)


def marked(input_ids: tf.Tensor, masked: MaskedBatch) -> tf.Tensor:
    """1 at the used slots' positions: int32 [B, L]."""
    ones = tf.ones_like(masked.positions)
    nowhere = tf.zeros_like(input_ids, tf.int32)
    return write_slots(nowhere, masked.positions, ones, masked.weights > 0)


def mask_rate(
    step: int | tf.Tensor, start: float, end: float = 0.0, num_steps: int = 0
) -> float | tf.Tensor:
    """The fraction to mask at a step: linear from `start` to `end`.

    Args:
      step: updates made so far; evaluations, all at step 0, stay at the start.
      start: at step 0.
      end: from `num_steps` on; 0 keeps the start.
      num_steps: of the run.

    Reference: Yang et al. 2023, "Learning Better Masking for Better Language
    Model Pre-training", the linear masking ratio decay.
    """
    if not end:
        return start
    done = tf.minimum(tf.cast(step, tf.float32) / num_steps, 1.0)
    return start + (end - start) * done


@keras.saving.register_keras_serializable("electra_tf")
class TokenMasker(BaseLayer):
    """Masks a fraction of the tokens, anew at every step.

    Of a row with n tokens (counting [CLS] and [SEP]) k = max(1, min(M,
    round(n * p))) are chosen, halves rounded to even, never [CLS], [SEP],
    [MASK] or padding; p is the step's `mask_rate`. 85 % of them show [MASK],
    the others stay.

    With `starts_word` whole words are chosen, in random order, of together at
    most k tokens: a word that does not fit in what is left is skipped, so that
    a row has fewer than k where no other word fits. All tokens of a word show
    [MASK], or all stay. Special tokens and padding end words.

    Args:
      mask_prob: fraction of the tokens, at the start.
      max_seq_length: L; with the larger fraction it sets the number of slots M.
      mask_id: id of [MASK].
      never_masked: ids that are left alone.
      with_replacement: draw positions with replacement, as the authors' code
        does (about 7 % of the slots then repeat a position).
      show_prob: probability that a chosen token shows [MASK].
      mask_prob_end: fraction at the end; 0 keeps the start's.
      num_train_steps: steps until then.
      starts_word: bool [V], whether a piece begins a word; None masks tokens
        whatever their words.
      spans: choose words in spans, as `words.in_spans` draws them.

    Call arguments:
      batch: `input_ids`, `input_mask`: int [B, L].

    Returns a `MaskedBatch`. A row without candidates has weight 0 throughout.
    Reference: ELECTRA, section 2; k and 85/15 as in the authors' code; whole
    words: Cui et al. 2021; spans: Joshi et al. 2020 (SpanBERT), section 3.1.
    """

    def __init__(
        self,
        mask_prob: float,
        max_seq_length: int,
        mask_id: int,
        never_masked: tuple[int, ...],
        with_replacement: bool = False,
        show_prob: float = 0.85,
        mask_prob_end: float = 0.0,
        num_train_steps: int = 0,
        starts_word: Sequence[bool] | np.ndarray | None = None,
        spans: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        rule = "mask_prob must lie strictly between 0 and 1"
        require(0 < mask_prob < 1, rule, mask_prob)
        self.mask_prob = mask_prob
        self.max_seq_length = max_seq_length
        self.mask_id = mask_id
        self.never_masked = tuple(never_masked)
        self.with_replacement = with_replacement
        self.show_prob = show_prob
        rule = "with_replacement draws tokens, so starts_word must be None"
        require(not with_replacement or starts_word is None, rule, "a table")
        rule = "spans consist of words, so starts_word must be given"
        require(not spans or starts_word is not None, rule, starts_word)
        known = starts_word is not None
        self.starts_word = tuple(map(bool, starts_word)) if known else None
        self.spans = spans
        self.mask_prob_end = mask_prob_end
        self.num_train_steps = num_train_steps
        largest = max(mask_prob, mask_prob_end)
        self.num_slots = num_slots(largest, max_seq_length)

    def call(self, batch: Mapping[str, tf.Tensor]) -> MaskedBatch:
        noise = current_noise()
        ids = tf.cast(batch["input_ids"], tf.int32)  # [B, L]
        mask = tf.cast(batch["input_mask"], tf.int32)  # [B, L]
        allowed = candidates(ids, mask, self.never_masked)  # [B, L]
        rate = mask_rate(
            noise.step, self.mask_prob, self.mask_prob_end, self.num_train_steps
        )
        count = tf.cast(tf.reduce_sum(mask, 1), tf.float32) * rate
        count = tf.clip_by_value(tf.round(count), 1.0, self.num_slots)  # [B]
        choose = self._tokens if self.starts_word is None else self._words
        positions, used, shown = choose(ids, allowed, count, noise)  # [B, M]
        positions = tf.where(used, positions, 0)
        true_ids = tf.gather(ids, positions, batch_dims=1)
        true_ids = tf.where(used, true_ids, 0)  # [B, M]
        masks = tf.fill(tf.shape(positions), self.mask_id)
        return MaskedBatch(
            input_ids=write_slots(ids, positions, masks, used & shown),
            positions=positions,
            ids=true_ids,
            weights=tf.cast(used, tf.float32),
        )

    def _tokens(self, ids, allowed, count, noise: Noise):
        """Positions, which are used, and which show [MASK]: each [B, M]."""
        choose = self._with if self.with_replacement else self._without
        positions, possible = choose(allowed, noise)  # [B, M], [B, M]
        slot = tf.range(self.num_slots, dtype=tf.float32)
        used = (slot < count[:, None]) & possible
        draws = noise.uniform("show_mask", tf.shape(ids)[0], self.num_slots)
        return positions, used, draws < self.show_prob

    def _words(self, ids, allowed, count, noise: Noise):
        """The same of whole words, from left to right; draws are a word's."""
        rows, length = tf.unstack(tf.shape(ids))

        def draws(name):
            return noise.uniform(name, rows, self.max_seq_length)[:, :length]

        words = words_of(ids, allowed, self.starts_word)
        scores = draws("positions")
        order = tf.argsort(scores, direction="DESCENDING", stable=True)
        if self.spans:
            order = in_spans(words, order, draws("span_lengths"))
        sizes = tf.gather(words.sizes, order, batch_dims=1)
        taken = fill(sizes, tf.cast(count, tf.int32))  # [B, L], in order
        taken = tf.gather(taken, tf.argsort(order), batch_dims=1)
        numbers = tf.maximum(words.numbers, 0)
        chosen = allowed & tf.gather(taken, numbers, batch_dims=1)
        from_left = tf.where(chosen, length - tf.range(length), 0)
        top, positions = tf.math.top_k(from_left, self.num_slots)
        numbers = tf.gather(numbers, positions, batch_dims=1)  # [B, M]
        shown = draws("show_mask") < self.show_prob
        return positions, top > 0, tf.gather(shown, numbers, batch_dims=1)

    def _without(self, candidates, noise: Noise):
        """The M candidates of highest score: a draw without replacement."""
        # Differs from TF1: there positions repeat, about 7 % of the slots.
        shape = tf.shape(candidates)
        scores = noise.uniform("positions", shape[0], self.max_seq_length)
        scores = tf.where(candidates, scores[:, : shape[1]], -1.0)
        top, positions = tf.math.top_k(scores, self.num_slots)
        return positions, top >= 0

    def _with(self, candidates, noise: Noise):
        """M independent draws among the candidates."""
        # Differs from TF1: a uniform number picks the candidate; the authors
        # draw from tf.random.categorical. The distribution is the same.
        shape = tf.shape(candidates)
        total = tf.reduce_sum(tf.cast(candidates, tf.int32), 1)[:, None]
        draws = noise.uniform("positions", shape[0], self.num_slots)
        rank = tf.cast(draws * tf.cast(total, tf.float32), tf.int32)
        rank = tf.minimum(rank, total - 1)  # [B, M]
        order = tf.cumsum(tf.cast(candidates, tf.int32), axis=1)  # [B, L]
        positions = tf.searchsorted(order, rank + 1, side="left")
        possible = tf.broadcast_to(total > 0, tf.shape(positions))
        return tf.where(possible, positions, 0), possible
