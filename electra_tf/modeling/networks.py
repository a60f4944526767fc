"""The networks of a configuration, tied as `--tying` says."""

import dataclasses

import keras
import tensorflow as tf

from electra_tf.config import ElectraConfig
from electra_tf.derived import generator_sizes
from electra_tf.modeling.embeddings import Embeddings
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.heads import DiscriminatorHead, MaskedLMHead


def make_embeddings(config: ElectraConfig, embedding_size: int) -> Embeddings:
    """Fresh tables of width `embedding_size`."""
    return Embeddings(
        vocab_size=config.vocab_size,
        embedding_size=embedding_size,
        max_position_embeddings=config.max_position_embeddings,
        type_vocab_size=config.type_vocab_size,
        dropout=config.hidden_dropout_prob,
        position_init=config.position_init,
        initializer_range=config.initializer_range,
        name="embeddings",
    )


def make_main_encoder(config: ElectraConfig) -> Encoder:
    """The discriminator's encoder, or BERT's; scope `electra`."""
    return Encoder(
        make_embeddings(config, config.embedding_size),
        hidden_size=config.hidden_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        intermediate_size=config.intermediate_size,
        hidden_dropout=config.hidden_dropout_prob,
        attention_dropout=config.attention_probs_dropout_prob,
        initializer_range=config.initializer_range,
        name="electra",
    )


def make_generator_encoder(config: ElectraConfig, main: Encoder) -> Encoder:
    """The generator's encoder, sharing with `main` what `tying` says.

    none: tables of its own, at its own width; embeddings: the main network's
    tables; all: the main network itself (ELECTRA, section 3.2).
    """
    if config.tying == "all":
        return main
    if not main.built:
        main.build()  # so that shared tables are named after the main network
    sizes = generator_sizes(config)
    embeddings = (
        make_embeddings(config, sizes.hidden_size)
        if config.tying == "none"
        else main.embeddings
    )
    return Encoder(
        embeddings,
        **dataclasses.asdict(sizes),
        hidden_dropout=config.hidden_dropout_prob,
        attention_dropout=config.attention_probs_dropout_prob,
        initializer_range=config.initializer_range,
        name="generator",
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

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder}

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"))
        return cls(encoder, **config)


@keras.saving.register_keras_serializable("electra_tf")
class MaskedLM(_OnEncoder):
    """An encoder and a masked-LM head on its word table.

    Call arguments:
      input_ids, input_mask, segment_ids: int [B, L].
      masked_positions: int [B, M].
      training: whether to drop.

    Returns float [B, M, V].
    """

    def __init__(self, encoder: Encoder, **kwargs):
        tables = encoder.embeddings
        head = MaskedLMHead(
            tables.vocab_size,
            tables.embedding_size,
            encoder.sizes["initializer_range"],
            name="generator_predictions",
        )
        super().__init__(encoder, head, **kwargs)

    def call(
        self,
        input_ids,
        input_mask,
        segment_ids,
        masked_positions,
        training=False,
    ):
        states = self.encoder(
            input_ids, input_mask, segment_ids, training=training
        )  # [B, L, H]
        # Gathered first: the vocabulary product sees M positions, not L.
        states = tf.gather(states, masked_positions, batch_dims=1)  # [B, M, H]
        table = self.encoder.embeddings.word_embeddings  # [V, E]
        return self.head(states, table)  # [B, M, V]


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
        states = self.encoder(
            input_ids, input_mask, segment_ids, training=training
        )  # [B, L, H]
        return self.head(states)  # [B, L]
