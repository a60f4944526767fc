"""Two heads that find an answer's first and last token.

Both give log-probabilities over the places of `answer_mask`: `scores` for
training, given the true start, and `beam` for prediction, the K best starts
and the K best ends for each. Their dicts are what `SpanQA` documents.
"""

import abc

import keras
import tensorflow as tf

from electra_tf.modeling.layers import gelu

# Added to the logits of places where no answer may stand (authors' code).
NO_ANSWER_HERE = -1000.0
JOINT_WIDTH = 512


def masked_log_softmax(logits: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """log softmax over the last axis; places of mask 0 get about -1000."""
    logits = tf.cast(logits, tf.float32)
    return tf.nn.log_softmax(
        logits + (1 - tf.cast(mask, tf.float32)) * NO_ANSWER_HERE
    )


def best(log_probs: tf.Tensor, num_beams: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The K = min(num_beams, L) best of the last axis, and their places."""
    k = tf.minimum(num_beams, tf.shape(log_probs)[-1])
    return tuple(tf.math.top_k(log_probs, k))


class SpanHead(keras.layers.Layer, abc.ABC):
    """What both heads share: Dense(1) for the start, and the search."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.start = self._dense("start", 1)

    def _dense(self, name: str, units: int) -> keras.layers.Dense:
        return keras.layers.Dense(units, name=name, dtype=self.dtype_policy)

    def scores(self, states, answer_mask, start) -> dict[str, tf.Tensor]:
        """Training: states [B, L, H], mask [B, L], true start int [B]."""
        start = tf.cast(start, tf.int32)[:, None]  # [B, 1]
        ends = self._end_log_probs(states, answer_mask, start)  # [B, 1, L]
        return {
            "start_log_probs": self._start_log_probs(states, answer_mask),
            "end_log_probs": ends[:, 0],  # [B, L]
        }

    def beam(self, states, answer_mask, num_beams: int) -> dict[str, tf.Tensor]:
        """Prediction: states [B, L, H], mask [B, L]."""
        all_starts = self._start_log_probs(states, answer_mask)  # [B, L]
        starts, start_index = best(all_starts, num_beams)  # [B, K]
        all_ends = self._end_log_probs(states, answer_mask, start_index)
        ends, end_index = best(all_ends, num_beams)  # [B, K, K]
        return {
            "start_log_probs": starts,
            "start_index": start_index,
            "end_log_probs": ends,
            "end_index": end_index,
            "answerability": self._answerability(
                states, answer_mask, all_starts, all_ends
            ),
        }

    def _start_log_probs(self, states, answer_mask) -> tf.Tensor:
        """[B, L, H], [B, L] -> float32 [B, L]."""
        logits = tf.squeeze(self.start(states), -1)
        return masked_log_softmax(logits, answer_mask)

    @abc.abstractmethod
    def _end_log_probs(self, states, answer_mask, start) -> tf.Tensor:
        """[B, L, H], [B, L], int [B, K] -> float32 [B, K, L]."""

    @abc.abstractmethod
    def _answerability(self, states, answer_mask, starts, ends) -> tf.Tensor:
        """[B, L, H], [B, L], [B, L], [B, K, L] -> float32 [B]."""


@keras.saving.register_keras_serializable("electra_tf")
class JointSpanHead(SpanHead):
    """The end depends on the start; answerability has a classifier.

    end(s, t) = Dense(1)(GELU(Dense(512)([h_s; h_t]))); answerability =
    Dense(1)(GELU(Dense(512)([h_CLS; sum_t p_start(t) h_t]))).

    Reference: the authors' code, "joint_prediction"; XLNet, its SQuAD head.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.end_hidden = self._dense("end_hidden", JOINT_WIDTH)
        self.end = self._dense("end", 1)
        self.answerability_hidden = self._dense(
            "answerability_hidden", JOINT_WIDTH
        )
        self.answerability = self._dense("answerability", 1)

    def build(self, states_shape):
        width = states_shape[-1]
        self.start.build((None, None, width))
        self.end_hidden.build((None, 2 * width))
        self.end.build((None, JOINT_WIDTH))
        self.answerability_hidden.build((None, 2 * width))
        self.answerability.build((None, JOINT_WIDTH))

    def scores(self, states, answer_mask, start):
        found = super().scores(states, answer_mask, start)
        answerability = self._answerability(
            states, answer_mask, found["start_log_probs"], None
        )
        return {**found, "answerability": answerability}

    def _end_log_probs(self, states, answer_mask, start):
        # Dense([h_s; h_t]) as the sum of its two halves: the product over t
        # is the same for every s.
        kernel = tf.cast(self.end_hidden.kernel, states.dtype)
        of_start, of_end = tf.split(kernel, 2)  # [H, 512] each
        starts = tf.gather(states, start, batch_dims=1)  # [B, K, H]
        starts = tf.tensordot(starts, of_start, 1)  # [B, K, 512]
        ends = tf.tensordot(states, of_end, 1)  # [B, L, 512]
        ends += tf.cast(self.end_hidden.bias, states.dtype)
        pairs = gelu(starts[:, :, None] + ends[:, None])  # [B, K, L, 512]
        logits = tf.squeeze(self.end(pairs), -1)  # [B, K, L]
        return masked_log_softmax(logits, answer_mask[:, None])

    def _answerability(self, states, answer_mask, starts, ends):
        p = tf.cast(tf.exp(starts), states.dtype)  # [B, L]
        mean = tf.einsum("bl,blh->bh", p, states)
        both = tf.concat([states[:, 0], mean], -1)  # [B, 2H]
        hidden = gelu(self.answerability_hidden(both))  # [B, 512]
        logits = tf.squeeze(self.answerability(hidden), -1)  # [B]
        return tf.cast(logits, tf.float32)


@keras.saving.register_keras_serializable("electra_tf")
class PlainSpanHead(SpanHead):
    """BERT's head: start and end each a Dense(1), apart from one another.

    Without answer both stand at [CLS]; answerability is the log-probability
    of that span minus that of the best one elsewhere.

    Args:
      max_answer_length: tokens of an answer at most.

    Reference: BERT, section 4.3.
    """

    def __init__(self, max_answer_length: int, **kwargs):
        super().__init__(**kwargs)
        self.max_answer_length = max_answer_length
        self.end = self._dense("end", 1)

    def build(self, states_shape):
        self.start.build(states_shape)
        self.end.build(states_shape)

    def logits(self, states) -> tuple[tf.Tensor, tf.Tensor]:
        """Of start and end, before any mask: [B, L, H] -> float32 [B, L]."""
        logits = (
            tf.squeeze(part(states), -1) for part in (self.start, self.end)
        )
        return tuple(tf.cast(x, tf.float32) for x in logits)

    def _end_log_probs(self, states, answer_mask, start):
        logits = tf.squeeze(self.end(states), -1)
        log_probs = masked_log_softmax(logits, answer_mask)  # [B, L]
        return tf.repeat(log_probs[:, None], tf.shape(start)[1], 1)

    def _answerability(self, states, answer_mask, starts, ends):
        ends = ends[:, 0]  # [B, L], the same for all starts
        spans = starts[:, :, None] + ends[:, None]  # [B, L, L]
        allowed = tf.cast(answer_mask, tf.float32)
        places = tf.range(tf.shape(starts)[1])  # [L]
        allowed *= tf.cast(places > 0, tf.float32)  # not at [CLS]
        allowed = allowed[:, :, None] * allowed[:, None]  # [B, L, L]
        longest = tf.minimum(self.max_answer_length, tf.shape(starts)[1])
        ordered = tf.linalg.band_part(allowed, 0, longest - 1)
        spans = tf.where(ordered > 0, spans, 2 * NO_ANSWER_HERE)
        null = starts[:, 0] + ends[:, 0]
        return null - tf.reduce_max(spans, [1, 2])  # [B]
