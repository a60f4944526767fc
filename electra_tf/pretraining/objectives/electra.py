"""ELECTRA, joint training, and what differs from it in one place."""

import math

import tensorflow as tf

from electra_tf.config.objectives import describe
from electra_tf.pretraining.generators import Proposal
from electra_tf.pretraining.masking import MaskedBatch, marked
from electra_tf.pretraining.objectives import Objective, Outcome, register


@register(describe("electra"))
class Electra(Objective):
    """gen_weight * L_MLM(x, G) + disc_weight * L_Disc(x-hat, D).

    Args: as for `Objective`, the network beside G being
      discriminator: D; lambda, its weight, is 50 in the paper.

    Reference: ELECTRA, section 2.
    """

    def places(self, batch, masked):
        judged = self.judged(batch, masked)
        return {**self.generator.places(batch, masked), "disc": judged}

    def judged(self, batch, masked: MaskedBatch) -> tf.Tensor:
        """Where D is trained: on every real token, float32 [B, L]."""
        return tf.cast(batch["input_mask"], tf.float32)

    def forward(self, batch, masked, training):
        proposal = self.generator(batch, masked, training)  # [B, M, V]
        return self.detect(batch, masked, proposal, training)

    def detect(
        self, batch, masked: MaskedBatch, proposal: Proposal, training: bool
    ) -> Outcome:
        """Samples from the proposal and has D look for the samples."""
        corrupted = self.corrupt(batch, masked, proposal)  # x-hat
        scores = self.read(batch, corrupted, training)  # [B, L]
        detection = self.detection(batch, masked, scores, corrupted.is_replaced)
        return self.outcome(batch, masked, proposal, corrupted, detection)


@register(describe("electra_15"))
class Electra15(Electra):
    """As `Electra`, but L_Disc over the masked positions alone.

    Reference: ELECTRA, section 3.4, "ELECTRA 15%".
    """

    def judged(self, batch, masked):
        return tf.cast(marked(batch["input_ids"], masked), tf.float32)


@register(describe("electric"))
class Electric(Electra):
    """gen_weight * cloze(q) + disc_weight * NCE(E, q).

    P(token t is noise) = sigmoid(E(x)_t + log q(x_t | x without t)
    + log(p / (1 - p))), where a fraction p of the tokens is noise drawn from
    q; at the optimum exp(-E(x)_t) = p(x_t | x without t). Every drawn token is
    noise, also one that equals the token that stood there.

    Args: as for `Objective`, and
      generator: q; it must know `log_prob`.
      energy: E among the networks, with a value a token.
      mask_prob: p.

    Reference: Electric, sections 2 and 3; log(p / (1 - p)) as in the authors'
    code, where the paper has log(k / n).
    """

    def __init__(self, *parts, mask_prob: float, **rest):
        super().__init__(*parts, **rest)
        self.log_odds = math.log(mask_prob / (1 - mask_prob))

    @classmethod
    def from_values(cls, values, *parts):
        p = values["mask_prob"]
        return super().from_values(values, *parts, mask_prob=p)

    def detect(self, batch, masked, proposal, training):
        corrupted = self.corrupt(batch, masked, proposal)
        energy = self.read(batch, corrupted, training)  # [B, L]
        log_q = tf.stop_gradient(proposal.log_prob(corrupted.input_ids))
        logits = tf.cast(energy, tf.float32) + log_q + self.log_odds
        is_noise = marked(batch["input_ids"], masked)  # [B, L]
        nce = self.detection(batch, masked, logits, is_noise)
        return self.outcome(batch, masked, proposal, corrupted, nce)
