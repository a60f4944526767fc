"""ELECTRA, joint training, and ELECTRA 15%."""

import tensorflow as tf

from electra_tf.modeling.networks import Discriminator
from electra_tf.modeling.noise import noise_of
from electra_tf.pretraining.corruption import Detection, corrupt, marked
from electra_tf.pretraining.generators import Generator, Proposal
from electra_tf.pretraining.masking import MaskedBatch
from electra_tf.pretraining.objectives.objective import (
    Masker,
    Objective,
    Outcome,
    Sampling,
)


class Electra(Objective):
    """gen_weight * L_MLM(x, G) + disc_weight * L_Disc(x-hat, D).

    Reference: ELECTRA, section 2.

    Args:
      masker: batch -> MaskedBatch (`TokenMasker`).
      generator: G, with its loss and gen_weight.
      sampler: (logits, MaskedBatch) -> sampled ids (`Sampler`).
      discriminator: D.
      disc_weight: lambda, 50 in the paper.
    """

    def __init__(
        self,
        masker: Masker,
        generator: Generator,
        sampler: Sampling,
        discriminator: Discriminator,
        disc_weight: float = 50.0,
    ):
        self.masker = masker
        self.generator = generator
        self.sampler = sampler
        self.networks = {**generator.networks, "discriminator": discriminator}
        self.loss_weights = {**generator.loss_weights, "disc": disc_weight}

    def __call__(self, batch, training):
        masked = self.masker(batch)
        proposal = self.generator(batch, masked, training)  # [B, M, V]
        return self.detect(batch, masked, proposal, training)

    def detect(
        self,
        batch,
        masked: MaskedBatch,
        proposal: Proposal,
        training: bool,
    ) -> Outcome:
        """Samples from the proposal and has D look for the samples."""
        mask, segments = batch["input_mask"], batch["segment_ids"]  # [B, L]
        sampled = self.sampler(proposal.logits, masked)  # [B, M]
        corrupted = corrupt(batch["input_ids"], masked, sampled)
        with noise_of("discriminator"):
            scores = self.networks["discriminator"](
                corrupted.input_ids, mask, segments, training=training
            )  # [B, L]
        judged = self.judged(batch, masked)  # [B, L]
        detection = Detection(scores, corrupted.is_replaced, judged)
        disc = detection.term(self.loss_weights["disc"])
        return Outcome(
            losses=(*proposal.losses, disc),
            masked=masked,
            proposal=proposal,
            input_mask=mask,
            corrupted=corrupted,
            detection=detection,
        )

    def judged(self, batch, masked: MaskedBatch) -> tf.Tensor:
        """Where D is trained: on every real token, float32 [B, L]."""
        return tf.cast(batch["input_mask"], tf.float32)

    def counts(self, batch):
        masked = self.masker(batch)
        disc = tf.reduce_sum(self.judged(batch, masked))
        return {**self.generator.counts(batch, masked), "disc": disc}


class Electra15(Electra):
    """As `Electra`, but L_Disc over the masked positions alone.

    Reference: ELECTRA, section 3.4, "ELECTRA 15%".
    """

    def judged(self, batch, masked):
        return tf.cast(marked(batch["input_ids"], masked), tf.float32)
