"""A generator that tries to fool the discriminator, by REINFORCE."""

import keras
import tensorflow as tf

from electra_tf.modeling.networks import Discriminator, MaskedLM
from electra_tf.modeling.noise import noise_of
from electra_tf.pretraining.corruption import Detection, corrupt
from electra_tf.pretraining.generators import Proposal, masked_slots
from electra_tf.pretraining.losses import LossTerm, masked_lm_losses, summed
from electra_tf.pretraining.masking import MaskedBatch
from electra_tf.pretraining.objectives.objective import (
    Masker,
    Objective,
    Outcome,
    Sampling,
)


class Adversarial(Objective):
    """G maximises E[R], D minimises disc_weight * L_Disc(x-hat, D).

    R_t is D's loss at the masked position t: -log D's probability of the
    right label. D(x-hat, t) is taken to depend on no sample but that at t, so
    that each is an action of its own:

    grad E[R] = E[sum over m of (R_t - b_t) grad log p_G(x-hat_t | x^masked)]

    estimated with one sample. The baseline b_t = -log sigmoid(w h_G(x)_t) is
    trained by cross-entropy towards the probability exp(-R_t); neither it nor
    the reward sends a gradient into G. L_Disc reaches G no more than in
    `Electra`: samples have no gradient.

    The term `policy` has this gradient; its value has no meaning of its own.

    Args:
      masker, sampler: as for `Electra`; samples must be G's own, at
        temperature 1.
      generator: G.
      baseline: states [B, M, H] -> w h, [B, M, 1].
      discriminator: D.
      gen_weight: weight of the policy's and the baseline's term.
      disc_weight: lambda.

    Reference: ELECTRA, section 3.2 and appendix F; Williams 1992.
    """

    figures = ("reward",)

    def __init__(
        self,
        masker: Masker,
        generator: MaskedLM,
        baseline: keras.layers.Layer,
        sampler: Sampling,
        discriminator: Discriminator,
        gen_weight: float = 1.0,
        disc_weight: float = 50.0,
    ):
        self.masker = masker
        self.sampler = sampler
        self.networks = {
            "generator": generator,
            "baseline": baseline,
            "discriminator": discriminator,
        }
        self.loss_weights = {
            "policy": gen_weight,
            "baseline": gen_weight,
            "disc": disc_weight,
        }

    def __call__(self, batch, training):
        mask, segments = batch["input_mask"], batch["segment_ids"]  # [B, L]
        masked = self.masker(batch)
        networks, weights = self.networks, self.loss_weights
        proposal, states = self.propose(batch, masked, training)
        sampled = self.sampler(proposal.logits, masked)  # [B, M]
        corrupted = corrupt(batch["input_ids"], masked, sampled)
        with noise_of("discriminator"):
            scores = networks["discriminator"](
                corrupted.input_ids, mask, segments, training=training
            )  # [B, L]
        judged = tf.cast(mask, tf.float32)
        detection = Detection(scores, corrupted.is_replaced, judged)
        rewards = tf.gather(
            tf.stop_gradient(detection.losses), masked.positions, batch_dims=1
        )  # [B, M]
        values = networks["baseline"](tf.stop_gradient(states))[..., 0]
        policy, baseline = policy_losses(
            proposal.logits, sampled, rewards, values
        )
        policy = summed(policy, masked.weights)
        baseline = summed(baseline, masked.weights)
        return Outcome(
            losses=(
                LossTerm("policy", weights["policy"], *policy),
                LossTerm("baseline", weights["baseline"], *baseline),
                detection.term(weights["disc"]),
            ),
            masked=masked,
            proposal=proposal,
            input_mask=mask,
            corrupted=corrupted,
            detection=detection,
            figures={"reward": summed(rewards, masked.weights)},
        )

    def propose(
        self, batch, masked: MaskedBatch, training: bool
    ) -> tuple[Proposal, tf.Tensor]:
        """G's proposal, which no loss of its own trains; its states there."""
        generator = self.networks["generator"]
        with noise_of("generator"):
            states = generator.encoder(
                masked.input_ids,
                batch["input_mask"],
                batch["segment_ids"],
                training=training,
            )  # [B, L, H]
        states = tf.gather(states, masked.positions, batch_dims=1)  # [B, M, H]
        logits = generator.predict_tokens(states)  # [B, M, V]
        losses = masked_lm_losses(logits, masked.ids)  # [B, M]
        return Proposal(logits, losses, masked_slots(masked)), states

    def counts(self, batch):
        slots = tf.reduce_sum(self.masker(batch).weights)
        tokens = tf.reduce_sum(tf.cast(batch["input_mask"], tf.float32))
        return {"policy": slots, "baseline": slots, "disc": tokens}


def policy_losses(
    logits: tf.Tensor,
    sampled: tf.Tensor,
    rewards: tf.Tensor,
    values: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """REINFORCE with a learned baseline, at each slot.

    Args:
      logits: float [B, M, V], of the policy.
      sampled: int [B, M], drawn from softmax(logits).
      rewards: float [B, M], R, not negative; no gradient passes.
      values: float [B, M], z of the baseline b = -log sigmoid(z).

    Returns two float32 [B, M]: -(R - b) log p(sampled), whose gradient
    descends where the reward ascends; and the cross-entropy between the
    probabilities exp(-R) and sigmoid(z).
    """
    rewards = tf.stop_gradient(rewards)
    values = tf.cast(values, tf.float32)
    advantage = rewards - tf.stop_gradient(tf.nn.softplus(-values))
    policy = advantage * masked_lm_losses(logits, sampled)
    baseline = tf.nn.sigmoid_cross_entropy_with_logits(tf.exp(-rewards), values)
    return policy, baseline
