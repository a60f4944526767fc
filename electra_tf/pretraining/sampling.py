"""Tokens drawn from the generator: x-hat of the paper's section 2."""

import dataclasses

import tensorflow as tf

from electra_tf.modeling.noise import Noise, current_noise
from electra_tf.pretraining.masking import MaskedBatch, write_slots

# The vocabulary is searched block by block: the sums of blocks first, then
# one block's own entries. A cumulative sum over all of V would be slower.
_BLOCK = 256


def invert_cumulative(weights: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """The index at which the cumulative weight first exceeds draw * total.

    Args:
      weights: float [R, V], not negative, not all zero.
      draws: float [R], uniform in [0, 1).

    Returns int32 [R]: index i with probability weights[i] / sum(weights).
    """
    size = weights.shape[-1]
    weights = tf.pad(weights, [[0, 0], [0, -size % _BLOCK]])
    blocks = tf.reshape(weights, [tf.shape(weights)[0], -1, _BLOCK])
    ends = tf.cumsum(tf.reduce_sum(blocks, -1), axis=1)  # [R, blocks]
    goal = draws * ends[:, -1]  # [R]
    block = tf.reduce_sum(tf.cast(ends[:, :-1] <= goal[:, None], tf.int32), 1)
    inside = tf.gather(blocks, block, batch_dims=1)  # [R, _BLOCK]
    starts = tf.pad(ends, [[0, 0], [1, 0]])
    goal -= tf.gather(starts, block, batch_dims=1)
    ends = tf.cumsum(inside, axis=1)  # [R, _BLOCK]
    # Rounding may put the goal behind the last entry that has any weight.
    goal = tf.minimum(goal, ends[:, -1] * (1 - 2.0**-23))
    index = tf.reduce_sum(tf.cast(ends <= goal[:, None], tf.int32), 1)
    return tf.minimum(block * _BLOCK + index, size - 1)


@dataclasses.dataclass(frozen=True)
class Sampler:
    """Draws a token for every slot from the generator's distribution.

    The logits are divided by a temperature. With `decay_steps` it moves from
    its start to its end, exponentially: T(t) = end + (start - end) exp(-t /
    decay_steps), where t is the noise's step; evaluations, which all draw at
    step 0, then stay at the start and so comparable.

    Args:
      temperature: at the start.
      disallow_correct: never draw the token that stood there.
      temperature_end: what it moves towards.
      decay_steps: 0 keeps the start.

    Reference: ELECTRA, section 2, x-hat_i ~ p_G(x_i | x^masked); the schedule
    after Fast-ELECTRA (Dong et al. 2024).
    """

    temperature: float = 1.0
    disallow_correct: bool = False
    temperature_end: float = 1.0
    decay_steps: int = 0

    def __call__(self, logits: tf.Tensor, masked: MaskedBatch) -> tf.Tensor:
        """Samples, int32 [B, M], from logits [B, M, V]; no gradient."""
        noise = current_noise()
        slots, size = logits.shape[1:]
        logits = tf.cast(logits, tf.float32) / self.temperature_at(noise.step)
        if self.disallow_correct:
            logits -= 1e9 * tf.one_hot(masked.ids, size)
        draws = noise.uniform("samples", tf.shape(logits)[0], slots)  # [B, M]
        weights = tf.reshape(unnormalized(logits), [-1, size])  # [B M, V]
        sampled = invert_cumulative(weights, tf.reshape(draws, [-1]))
        return tf.reshape(sampled, tf.shape(masked.ids))

    def temperature_at(self, step: int | tf.Tensor) -> float | tf.Tensor:
        """T at a step."""
        if not self.decay_steps:
            return self.temperature
        left = tf.exp(-tf.cast(step, tf.float32) / self.decay_steps)
        end = self.temperature_end
        return end + (self.temperature - end) * left


def draw_distinct(
    logits: tf.Tensor, excluded: tf.Tensor, count: int, noise: Noise
) -> tf.Tensor:
    """`count` distinct tokens for every slot, one drawn after the other.

    Args:
      logits: float [B, M, V]; no gradient passes.
      excluded: int [B, M], a token that is never drawn.
      count: how many, below V.
      noise: whose numbers are used.

    Returns int32 [B, M, count]: each from softmax(logits) without the excluded
    token and those drawn before.
    """
    slots, size = logits.shape[1:]
    allowed = 1 - tf.one_hot(excluded, size)
    # The floor keeps tokens possible whose weight would vanish in float32.
    weights = allowed * tf.maximum(unnormalized(logits), 1e-20)
    weights = tf.reshape(weights, [-1, size])  # [B M, V]
    drawn = []
    for number in range(count):
        draws = noise.uniform(str(number), tf.shape(logits)[0], slots)
        token = invert_cumulative(weights, tf.reshape(draws, [-1]))  # [B M]
        weights *= 1 - tf.one_hot(token, size)
        drawn.append(tf.reshape(token, tf.shape(excluded)))
    return tf.stack(drawn, -1)


def unnormalized(logits: tf.Tensor) -> tf.Tensor:
    """Weights of softmax(logits), 1 at the largest, without gradient.

    Draws are scaled by the weights' sum, so that it need not be divided by.
    """
    logits = tf.stop_gradient(tf.cast(logits, tf.float32))
    return tf.exp(logits - tf.reduce_max(logits, -1, keepdims=True))


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


def corrupt(
    input_ids: tf.Tensor, masked: MaskedBatch, sampled: tf.Tensor
) -> Corrupted:
    """Writes samples, int [B, M], into the used slots of the true text."""
    input_ids = tf.cast(input_ids, tf.int32)
    used = masked.weights > 0
    corrupted = write_slots(input_ids, masked.positions, sampled, used)
    is_replaced = tf.cast(corrupted != input_ids, tf.int32)
    return Corrupted(sampled, corrupted, is_replaced)
