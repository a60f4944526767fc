"""REINFORCE against the exact gradient, by enumeration; whose reward it is."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_pretraining import batch, randomize, tiny_pretrainer

from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.losses import replaced_token_losses
from electra_tf.pretraining.masking import MaskedBatch
from electra_tf.pretraining.objectives.adversarial import policy_losses
from electra_tf.pretraining.sampling import Sampler

N = 50_000
POLICY = np.array([0.4, -0.7])  # logits of the two tokens
REWARDS = np.array([0.3, 2.1])


def sampled_gradients(baseline_logit):
    """Gradient of the policy's loss of each of N samples: [N, 2]."""
    shape = (N // 10, 10)
    logits = tf.constant(np.broadcast_to(POLICY, (*shape, 2)), tf.float32)
    nothing = tf.zeros(shape, tf.int32)
    slots = MaskedBatch(nothing, nothing, nothing, tf.ones(shape))
    with Noise(17).scope():
        sampled = Sampler()(logits, slots)
    rewards = tf.gather(tf.constant(REWARDS, tf.float32), sampled)
    values = tf.fill(shape, tf.constant(baseline_logit, tf.float32))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        policy, _ = policy_losses(logits, sampled, rewards, values)
    return tape.gradient(policy, logits).numpy().reshape(N, 2).astype(float)


def exact_gradient():
    """Of -E[R] = -sum over both tokens of p(v) R(v)."""
    p = np.exp(POLICY) / np.exp(POLICY).sum()
    # d p_v / d logit_w = p_v (1[v = w] - p_w)
    return -np.array(
        [
            sum(REWARDS[v] * p[v] * ((v == w) - p[w]) for v in range(2))
            for w in range(2)
        ]
    )


@pytest.mark.parametrize("baseline_logit", [-1.0, 0.5, 30.0])
def test_reinforce_is_unbiased(baseline_logit):
    each = sampled_gradients(baseline_logit)
    errors = each.std(0, ddof=1) / np.sqrt(N)
    assert (errors < 0.02).all()
    difference = np.abs(each.mean(0) - exact_gradient())
    assert (difference < 3 * errors).all(), difference / errors
    # Ascent on the reward: the better token's logit rises.
    assert exact_gradient()[1] < 0 < exact_gradient()[0]


def test_a_fitting_baseline_lowers_the_variance():
    p = np.exp(POLICY) / np.exp(POLICY).sum()
    fitting = np.exp(-(p @ REWARDS))  # sigmoid(z) for b = E[R]
    logit = np.log(fitting / (1 - fitting))
    # A baseline of 0 is sigmoid(z) = 1.
    variances = [sampled_gradients(z).var(0).sum() for z in (logit, 30.0)]
    assert variances[0] < 0.7 * variances[1]


def test_the_baseline_learns_the_mean_probability():
    """Its loss is least where sigmoid(z) = E[exp(-R)]."""
    p = np.exp(POLICY) / np.exp(POLICY).sum()
    best = p @ np.exp(-REWARDS)
    z = tf.Variable(np.log(best / (1 - best)), dtype=tf.float32)
    with tf.GradientTape() as tape:
        rewards = tf.constant(REWARDS[None], tf.float32)
        logits, tokens = tf.zeros([1, 2, 2]), tf.constant([[0, 1]])
        _, losses = policy_losses(logits, tokens, rewards, tf.fill([1, 2], z))
        mean = tf.reduce_sum(losses * tf.constant(p[None], tf.float32))
    assert float(tape.gradient(mean, z)) == pytest.approx(0, abs=1e-6)
    expected = -(best * np.log(best) + (1 - best) * np.log(1 - best))
    assert float(mean) == pytest.approx(expected, rel=1e-5)


def test_the_reward_is_the_discriminators_loss_at_the_samples():
    pretrainer = tiny_pretrainer(objective="adversarial", tying="none")
    randomize(pretrainer.trainable_variables)
    data = batch()
    with Noise(3, step=7, name="train").scope():
        outcome = pretrainer.objective(data, training=False)
    networks, masked = pretrainer.networks, outcome.masked
    reads = data["input_mask"], data["segment_ids"]
    scores = networks["discriminator"](outcome.corrupted.input_ids, *reads)
    disc = replaced_token_losses(scores, outcome.detection.labels).numpy()
    rewards = np.take_along_axis(disc, masked.positions.numpy(), 1)
    used = masked.weights.numpy()
    states = networks["generator"].encoder(masked.input_ids, *reads)
    states = tf.gather(states, masked.positions, batch_dims=1)
    z = networks["baseline"](states).numpy()[..., 0]
    logits = networks["generator"](masked.input_ids, *reads, masked.positions)
    log_p = np.take_along_axis(
        tf.nn.log_softmax(logits).numpy(),
        outcome.corrupted.sampled_ids.numpy()[..., None],
        -1,
    )[..., 0]
    baseline = -np.log(1 / (1 + np.exp(-z)))
    expected = (-(rewards - baseline) * log_p * used).sum()
    terms = {term.name: term for term in outcome.losses}
    assert float(terms["policy"].sum) == pytest.approx(expected, rel=1e-4)
    assert float(terms["policy"].count) == used.sum()
    total, count = outcome.figures["reward"]
    assert float(total) == pytest.approx((rewards * used).sum(), rel=1e-5)
    assert float(count) == used.sum()
