"""Multi-head self-attention and the post-LN transformer block."""

import keras
import tensorflow as tf

from electra_tf.errors import require
from electra_tf.modeling.layers import (
    INITIALIZER_RANGE,
    BaseLayer,
    Dropout,
    gelu,
    trained_gelu,
)
from electra_tf.modeling.lora import Dense

# Added to the scores of keys that may not be read, as the authors' code does.
PADDED_KEY = -10000.0


DIRECTIONS = ("both", "left_to_right", "right_to_left")


def check_direction(direction: str) -> None:
    """Raises ValueError where it is none of DIRECTIONS."""
    rule = f"direction must be one of {', '.join(DIRECTIONS)}"
    require(direction in DIRECTIONS, rule, direction)


def attention_bias(input_mask: tf.Tensor, direction: str = "both") -> tf.Tensor:
    """0 on the keys a token may read, -10000 on the others.

    Args:
      input_mask: int [B, L], 1 on real tokens.
      direction: both, or towards which side a token reads: left_to_right
        lets token t read keys up to t, right_to_left keys from t on.

    Returns float32 [B, 1, 1, L], with a direction [B, 1, L, L].
    """
    # A reshape, which tells the rank: only then is the sum with the scores
    # drawn into their product.
    batch, length = tf.unstack(tf.shape(input_mask))
    mask = tf.reshape(tf.cast(input_mask, tf.float32), [batch, 1, 1, length])
    if direction != "both":
        below = (-1, 0) if direction == "left_to_right" else (0, -1)
        band = tf.linalg.band_part(tf.ones([length, length]), *below)
        mask *= band  # [B, 1, L, L]
    return (1 - mask) * PADDED_KEY


def rows(x: tf.Tensor) -> tf.Tensor:
    """The tokens of a batch as rows: [B, L, H] -> [B L, H].

    A dense layer is one matrix product of them, into which TensorFlow draws
    the bias and the activation.
    """
    return tf.reshape(x, [-1, x.shape[-1]])


@keras.saving.register_keras_serializable("electra_tf")
class EncoderBlock(BaseLayer):
    """Self-attention and feed-forward layer, each added and normalised.

    Args:
      hidden_size: H.
      num_attention_heads: N; H must be a multiple of it.
      intermediate_size: width of the feed-forward layer.
      hidden_dropout: rate on the two layers' outputs.
      attention_dropout: rate on the attention probabilities.
      initializer_range: deviation of the kernels' start.

    Call arguments:
      x: float [B, L, H].
      bias: float broadcastable to [B, N, L, L], added to the scores.
      training: whether to drop.

    Returns float [B, L, H]. Reference: BERT, section 3; post-LN, exact GELU.
    """

    def __init__(
        self,
        hidden_size: int,
        num_attention_heads: int,
        intermediate_size: int,
        hidden_dropout: float = 0.1,
        attention_dropout: float = 0.1,
        initializer_range: float = INITIALIZER_RANGE,
        **kwargs,
    ):
        super().__init__(**kwargs)
        heads = num_attention_heads
        rule = (
            f"hidden_size must be a multiple of num_attention_heads ({heads})"
        )
        require(hidden_size % heads == 0, rule, hidden_size)
        self.hidden_size = hidden_size
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.hidden_dropout = hidden_dropout
        self.attention_dropout = attention_dropout
        self.initializer_range = initializer_range
        self.query = self.make_dense(hidden_size, "query")
        self.key = self.make_dense(hidden_size, "key")
        self.value = self.make_dense(hidden_size, "value")
        self.probs_dropout = self.make_dropout(attention_dropout)
        self.attention_dense = self.make_dense(hidden_size)
        self.attention_output_dropout = self.make_dropout(hidden_dropout)
        self.attention_layer_norm = self.make_layer_norm()
        self.intermediate_dense = self.make_dense(intermediate_size)
        self.output_dense = self.make_dense(hidden_size)
        self.output_dropout = self.make_dropout(hidden_dropout)
        self.output_layer_norm = self.make_layer_norm()

    def build(self, x_shape, bias_shape=None):
        """Names the variables by the authors' scopes (see weights/)."""
        wide = (None, None, self.hidden_size)
        scope = keras.name_scope
        with scope("attention"), scope("self"):
            for layer in (self.query, self.key, self.value):
                layer.build(wide)
            self.probs_dropout.build((None, None, None, None))
        with scope("attention"), scope("output"):
            self.attention_dense.build(wide)
            self.attention_output_dropout.build(wide)
            self.attention_layer_norm.build(wide)
        with scope("intermediate"):
            self.intermediate_dense.build(wide)
        with scope("output"):
            self.output_dense.build((None, None, self.intermediate_size))
            self.output_dropout.build(wide)
            self.output_layer_norm.build(wide)

    @property
    def dropouts(self) -> tuple[Dropout, Dropout, Dropout]:
        """What draws random numbers."""
        return (
            self.probs_dropout,
            self.attention_output_dropout,
            self.output_dropout,
        )

    @property
    def dense_layers(self) -> tuple[Dense, ...]:
        """What may have adapters."""
        return (
            self.query,
            self.key,
            self.value,
            self.attention_dense,
            self.intermediate_dense,
            self.output_dense,
        )

    def call(self, x, bias, training=False):
        a = self._attend(x, bias, training)  # [B, L, H]
        a = self.attention_output_dropout(a, training=training)
        x = self.attention_layer_norm(a + x)  # [B, L, H]
        activation = trained_gelu if training else gelu
        h = activation(self.intermediate_dense(rows(x)))  # [B L, 4H]
        h = tf.reshape(self.output_dense(h), tf.shape(x))  # [B, L, H]
        h = self.output_dropout(h, training=training)
        return self.output_layer_norm(h + x)  # [B, L, H]

    def _attend(self, x, bias, training):
        shape = tf.shape(x)
        tokens = rows(x)  # [B L, H]
        q = self._heads(self.query(tokens), shape)  # [B, N, L, H/N]
        k = self._heads(self.key(tokens), shape)  # [B, N, L, H/N]
        v = self._heads(self.value(tokens), shape)  # [B, N, L, H/N]
        head_size = self.hidden_size // self.num_attention_heads
        scores = tf.matmul(q * head_size**-0.5, k, transpose_b=True)
        # In float32 under every precision, as the bias is.
        scores = tf.cast(scores, tf.float32) + tf.cast(bias, tf.float32)
        probs = tf.cast(tf.nn.softmax(scores), v.dtype)  # [B, N, L, L]
        probs = self.probs_dropout(probs, training=training)
        context = tf.transpose(probs @ v, [0, 2, 1, 3])  # [B, L, N, H/N]
        context = tf.reshape(context, [-1, self.hidden_size])  # [B L, H]
        return tf.reshape(self.attention_dense(context), shape)

    def _heads(self, tokens, shape):
        heads = self.num_attention_heads
        split = [shape[0], shape[1], heads, self.hidden_size // heads]
        return tf.transpose(tf.reshape(tokens, split), [0, 2, 1, 3])
