"""What generator and main network share: `--tying` and `--generator`."""

import functools
from collections.abc import Callable

import tensorflow as tf

from electra_tf.config.pretraining import ElectraConfig
from electra_tf.config.sizes import GeneratorSizes, generator_sizes
from electra_tf.modeling.embeddings import Embeddings
from electra_tf.modeling.encoder import Encoder

# Names and directions of each generator's encoders; the names are scopes.
GENERATOR_ENCODERS = {
    "transformer": {"generator": "both"},
    "two_tower": {
        "generator_ltr": "left_to_right",
        "generator_rtl": "right_to_left",
    },
    "uniform": {},
    "unigram": {},
}

# Tables of which the main network holds but the difference, and its name's
# end.
DISENTANGLED = ("word_embeddings", "position_embeddings")
DELTA = "_delta"


def make_encoders(
    config: ElectraConfig, merged: bool = False
) -> tuple[Encoder, tuple[Encoder, ...]]:
    """The main network's encoder and the generator's.

    none: tables of its own for the generator, at its own width; embeddings:
    the main network's tables; all: the main network's encoder itself
    (ELECTRA, section 3.2); gradient_disentangled: the main network's word and
    position tables are the generator's plus a difference that it alone
    trains (DeBERTaV3, section 3.2).

    Args:
      config: the networks' sizes.
      merged: of gradient_disentangled, give the main network plain tables
        that hold the sum, as exported weights do.
    """
    if config.tying == "gradient_disentangled":
        width = config.embedding_size
        tables = make_embeddings(config, width)
        generators = _generator_encoders(config, tables)
        generators[0].build()  # so that the tables are named after it
        kind = functools.partial(DisentangledEmbeddings, tables)
        own = None if merged else make_embeddings(config, width, kind)
        return make_main_encoder(config, own), generators
    main = make_main_encoder(config)
    if config.tying == "all":
        return main, (main,)
    main.build()  # so that shared tables are named after the main network
    tables = main.embeddings
    if config.tying == "none":
        width = generator_sizes(config).hidden_size
        tables = make_embeddings(config, width)
    return main, _generator_encoders(config, tables)


def make_embeddings(
    config: ElectraConfig,
    embedding_size: int,
    kind: Callable[..., Embeddings] = Embeddings,
) -> Embeddings:
    """Fresh tables of width `embedding_size`."""
    return kind(
        vocab_size=config.vocab_size,
        embedding_size=embedding_size,
        max_position_embeddings=config.max_position_embeddings,
        type_vocab_size=config.type_vocab_size,
        dropout=config.hidden_dropout_prob,
        position_init=config.position_init,
        initializer_range=config.initializer_range,
        name="embeddings",
    )


def make_main_encoder(
    config: ElectraConfig, embeddings: Embeddings | None = None
) -> Encoder:
    """The discriminator's encoder, or BERT's; scope `electra`.

    Args:
      config: its sizes.
      embeddings: its tables; None makes fresh ones.
    """
    tables = embeddings or make_embeddings(config, config.embedding_size)
    return _make_encoder(config, tables, config, "electra")


def _make_encoder(
    config: ElectraConfig,
    tables: Embeddings,
    sizes: ElectraConfig | GeneratorSizes,
    name: str,
    direction: str = "both",
) -> Encoder:
    return Encoder(
        tables,
        sizes.hidden_size,
        sizes.num_hidden_layers,
        sizes.num_attention_heads,
        sizes.intermediate_size,
        config.hidden_dropout_prob,
        config.attention_probs_dropout_prob,
        config.initializer_range,
        direction,
        name=name,
    )


def _generator_encoders(
    config: ElectraConfig, tables: Embeddings
) -> tuple[Encoder, ...]:
    sizes = generator_sizes(config)
    return tuple(
        _make_encoder(config, tables, sizes, name, direction)
        for name, direction in GENERATOR_ENCODERS[config.generator].items()
    )


class DisentangledEmbeddings(Embeddings):
    """E_D = stop_gradient(E_G) + E_delta, for word and position tables.

    E_delta starts at zero and alone gets the main network's gradient, so that
    detection does not pull at what the masked-LM learns. The segment table
    and the LayerNorm are the main network's own.

    No part of a saved Keras model: what is exported is a plain `Embeddings`
    that holds the sums (see weights/disentangled.py).

    Args:
      source: E_G's layer, built; not tracked, since it is the generator's.
      **sizes: as for `Embeddings`.

    Reference: DeBERTaV3 (He et al. 2021), section 3.2, GDES.
    """

    def __init__(self, source: Embeddings, **sizes):
        super().__init__(**sizes)
        self._table_of_source = lambda name: getattr(source, name)

    def _add_table(self, name, rows, initializer):
        if name in DISENTANGLED:
            super()._add_table(name + DELTA, rows, "zeros")
        else:
            super()._add_table(name, rows, initializer)

    @property
    def word_embeddings(self) -> tf.Tensor:
        """The sum of both word tables, float32 [V, E]."""
        return self._sum("word_embeddings")

    @property
    def position_embeddings(self) -> tf.Tensor:
        """The sum of both position tables, float32 [P, E]."""
        return self._sum("position_embeddings")

    def _sum(self, name: str) -> tf.Tensor:
        source = tf.convert_to_tensor(self._table_of_source(name))
        delta = tf.convert_to_tensor(getattr(self, name + DELTA))
        return tf.stop_gradient(source) + delta

    def get_config(self):
        raise NotImplementedError(
            "disentangled embeddings are not serialised; export the model, "
            "whose tables hold the sums"
        )
