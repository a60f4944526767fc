"""The losses, each as (sum, count), so that replicas can be added up.

A mean of means would weigh replicas with few masked tokens too much. What they
are divided by in a step, `pretrainer.total_loss` says; what is logged is
divided in `metrics.PretrainingMetrics.result`.
"""

import dataclasses
import functools
from typing import Any

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


def hits(predicted: tf.Tensor, true: tf.Tensor) -> tf.Tensor:
    """1.0 where two tensors agree."""
    return tf.cast(tf.equal(predicted, true), tf.float32)


def sum_over_replicas(values: Any) -> Any:
    """The sums of (nested) tensors over all replicas and processes.

    Outside a strategy, or with one replica, the values themselves.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    # One by one: TensorFlow would join them, whatever their types.
    return tf.nest.map_structure(
        lambda value: context.all_reduce(tf.distribute.ReduceOp.SUM, value),
        values,
    )


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


@dataclasses.dataclass(frozen=True)
class Detection:
    """What a discriminator says of each token, and what is right.

    Attributes:
      logits: float [B, L], positive means replaced.
      labels: int32 [B, L].
      judged: float32 [B, L], 1 where the label counts.
    """

    logits: tf.Tensor
    labels: tf.Tensor
    judged: tf.Tensor

    @functools.cached_property
    def losses(self) -> tf.Tensor:
        """-log of the right label's probability: float32 [B, L]."""
        return replaced_token_losses(self.logits, self.labels)


def copying_lm_losses(
    logits: tf.Tensor, copy: tf.Tensor, ids: tf.Tensor, read: tf.Tensor
) -> tf.Tensor:
    """-log(C 1[x_t = read_t] + (1 - C) softmax_t(x_t)): float32 [B, L].

    Args:
      logits: float [B, L, V].
      copy: float [B, L], logit of C, the probability of copying.
      ids: int [B, L], the true tokens.
      read: int [B, L], the tokens that the network read.

    Reference: ELECTRA, section 3.4, "All-Tokens MLM".
    """
    copy = tf.cast(copy, tf.float32)
    predicted = tf.math.log_sigmoid(-copy) - masked_lm_losses(logits, ids)
    copied = tf.math.log_sigmoid(copy)
    # log(exp(copied) + exp(predicted)), and its gradient, without overflow.
    either = copied + tf.nn.softplus(predicted - copied)
    return -tf.where(tf.equal(ids, read), either, predicted)


def likeliest_tokens(
    logits: tf.Tensor, copy: tf.Tensor, read: tf.Tensor
) -> tf.Tensor:
    """The token to which `copying_lm_losses` gives most: int32 [B, L]."""
    log_probs = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    best = tf.argmax(log_probs, -1, tf.int32)
    gap = tf.exp(tf.reduce_max(log_probs, -1))
    gap -= tf.exp(tf.gather(log_probs, read, batch_dims=2))
    return tf.where(tf.exp(tf.cast(copy, tf.float32)) >= gap, read, best)
