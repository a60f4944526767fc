"""Tokens drawn from the generator: x-hat of the paper's section 2."""

import tensorflow as tf

from electra_tf.modeling.noise import current_noise, fresh_noise
from electra_tf.pretraining.masking import MaskedBatch

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


class Sampler:
    """Draws a token for every slot from the generator's distribution.

    Args:
      temperature: the logits are divided by it.
      disallow_correct: never draw the token that stood there.

    Reference: ELECTRA, section 2, x-hat_i ~ p_G(x_i | x^masked).
    """

    def __init__(
        self, temperature: float = 1.0, disallow_correct: bool = False
    ):
        self.temperature = temperature
        self.disallow_correct = disallow_correct

    def __call__(self, logits: tf.Tensor, masked: MaskedBatch) -> tf.Tensor:
        """Samples, int32 [B, M], from logits [B, M, V]; no gradient."""
        noise = current_noise() or fresh_noise()
        slots, size = logits.shape[1:]
        logits = tf.stop_gradient(tf.cast(logits, tf.float32))
        logits /= self.temperature
        if self.disallow_correct:
            logits -= 1e9 * tf.one_hot(masked.ids, size)
        draws = noise.uniform("samples", tf.shape(logits)[0], slots)  # [B, M]
        # The exponentials need no division: the draw is scaled by their sum.
        peak = tf.reduce_max(logits, -1, keepdims=True)
        weights = tf.reshape(tf.exp(logits - peak), [-1, size])
        sampled = invert_cumulative(weights, tf.reshape(draws, [-1]))
        return tf.reshape(sampled, tf.shape(masked.ids))
