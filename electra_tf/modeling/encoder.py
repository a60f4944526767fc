"""The encoder: embeddings, a projection where widths differ, blocks."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from electra_tf.errors import require
from electra_tf.modeling.attention import (
    EncoderBlock,
    attention_bias,
    check_direction,
)
from electra_tf.modeling.embeddings import Embeddings
from electra_tf.modeling.layers import INITIALIZER_RANGE
from electra_tf.modeling.lora import add_adapters, check_rank
from electra_tf.modeling.noise import current_noise
from electra_tf.modeling.traced_block import TracedBlock


@keras.saving.register_keras_serializable("electra_tf")
class Encoder(keras.layers.Layer):
    """Ids to hidden states: discriminator, generator or plain BERT.

    Args:
      embeddings: an `Embeddings` layer, which another encoder may share.
      hidden_size: H. Where it differs from the embeddings' size a linear
        projection stands between, without activation.
      num_hidden_layers: number of blocks.
      num_attention_heads: N.
      intermediate_size: width of the feed-forward layers.
      hidden_dropout, attention_dropout: rates.
      initializer_range: deviation of the blocks' kernels at the start.
      direction: what a token reads: both sides, or itself and one of them
        (left_to_right, right_to_left).
      rematerialize: in training, compute the blocks' activations again in the
        backward pass rather than keep them.

    Call arguments:
      input_ids, input_mask, segment_ids: int [B, L].
      training: whether to drop.

    Returns float [B, L, H].

    Attributes:
      lora_rank: of the adapters, see `enable_lora`; 0 without any.

    Example:
      embeddings = Embeddings(vocab_size=30522, embedding_size=128)
      encoder = Encoder(embeddings, 256, 12, 4, 1024)
      ids = tf.ones([2, 16], tf.int32)
      states = encoder(ids, tf.ones_like(ids), tf.zeros_like(ids))
    """

    def __init__(
        self,
        embeddings: Embeddings,
        hidden_size: int,
        num_hidden_layers: int,
        num_attention_heads: int,
        intermediate_size: int,
        hidden_dropout: float = 0.1,
        attention_dropout: float = 0.1,
        initializer_range: float = INITIALIZER_RANGE,
        direction: str = "both",
        rematerialize: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_direction(direction)
        self.embeddings = embeddings
        self.direction = direction
        self.rematerialize = rematerialize
        self.sizes: dict[str, Any] = {
            "hidden_size": hidden_size,
            "num_attention_heads": num_attention_heads,
            "intermediate_size": intermediate_size,
            "hidden_dropout": hidden_dropout,
            "attention_dropout": attention_dropout,
            "initializer_range": initializer_range,
        }
        self.hidden_size = hidden_size
        self.projection = None
        if embeddings.embedding_size != hidden_size:
            # Glorot, as in the authors' code, where all else starts at 0.02.
            self.projection = keras.layers.Dense(
                hidden_size, name="embeddings_project", dtype=self.dtype_policy
            )
        self.blocks = [
            EncoderBlock(
                **self.sizes, name=f"layer_{i}", dtype=self.dtype_policy
            )
            for i in range(num_hidden_layers)
        ]
        self.traced_block = TracedBlock(self.blocks[0])
        self.lora_rank = 0

    def build(
        self,
        input_ids_shape=None,
        input_mask_shape=None,
        segment_ids_shape=None,
    ):
        if not self.embeddings.built:
            self.embeddings.build()
        if self.projection is not None:
            self.projection.build((None, None, self.embeddings.embedding_size))
        with keras.name_scope("encoder"):
            for block in self.blocks:
                block.build((None, None, self.hidden_size))

    def enable_lora(self, rank: int) -> None:
        """Lets adapters learn in place of the weights, which rest from now.

        Every Dense layer of every block gets them; embeddings, their
        projection, biases and LayerNorm rest, too. At first nothing changes
        in what is computed.

        Args:
          rank: r, the adapters' inner width.

        Raises:
          InputError: it is no positive whole number, the encoder is not built
            yet, or has adapters already.

        Reference: Hu et al. 2021, section 4.1; Dettmers et al. 2023.
        """
        check_rank(rank)
        rule = "enable_lora may be called once, on an encoder that is built"
        require(self.built and not self.lora_rank, rule, f"rank {rank}")
        for variable in self.variables:
            variable.trainable = False
        for block in self.blocks:
            for layer in block.dense_layers:
                add_adapters(layer, rank)
        self.lora_rank = int(rank)

    def call(self, input_ids, input_mask, segment_ids, training=False):
        text = (input_ids, input_mask, segment_ids)
        return self.layer_states(*text, training=training)[-1]

    def layer_states(self, input_ids, input_mask, segment_ids, training=False):
        """The input of the first block and the output of each: [B, L, H]."""
        x = self.embeddings(input_ids, segment_ids, training=training)
        if self.projection is not None:
            x = self.projection(x)  # [B, L, H]
        states = [x]
        bias = attention_bias(input_mask, self.direction)
        for block in self.blocks:
            run = block
            if training and self.traced_block.serves(block):
                run = functools.partial(self.traced_block, block)
            if training and self.rematerialize:
                run = recomputed(run)
            x = run(x, bias, training=training)  # [B, L, H]
            states.append(x)
        return states

    def get_config(self):
        embeddings = keras.saving.serialize_keras_object(self.embeddings)
        # Built with the encoder, whose name its variables carry.
        embeddings.pop("build_config", None)
        # A part of the file only where there are any: others read it, too.
        adapters = {"lora_rank": self.lora_rank} if self.lora_rank else {}
        return {
            **super().get_config(),
            **self.sizes,
            "num_hidden_layers": len(self.blocks),
            "direction": self.direction,
            "rematerialize": self.rematerialize,
            "embeddings": embeddings,
            **adapters,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        embeddings = config.pop("embeddings")
        embeddings = keras.saving.deserialize_keras_object(embeddings)
        rank = config.pop("lora_rank", 0)
        encoder = cls(embeddings=embeddings, **config)
        if rank:
            encoder.build()
            encoder.enable_lora(rank)
        return encoder


def recomputed(layer: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """`layer(x, *rest, **options)`, whose inner values are not kept.

    The backward pass calls it a second time, with the same noise, so that
    dropout drops the same values.

    Args:
      layer: float [B, L, H] and more -> float [B, L, H]; gradients flow to
        the first argument and the layer's variables alone.

    Reference: Chen et al. 2016, "Training Deep Nets with Sublinear Memory".
    """

    def call(x, *rest, **options):
        noise = current_noise()

        @tf.recompute_grad
        def run(x):
            with noise.scope():
                return layer(x, *rest, **options)

        return run(x)

    return call
