"""A generator that tries to fool the discriminator, by REINFORCE."""

import keras
import tensorflow as tf

from electra_tf.config.objectives import describe
from electra_tf.pretraining.losses import masked_lm_losses, summed
from electra_tf.pretraining.objectives import register
from electra_tf.pretraining.objectives.electra import Electra


@register(describe("adversarial"))
class Adversarial(Electra):
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

    Args: as for `Electra`, and
      sampler: its samples must be G's own, at temperature 1.
      baseline: among the networks: states [B, M, H] -> w h, [B, M, 1].

    Reference: ELECTRA, section 3.2 and appendix F; Williams 1992.
    """

    @classmethod
    def make_networks(cls, main, generators):
        baseline = keras.layers.Dense(1, name="baseline")
        baseline.build((None, None, generators[0].hidden_size))
        return {"baseline": baseline, **super().make_networks(main, generators)}

    def places(self, batch, masked):
        # G's own loss is measured, but trains nothing.
        return {
            "policy": masked.weights,
            "baseline": masked.weights,
            "disc": self.judged(batch, masked),
        }

    def detect(self, batch, masked, proposal, training):
        corrupted = self.corrupt(batch, masked, proposal)
        scores = self.read(batch, corrupted, training)  # [B, L]
        detection = self.detection(batch, masked, scores, corrupted.is_replaced)
        rewards = tf.gather(
            tf.stop_gradient(detection.losses), masked.positions, batch_dims=1
        )  # [B, M]
        states = tf.stop_gradient(proposal.states)  # [B, M, H]
        values = self.networks["baseline"](states)[..., 0]  # [B, M]
        policy, baseline = policy_losses(
            proposal.logits, corrupted.sampled_ids, rewards, values
        )
        return self.outcome(
            batch,
            masked,
            proposal,
            corrupted,
            detection,
            losses={"policy": policy, "baseline": baseline},
            figures={"reward": summed(rewards, masked.weights)},
        )


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
