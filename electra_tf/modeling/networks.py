"""The networks: an encoder with the head of one task."""

import inspect
from collections.abc import Iterable

import keras
import tensorflow as tf

from electra_tf.modeling.attention import EncoderBlock, attention_bias
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.heads import (
    DiscriminatorHead,
    MaskedLMHead,
    SelectionHead,
)


def make_token_head(encoder: Encoder, name: str) -> MaskedLMHead:
    """A head for the word table that an encoder reads."""
    tables = encoder.embeddings
    return MaskedLMHead(
        tables.vocab_size,
        tables.embedding_size,
        encoder.sizes["initializer_range"],
        name=name,
    )


class _OnEncoder(keras.Model):
    """An encoder and a head, built at once so that paths do not depend on
    what calls them first."""

    def __init__(self, encoder: Encoder, head: keras.layers.Layer, **kwargs):
        super().__init__(**kwargs)
        if not encoder.built:
            encoder.build()
        head.build((None, None, encoder.hidden_size))
        self.encoder = encoder
        self.head = head
        self.built = True

    def export(self, filepath, format="tf_saved_model", **kwargs):
        """As Keras has it, for ids of any batch and length: raw outputs."""
        names = list(inspect.signature(self.call).parameters)[:-1]
        specs = [tf.TensorSpec([None, None], tf.int32, name) for name in names]
        kwargs.setdefault("input_signature", specs)
        return super().export(filepath, format, **kwargs)

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"))
        return cls(encoder, **config)


@keras.saving.register_keras_serializable("electra_tf")
class MaskedLM(_OnEncoder):
    """An encoder and a masked-LM head on its word table.

    Args:
      encoder: reads the text.
      head_name: scope of the head's variables.

    Call arguments:
      input_ids, input_mask, segment_ids: int [B, L].
      masked_positions: int [B, M].
      training: whether to drop.

    Returns float [B, M, V].
    """

    def __init__(
        self,
        encoder: Encoder,
        head_name: str = "generator_predictions",
        **kwargs,
    ):
        head = make_token_head(encoder, head_name)
        super().__init__(encoder, head, **kwargs)

    def call(
        self,
        input_ids,
        input_mask,
        segment_ids,
        masked_positions,
        training=False,
    ):
        text = (input_ids, input_mask, segment_ids)
        states = self.states_at(text, masked_positions, training)
        return self.predict_tokens(states)

    def states_at(self, text, masked_positions, training=False):
        """What the head is given: float [B, M, H]."""
        states = self.encoder(*text, training=training)  # [B, L, H]
        # Gathered first: the vocabulary product sees M positions, not L.
        return tf.gather(states, masked_positions, batch_dims=1)

    def predict_tokens(self, states):
        """The head alone: states [B, M, H] to logits [B, M, V]."""
        table = self.encoder.embeddings.word_embeddings  # [V, E]
        return self.head(states, table)  # [B, M, V]

    def get_config(self):
        return {**super().get_config(), "head_name": self.head.name}


@keras.saving.register_keras_serializable("electra_tf")
class Discriminator(_OnEncoder):
    """An encoder and a head that says of each token whether it was replaced.

    Call arguments:
      input_ids, input_mask, segment_ids: int [B, L].
      training: whether to drop.

    Returns logits, float [B, L]; positive means replaced.
    """

    def __init__(self, encoder: Encoder, **kwargs):
        head = DiscriminatorHead(
            encoder.hidden_size,
            encoder.sizes["initializer_range"],
            name="discriminator_predictions",
        )
        super().__init__(encoder, head, **kwargs)

    def call(self, input_ids, input_mask, segment_ids, training=False):
        text = (input_ids, input_mask, segment_ids)
        states = self.encoder(*text, training=training)  # [B, L, H]
        return self.head(states)  # [B, L]


@keras.saving.register_keras_serializable("electra_tf")
class CopyingLM(_OnEncoder):
    """An encoder that predicts every token, or says to copy what it read.

    Call arguments:
      input_ids, input_mask, segment_ids: int [B, L].
      training: whether to drop.

    Returns logits over the vocabulary, float [B, L, V], and the logit of
    copying, float [B, L]. Reference: ELECTRA, section 3.4.
    """

    def __init__(self, encoder: Encoder, **kwargs):
        head = make_token_head(encoder, "main_predictions")
        super().__init__(encoder, head, **kwargs)
        self.gate = keras.layers.Dense(1, name="copy_gate")
        self.gate.build((None, None, encoder.hidden_size))

    def call(self, input_ids, input_mask, segment_ids, training=False):
        text = (input_ids, input_mask, segment_ids)
        states = self.encoder(*text, training=training)  # [B, L, H]
        table = self.encoder.embeddings.word_embeddings  # [V, E]
        copy = tf.squeeze(self.gate(states), -1)  # [B, L]
        return self.head(states, table), copy


@keras.saving.register_keras_serializable("electra_tf")
class Selector(keras.Model):
    """A last block and a head that choose among candidate words.

    Args:
      vocab_size, embedding_size: V and E of the word table.
      block: the block's sizes, as `EncoderBlock` takes them.

    Call arguments:
      states: float [B, L, H], an encoder's before its own last block.
      input_mask: int [B, L].
      positions: int [B, M], where to choose.
      candidates: int [B, M, C].
      word_embeddings: float [V, E].
      training: whether to drop.

    Returns float [B, M, C]. Reference: TEAMS, multi-word selection.
    """

    def __init__(
        self, vocab_size: int, embedding_size: int, block: dict, **kwargs
    ):
        super().__init__(**kwargs)
        self.vocab_size, self.embedding_size = vocab_size, embedding_size
        self.sizes = dict(block)
        self.block = EncoderBlock(**block, name="selector_layer")
        self.head = SelectionHead(
            vocab_size,
            embedding_size,
            block["initializer_range"],
            name="selector_predictions",
        )
        self.block.build((None, None, block["hidden_size"]))
        self.head.build((None, None, block["hidden_size"]))
        self.built = True

    def call(
        self,
        states,
        input_mask,
        positions,
        candidates,
        word_embeddings,
        training=False,
    ):
        bias = attention_bias(input_mask)  # [B, 1, 1, L]
        states = self.block(states, bias, training=training)  # [B, L, H]
        states = tf.gather(states, positions, batch_dims=1)  # [B, M, H]
        return self.head(states, candidates, word_embeddings)

    def get_config(self):
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "embedding_size": self.embedding_size,
            "block": dict(self.sizes),
        }


def encoders_of(networks: Iterable[keras.layers.Layer]) -> list[Encoder]:
    """The encoders inside some networks, shared ones as often as they occur."""
    layers = (getattr(network, "layers", ()) for network in networks)
    return [x for found in layers for x in found if isinstance(x, Encoder)]


def variables_of(
    networks: Iterable[keras.layers.Layer],
) -> list[keras.Variable]:
    """The trainable variables of several networks, shared ones once."""
    found: dict[int, keras.Variable] = {}
    for network in networks:
        found |= {id(v): v for v in network.trainable_variables}
    return list(found.values())
