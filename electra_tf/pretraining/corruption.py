"""x-hat, the text with samples in it, and what a discriminator says of it."""

import dataclasses
import functools

import tensorflow as tf

from electra_tf.pretraining.losses import (
    LossTerm,
    replaced_token_losses,
    summed,
)
from electra_tf.pretraining.masking import MaskedBatch, write_slots


@dataclasses.dataclass(frozen=True)
class Corrupted:
    """x-hat: the true text with samples written into the used slots.

    Attributes:
      sampled_ids: int32 [B, M].
      input_ids: int32 [B, L], x-hat.
      is_replaced: int32 [B, L], 1 where x-hat differs from x, so a sample
        that equals the true token counts as original.
    """

    sampled_ids: tf.Tensor
    input_ids: tf.Tensor
    is_replaced: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Detection:
    """What a discriminator says of each token, and what is right.

    Attributes:
      logits: float [B, L], positive means replaced.
      labels: int32 [B, L].
      judged: float32 [B, L], 1 where the label counts.
    """

    logits: tf.Tensor
    labels: tf.Tensor
    judged: tf.Tensor

    @functools.cached_property
    def losses(self) -> tf.Tensor:
        """-log of the right label's probability: float32 [B, L]."""
        return replaced_token_losses(self.logits, self.labels)

    def term(self, weight: float) -> LossTerm:
        """weight * L_Disc over the judged tokens."""
        return LossTerm("disc", weight, *summed(self.losses, self.judged))


def corrupt(
    input_ids: tf.Tensor, masked: MaskedBatch, sampled: tf.Tensor
) -> Corrupted:
    """Writes samples, int [B, M], into the used slots of the true text."""
    input_ids = tf.cast(input_ids, tf.int32)
    used = masked.weights > 0
    corrupted = write_slots(input_ids, masked.positions, sampled, used)
    is_replaced = tf.cast(corrupted != input_ids, tf.int32)
    return Corrupted(sampled, corrupted, is_replaced)


def marked(input_ids: tf.Tensor, masked: MaskedBatch) -> tf.Tensor:
    """1 at the used slots' positions: int32 [B, L]."""
    ones = tf.ones_like(masked.positions)
    nowhere = tf.zeros_like(input_ids, tf.int32)
    return write_slots(nowhere, masked.positions, ones, masked.weights > 0)
