"""The training systems, a class each that reads like its equation.

A class composes masking -> generator -> sampling -> main network -> losses
and nothing else; what is shared and what draws are objects passed in.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol

import keras
import tensorflow as tf

from electra_tf.modeling.networks import Discriminator, MaskedLM
from electra_tf.modeling.noise import current_noise, fresh_noise
from electra_tf.pretraining.losses import (
    LossTerm,
    masked_lm_losses,
    replaced_token_losses,
    summed,
)
from electra_tf.pretraining.masking import MaskedBatch, write_slots

Batch = Mapping[str, tf.Tensor]
Masker = Callable[[Batch], MaskedBatch]
Sampling = Callable[[tf.Tensor, MaskedBatch], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one pass of an objective gives.

    Attributes:
      losses: the terms of the total.
      masked: the batch as the generator read it.
      mlm_logits: float [B, M, V].
      mlm_losses: float32 [B, M], -log p(true token) at each slot.
      sampled_ids: int32 [B, M], or None where nothing is sampled.
      corrupted_ids: int32 [B, L], or None.
      is_replaced: int32 [B, L], or None.
      disc_logits: float [B, L], or None.
      input_mask: int [B, L].
    """

    losses: tuple[LossTerm, ...]
    masked: MaskedBatch
    mlm_logits: tf.Tensor
    mlm_losses: tf.Tensor
    input_mask: tf.Tensor
    sampled_ids: tf.Tensor | None = None
    corrupted_ids: tf.Tensor | None = None
    is_replaced: tf.Tensor | None = None
    disc_logits: tf.Tensor | None = None


class Objective(Protocol):
    """Networks and loss weights by name, and a call from batch to Outcome."""

    networks: dict[str, keras.Model]
    loss_weights: dict[str, float]

    def counts(self, batch: Batch) -> dict[str, tf.Tensor]:
        """The denominator of each loss term over `batch`, float32 scalars.

        Known from the masks alone, before any network runs, so that a part of
        the batch can be weighed by the count of the whole.
        """

    def __call__(self, batch: Batch, training: bool) -> Outcome: ...


class Electra:
    """gen_weight * L_MLM(x, G) + disc_weight * L_Disc(x-hat, D).

    Reference: ELECTRA, section 2.

    Args:
      masker: batch -> MaskedBatch (`TokenMasker`).
      generator: G.
      sampler: (logits, MaskedBatch) -> sampled ids (`Sampler`).
      discriminator: D.
      gen_weight, disc_weight: 1 and 50 in the paper.
    """

    def __init__(
        self,
        masker: Masker,
        generator: MaskedLM,
        sampler: Sampling,
        discriminator: Discriminator,
        gen_weight: float = 1.0,
        disc_weight: float = 50.0,
    ):
        self.masker = masker
        self.sampler = sampler
        self.networks = {"generator": generator, "discriminator": discriminator}
        self.loss_weights = {"mlm": gen_weight, "disc": disc_weight}

    def counts(self, batch: Batch) -> dict[str, tf.Tensor]:
        return {
            "mlm": tf.reduce_sum(self.masker(batch).weights),
            "disc": tf.reduce_sum(tf.cast(batch["input_mask"], tf.float32)),
        }

    def __call__(self, batch: Batch, training: bool) -> Outcome:
        mask, segments = batch["input_mask"], batch["segment_ids"]  # [B, L]
        masked = self.masker(batch)
        with _noise_of("generator"):
            logits = self.networks["generator"](
                masked.input_ids,
                mask,
                segments,
                masked.positions,
                training=training,
            )  # [B, M, V]
        sampled = self.sampler(logits, masked)  # [B, M]
        corrupted, is_replaced = corrupt(batch["input_ids"], masked, sampled)
        with _noise_of("discriminator"):
            scores = self.networks["discriminator"](
                corrupted, mask, segments, training=training
            )  # [B, L]
        weights = self.loss_weights
        mlm = masked_lm_losses(logits, masked.ids)  # [B, M]
        disc = replaced_token_losses(scores, is_replaced)  # [B, L]
        return Outcome(
            losses=(
                LossTerm("mlm", weights["mlm"], *summed(mlm, masked.weights)),
                LossTerm("disc", weights["disc"], *summed(disc, mask)),
            ),
            masked=masked,
            mlm_logits=logits,
            mlm_losses=mlm,
            input_mask=mask,
            sampled_ids=sampled,
            corrupted_ids=corrupted,
            is_replaced=is_replaced,
            disc_logits=scores,
        )


class MaskedLanguageModel:
    """gen_weight * L_MLM(x, D): BERT without next-sentence prediction.

    Args:
      masker: batch -> MaskedBatch.
      network: the main network with a masked-LM head.
      gen_weight: weight of the loss.
    """

    def __init__(
        self, masker: Masker, network: MaskedLM, gen_weight: float = 1.0
    ):
        self.masker = masker
        self.networks = {"generator": network}
        self.loss_weights = {"mlm": gen_weight}

    def counts(self, batch: Batch) -> dict[str, tf.Tensor]:
        return {"mlm": tf.reduce_sum(self.masker(batch).weights)}

    def __call__(self, batch: Batch, training: bool) -> Outcome:
        masked = self.masker(batch)
        with _noise_of("generator"):
            logits = self.networks["generator"](
                masked.input_ids,
                batch["input_mask"],
                batch["segment_ids"],
                masked.positions,
                training=training,
            )  # [B, M, V]
        weights = self.loss_weights
        mlm = masked_lm_losses(logits, masked.ids)  # [B, M]
        return Outcome(
            losses=(
                LossTerm("mlm", weights["mlm"], *summed(mlm, masked.weights)),
            ),
            masked=masked,
            mlm_logits=logits,
            mlm_losses=mlm,
            input_mask=batch["input_mask"],
        )


def corrupt(
    input_ids: tf.Tensor, masked: MaskedBatch, sampled: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Writes samples into the used slots of the true text.

    Returns (x-hat, labels), int32 [B, L]; the label is 1 where x-hat differs
    from x, so a sample that equals the true token counts as original.
    """
    input_ids = tf.cast(input_ids, tf.int32)
    used = masked.weights > 0
    corrupted = write_slots(input_ids, masked.positions, sampled, used)
    return corrupted, tf.cast(corrupted != input_ids, tf.int32)


def _noise_of(network: str):
    """Dropout of one network: shared layers drop apart in each pass."""
    return (current_noise() or fresh_noise()).fork(network).scope()
