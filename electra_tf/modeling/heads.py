"""The two heads: which token stood here, and was this token replaced."""

import keras
import tensorflow as tf

from electra_tf.modeling.attention import rows
from electra_tf.modeling.layers import INITIALIZER_RANGE, BaseLayer, gelu


@keras.saving.register_keras_serializable("electra_tf")
class MaskedLMHead(BaseLayer):
    """Logits over the vocabulary, tied to a word table.

    Dense to E with GELU, LayerNorm, product with the word table, plus a bias.
    It is given the masked positions' states alone: the product with V columns
    is the most expensive of the whole step.

    Args:
      vocab_size: V.
      embedding_size: E, the word table's width.
      initializer_range: deviation of the kernel's start.

    Call arguments:
      states: float [B, M, H], the encoder's states at the masked positions.
      word_embeddings: float [V, E].

    Returns float [B, M, V]. Reference: ELECTRA, section 2.
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_size: int,
        initializer_range: float = INITIALIZER_RANGE,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.initializer_range = initializer_range
        self.vocab_size = vocab_size
        self.embedding_size = embedding_size
        self.dense = self.make_dense(embedding_size)
        self.layer_norm = self.make_layer_norm()

    def build(self, states_shape, word_embeddings_shape=None):
        self.dense.build(states_shape)
        self.layer_norm.build((None, None, self.embedding_size))
        self.output_bias = self.add_weight(
            (self.vocab_size,), "zeros", name="output_bias"
        )

    def call(self, states, word_embeddings):
        shape = tf.shape(states)
        x = self.layer_norm(gelu(self.dense(rows(states))))  # [B M, E]
        table = tf.cast(word_embeddings, x.dtype)  # [V, E]
        logits = tf.matmul(x, table, transpose_b=True) + self.output_bias
        return tf.reshape(logits, [shape[0], shape[1], self.vocab_size])


@keras.saving.register_keras_serializable("electra_tf")
class DiscriminatorHead(BaseLayer):
    """A logit for each token; positive means replaced.

    Dense to H with GELU, Dense to 1.

    Args:
      hidden_size: H.
      initializer_range: deviation of the first kernel's start.

    Call arguments:
      states: float [B, L, H].

    Returns float [B, L]. Reference: ELECTRA, section 2, D(x, t).
    """

    def __init__(
        self,
        hidden_size: int,
        initializer_range: float = INITIALIZER_RANGE,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.initializer_range = initializer_range
        self.hidden_size = hidden_size
        self.dense = self.make_dense(hidden_size)
        # Glorot, as in the authors' code.
        self.prediction = keras.layers.Dense(
            1, name="dense_1", dtype=self.dtype_policy
        )

    def build(self, states_shape):
        self.dense.build(states_shape)
        self.prediction.build((None, None, self.hidden_size))

    def call(self, states):
        x = gelu(self.dense(rows(states)))  # [B L, H]
        return tf.reshape(self.prediction(x), tf.shape(states)[:-1])  # [B, L]


@keras.saving.register_keras_serializable("electra_tf")
class SelectionHead(MaskedLMHead):
    """A logit for each of a few candidate words; they share the word table.

    As `MaskedLMHead`, but for the product with the candidates' embeddings
    alone.

    Args: as for `MaskedLMHead`.

    Call arguments:
      states: float [B, M, H].
      candidates: int [B, M, C].
      word_embeddings: float [V, E].

    Returns float [B, M, C]. Reference: TEAMS, multi-word selection.
    """

    def build(
        self, states_shape, candidates_shape=None, word_embeddings_shape=None
    ):
        super().build(states_shape)

    def call(self, states, candidates, word_embeddings):
        x = self.layer_norm(gelu(self.dense(states)))  # [B, M, E]
        words = tf.gather(tf.cast(word_embeddings, x.dtype), candidates)
        logits = tf.einsum("bme,bmce->bmc", x, words)  # [B, M, C]
        bias = tf.convert_to_tensor(self.output_bias)
        return logits + tf.cast(tf.gather(bias, candidates), x.dtype)
