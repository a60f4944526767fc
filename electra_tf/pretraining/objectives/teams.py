"""TEAMS: which of a few words stood here, beside replaced token detection."""

import tensorflow as tf

from electra_tf.modeling.networks import Discriminator, Selector
from electra_tf.modeling.noise import current_noise, fresh_noise, noise_of
from electra_tf.pretraining.corruption import Detection, corrupt
from electra_tf.pretraining.generators import Generator
from electra_tf.pretraining.losses import LossTerm, masked_lm_losses, summed
from electra_tf.pretraining.objectives.objective import (
    Masker,
    Objective,
    Outcome,
    Sampling,
    hits,
)
from electra_tf.pretraining.sampling import draw_distinct

NUM_NEGATIVES = 4


class Teams(Objective):
    """gen_weight * L_MLM(G) + disc_weight * L_Disc(D) + mws_weight * L_MWS.

    L_MWS: at each masked position, reading x-hat, choose the token that stood
    there among itself and four others, drawn from G without replacement. Both
    tasks share the main encoder but for its last block: detection has the
    encoder's own, selection one more beside it.

    Args:
      masker, generator, sampler, discriminator: as for `Electra`.
      selector: chooses among candidates from the last block's input.
      disc_weight, mws_weight: 5 and 2 as in TensorFlow Model Garden.

    Reference: TEAMS (Shen et al. 2021), as in TensorFlow Model Garden, whose
    generator also shares the lowest three blocks.
    """

    figures = ("mws_accuracy",)

    def __init__(
        self,
        masker: Masker,
        generator: Generator,
        sampler: Sampling,
        discriminator: Discriminator,
        selector: Selector,
        disc_weight: float = 5.0,
        mws_weight: float = 2.0,
    ):
        self.masker = masker
        self.generator = generator
        self.sampler = sampler
        self.networks = {
            **generator.networks,
            "discriminator": discriminator,
            "selector": selector,
        }
        self.loss_weights = {
            **generator.loss_weights,
            "disc": disc_weight,
            "mws": mws_weight,
        }

    def __call__(self, batch, training):
        mask, segments = batch["input_mask"], batch["segment_ids"]  # [B, L]
        masked = self.masker(batch)
        proposal = self.generator(batch, masked, training)  # [B, M, V]
        sampled = self.sampler(proposal.logits, masked)  # [B, M]
        corrupted = corrupt(batch["input_ids"], masked, sampled)
        with noise_of("discriminator"):
            main = self.networks["discriminator"]
            *_, shared, last = main.encoder.layer_states(
                corrupted.input_ids, mask, segments, training=training
            )  # [B, L, H] each
            scores = main.head(last)  # [B, L]
        judged = tf.cast(mask, tf.float32)
        detection = Detection(scores, corrupted.is_replaced, judged)
        choices = candidate_words(proposal.logits, masked.ids)  # [B, M, 5]
        selection, accuracy = self.select(
            shared, mask, masked, choices, training
        )
        disc = detection.term(self.loss_weights["disc"])
        return Outcome(
            losses=(*proposal.losses, disc, selection),
            masked=masked,
            proposal=proposal,
            input_mask=mask,
            corrupted=corrupted,
            detection=detection,
            figures={"mws_accuracy": accuracy},
        )

    def select(self, states, mask, masked, choices, training: bool):
        """L_MWS's term, and the accuracy as (sum, count)."""
        embeddings = self.networks["discriminator"].encoder.embeddings
        with noise_of("selector"):
            preferences = self.networks["selector"](
                states,
                mask,
                masked.positions,
                choices,
                embeddings.word_embeddings,
                training=training,
            )  # [B, M, 5]
        truth = tf.zeros_like(masked.ids)  # the first candidate
        losses = masked_lm_losses(preferences, truth)  # [B, M]
        right = hits(tf.argmax(preferences, -1, tf.int32), truth)
        weight = self.loss_weights["mws"]
        return (
            LossTerm("mws", weight, *summed(losses, masked.weights)),
            summed(right, masked.weights),
        )

    def counts(self, batch):
        masked = self.masker(batch)
        return {
            **self.generator.counts(batch, masked),
            "disc": tf.reduce_sum(tf.cast(batch["input_mask"], tf.float32)),
            "mws": tf.reduce_sum(masked.weights),
        }


def candidate_words(logits: tf.Tensor, true_ids: tf.Tensor) -> tf.Tensor:
    """The true token and four others that G finds likely: int32 [B, M, 5]."""
    noise = (current_noise() or fresh_noise()).fork("candidates")
    others = draw_distinct(logits, true_ids, NUM_NEGATIVES, noise)
    return tf.concat([true_ids[..., None], others], -1)
