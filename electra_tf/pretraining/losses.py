"""The losses, each as (sum, count), so that replicas can be added up.

A mean of means would weigh replicas with few masked tokens too much.
"""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class LossTerm:
    """One term of the objective: weight * sum / count.

    Attributes:
      name: key in logs, without "_loss".
      weight: lambda of the paper for detection, 1 for masked LM.
      sum: float32 scalar, over this replica.
      count: float32 scalar, over this replica.
    """

    name: str
    weight: float
    sum: tf.Tensor
    count: tf.Tensor


def summed(
    losses: tf.Tensor, weights: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """(sum of weighted losses, sum of weights), float32 scalars."""
    weights = tf.cast(weights, tf.float32)
    return tf.reduce_sum(losses * weights), tf.reduce_sum(weights)


def masked_lm_losses(logits: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """-log p(true token) at each slot: float32 [B, M].

    Args:
      logits: float [B, M, V].
      ids: int [B, M], the true tokens.

    Reference: ELECTRA, section 2, L_MLM.
    """
    return tf.nn.sparse_softmax_cross_entropy_with_logits(
        ids, tf.cast(logits, tf.float32)
    )


def replaced_token_losses(
    logits: tf.Tensor, is_replaced: tf.Tensor
) -> tf.Tensor:
    """-log D(token) or -log(1 - D(token)) at each place: float32 [B, L].

    Args:
      logits: float [B, L], positive means replaced.
      is_replaced: int [B, L].

    Reference: ELECTRA, section 2, L_Disc.
    """
    return tf.nn.sigmoid_cross_entropy_with_logits(
        tf.cast(is_replaced, tf.float32), tf.cast(logits, tf.float32)
    )
