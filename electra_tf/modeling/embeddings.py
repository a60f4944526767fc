"""Token ids to vectors: what generator and discriminator share."""

import keras
import tensorflow as tf

from electra_tf.errors import require
from electra_tf.modeling.layers import (
    INITIALIZER_RANGE,
    BaseLayer,
    position_initializer,
    truncated_normal,
)

# B batch, L length, M masked slots, V vocabulary, E embedding, H hidden,
# N heads: the letters of every shape comment in this package.


@keras.saving.register_keras_serializable("electra_tf")
class Embeddings(BaseLayer):
    """Sum of word, position and type embeddings, LayerNorm, dropout.

    Args:
      vocab_size: V.
      embedding_size: E.
      max_position_embeddings: rows of the position table.
      type_vocab_size: rows of the type (segment) table.
      dropout: rate after LayerNorm.
      position_init: start of the position table, "normal" or "sinusoidal".
      initializer_range: deviation of the tables' start.

    Call arguments:
      input_ids: int [B, L].
      segment_ids: int [B, L].
      training: whether to drop.

    Returns float [B, L, E]. The projection from E to a network's width stands
    in `Encoder`, since networks of two widths share these tables.

    Raises:
      ValueError: at build, for L above max_position_embeddings.

    Reference: ELECTRA, section 3.2 "Weight sharing"; BERT, section 3.
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_size: int,
        max_position_embeddings: int = 512,
        type_vocab_size: int = 2,
        dropout: float = 0.1,
        position_init: str = "normal",
        initializer_range: float = INITIALIZER_RANGE,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.embedding_size = embedding_size
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.dropout = dropout
        self.position_init = position_init
        self.initializer_range = initializer_range
        self.layer_norm = self.make_layer_norm()
        self.output_dropout = self.make_dropout(dropout)

    def build(self, input_ids_shape=None, segment_ids_shape=None):
        normal = truncated_normal(self.initializer_range)
        self._add_table("word_embeddings", self.vocab_size, normal)
        self._add_table("token_type_embeddings", self.type_vocab_size, normal)
        self._add_table(
            "position_embeddings",
            self.max_position_embeddings,
            position_initializer(self.position_init, self.initializer_range),
        )
        self.layer_norm.build((None, None, self.embedding_size))
        self.output_dropout.build((None, None, self.embedding_size))

    def _add_table(self, name, rows, initializer):
        shape = (rows, self.embedding_size)
        setattr(self, name, self.add_weight(shape, initializer, name=name))

    def call(self, input_ids, segment_ids, training=False):
        length = _length(input_ids, self.max_position_embeddings)
        table = self._table("word_embeddings")
        words = tf.gather(table, input_ids)  # [B, L, E]
        # A product, not a lookup: its gradient is dense, and so is its norm.
        types = tf.one_hot(segment_ids, self.type_vocab_size, dtype=words.dtype)
        types = types @ self._table("token_type_embeddings")  # [B, L, E]
        places = self._table("position_embeddings")[:length]  # [L, E]
        x = self.layer_norm(words + types + places)  # [B, L, E]
        return self.output_dropout(x, training=training)

    def _table(self, name: str) -> tf.Tensor:
        value = tf.convert_to_tensor(getattr(self, name))
        return tf.cast(value, self.compute_dtype)


def _length(input_ids: tf.Tensor, rows: int) -> tf.Tensor | int:
    static = input_ids.shape[1]
    if static is None:
        return tf.shape(input_ids)[1]
    rule = f"the length must be at most the position table's {rows} rows"
    require(static <= rows, rule, static)
    return static
