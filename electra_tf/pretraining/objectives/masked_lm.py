"""Objectives whose main network predicts tokens: BERT and two steps away."""

import tensorflow as tf

from electra_tf.modeling.networks import MaskedLM
from electra_tf.modeling.noise import noise_of
from electra_tf.pretraining.corruption import corrupt
from electra_tf.pretraining.generators import Generator, MaskedLMGenerator
from electra_tf.pretraining.losses import (
    LossTerm,
    copying_lm_losses,
    likeliest_tokens,
    masked_lm_losses,
    summed,
)
from electra_tf.pretraining.objectives.objective import (
    Masker,
    Objective,
    Outcome,
    Sampling,
    hits,
)


class MaskedLanguageModel(Objective):
    """gen_weight * L_MLM(x, D): BERT without next-sentence prediction.

    Args:
      masker: batch -> MaskedBatch.
      network: the main network as a masked-LM, with its loss.
    """

    def __init__(self, masker: Masker, network: MaskedLMGenerator):
        self.masker = masker
        self.masked_lm = network
        self.networks = network.networks
        self.loss_weights = network.loss_weights

    def __call__(self, batch, training):
        masked = self.masker(batch)
        proposal = self.masked_lm(batch, masked, training)  # [B, M, V]
        return Outcome(
            losses=proposal.losses,
            masked=masked,
            proposal=proposal,
            input_mask=batch["input_mask"],
        )

    def counts(self, batch):
        return self.masked_lm.counts(batch, self.masker(batch))


class ReplaceMLM(Objective):
    """gen_weight * L_MLM(x, G) + L_MLM(x-hat, D): no [MASK] where D reads.

    D predicts the tokens at the masked positions, reading G's samples there.

    Args:
      masker, generator, sampler: as for `Electra`.
      main: D, a masked-LM.

    Reference: ELECTRA, section 3.4, "Replace MLM".
    """

    figures = ("main_accuracy", "sampled_accuracy")

    def __init__(
        self,
        masker: Masker,
        generator: Generator,
        sampler: Sampling,
        main: MaskedLM,
    ):
        self.masker = masker
        self.generator = generator
        self.sampler = sampler
        self.networks = {**generator.networks, "main": main}
        self.loss_weights = {**generator.loss_weights, "main": 1.0}

    def __call__(self, batch, training):
        masked = self.masker(batch)
        proposal = self.generator(batch, masked, training)  # [B, M, V]
        sampled = self.sampler(proposal.logits, masked)  # [B, M]
        corrupted = corrupt(batch["input_ids"], masked, sampled)
        main, accuracy = self.restore(
            batch, masked, corrupted.input_ids, training
        )
        return Outcome(
            losses=(*proposal.losses, main),
            masked=masked,
            proposal=proposal,
            input_mask=batch["input_mask"],
            corrupted=corrupted,
            figures={
                "main_accuracy": accuracy,
                "sampled_accuracy": summed(
                    hits(sampled, masked.ids), masked.weights
                ),
            },
        )

    def restore(self, batch, masked, corrupted, training: bool):
        """D's loss term, and its accuracy as (sum, count)."""
        with noise_of("main"):
            logits = self.networks["main"](
                corrupted,
                batch["input_mask"],
                batch["segment_ids"],
                masked.positions,
                training=training,
            )  # [B, M, V]
        losses = masked_lm_losses(logits, masked.ids)  # [B, M]
        best = tf.argmax(logits, -1, masked.ids.dtype)  # [B, M]
        return (
            LossTerm("main", 1.0, *summed(losses, masked.weights)),
            summed(hits(best, masked.ids), masked.weights),
        )

    def counts(self, batch):
        masked = self.masker(batch)
        main = tf.reduce_sum(masked.weights)
        return {**self.generator.counts(batch, masked), "main": main}


class AllTokensMLM(ReplaceMLM):
    """gen_weight * L_MLM(x, G) + mean over all tokens of -log p(x_t | x-hat).

    p(x_t | x-hat) = C_t 1[x_t = x-hat_t] + (1 - C_t) softmax_t(x_t), where
    the gate C_t is the probability of copying.

    Args:
      masker, generator, sampler: as for `Electra`.
      main: D, a `CopyingLM`.

    Reference: ELECTRA, section 3.4, "All-Tokens MLM".
    """

    def restore(self, batch, masked, corrupted, training):
        mask, ids = batch["input_mask"], tf.cast(batch["input_ids"], tf.int32)
        with noise_of("main"):
            logits, copy = self.networks["main"](
                corrupted, mask, batch["segment_ids"], training=training
            )  # [B, L, V], [B, L]
        losses = copying_lm_losses(logits, copy, ids, corrupted)  # [B, L]
        best = likeliest_tokens(logits, copy, corrupted)
        return (
            LossTerm("main", 1.0, *summed(losses, mask)),
            summed(hits(best, ids), mask),
        )

    def counts(self, batch):
        main = tf.reduce_sum(tf.cast(batch["input_mask"], tf.float32))
        return {**super().counts(batch), "main": main}
