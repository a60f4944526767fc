"""Electric: an energy for each token, by noise-contrastive estimation."""

import math

import tensorflow as tf

from electra_tf.modeling.networks import Discriminator
from electra_tf.modeling.noise import noise_of
from electra_tf.pretraining.corruption import Detection, corrupt, marked
from electra_tf.pretraining.generators import Generator
from electra_tf.pretraining.objectives.objective import (
    Masker,
    Objective,
    Outcome,
    Sampling,
)


class Electric(Objective):
    """gen_weight * cloze(q) + disc_weight * NCE(E, q).

    P(token t is noise) = sigmoid(E(x)_t + log q(x_t | x without t)
    + log(p / (1 - p))), where a fraction p of the tokens is noise drawn from
    q; at the optimum exp(-E(x)_t) = p(x_t | x without t). Every drawn token is
    noise, also one that equals the token that stood there.

    Args:
      masker: batch -> MaskedBatch; only its positions matter.
      generator: q, with its loss; it must know `log_prob`.
      sampler: (logits, MaskedBatch) -> sampled ids, from q itself.
      energy: E, a network with a value a token.
      mask_prob: p.
      disc_weight: weight of the NCE loss.

    Reference: Electric, sections 2 and 3; log(p / (1 - p)) as in the authors'
    code, where the paper has log(k / n).
    """

    def __init__(
        self,
        masker: Masker,
        generator: Generator,
        sampler: Sampling,
        energy: Discriminator,
        mask_prob: float,
        disc_weight: float = 50.0,
    ):
        self.masker = masker
        self.generator = generator
        self.sampler = sampler
        self.log_odds = math.log(mask_prob / (1 - mask_prob))
        self.networks = {**generator.networks, "energy": energy}
        self.loss_weights = {**generator.loss_weights, "disc": disc_weight}

    def __call__(self, batch, training):
        ids, mask = batch["input_ids"], batch["input_mask"]  # [B, L]
        masked = self.masker(batch)
        q = self.generator(batch, masked, training)  # [B, M, V]
        sampled = self.sampler(q.logits, masked)  # [B, M]
        corrupted = corrupt(ids, masked, sampled)
        noisy = corrupted.input_ids  # [B, L]
        with noise_of("energy"):
            energy = self.networks["energy"](
                noisy, mask, batch["segment_ids"], training=training
            )  # [B, L]
        log_q = tf.stop_gradient(q.log_prob(noisy))  # [B, L]
        logits = tf.cast(energy, tf.float32) + log_q + self.log_odds
        is_noise = marked(ids, masked)  # [B, L]
        nce = Detection(logits, is_noise, tf.cast(mask, tf.float32))
        return Outcome(
            losses=(*q.losses, nce.term(self.loss_weights["disc"])),
            masked=masked,
            proposal=q,
            input_mask=mask,
            corrupted=corrupted,
            detection=nce,
        )

    def counts(self, batch):
        masked = self.masker(batch)
        disc = tf.reduce_sum(tf.cast(batch["input_mask"], tf.float32))
        return {**self.generator.counts(batch, masked), "disc": disc}
