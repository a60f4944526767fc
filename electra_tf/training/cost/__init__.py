"""What a run costs: the networks that are counted, without TensorFlow."""

import dataclasses

from electra_tf.config.objectives import describe
from electra_tf.config.pretraining import PretrainingConfig
from electra_tf.config.sizes import generator_sizes, num_heads

# Names of the two towers' encoders, as their variables bear them.
TOWERS = ("generator_ltr", "generator_rtl")


@dataclasses.dataclass(frozen=True)
class Network:
    """What the count of one transformer depends on.

    Attributes:
      hidden_size: H.
      num_layers: blocks.
      length: L, tokens of a sequence.
      vocab_size: V.
      embedding_size: E; 0 stands for H.
      intermediate_size: width of the feed-forward layer; 0 stands for 4 H.
      num_heads: N; 0 stands for a head per 64, at least one.
      head_size: width of a head; 0 stands for H / N.
      segments: rows of the segment table.
      cross_attention: each block attends a second time, as a decoder's does.
    """

    hidden_size: int
    num_layers: int
    length: int = 512
    vocab_size: int = 30522
    embedding_size: int = 0
    intermediate_size: int = 0
    num_heads: int = 0
    head_size: int = 0
    segments: int = 2
    cross_attention: bool = False

    @property
    def table_width(self) -> int:
        """E."""
        return self.embedding_size or self.hidden_size

    @property
    def feed_forward_width(self) -> int:
        """Of the feed-forward layer."""
        return self.intermediate_size or 4 * self.hidden_size

    @property
    def heads(self) -> int:
        """N."""
        return self.num_heads or num_heads(self.hidden_size)


def networks(config: PretrainingConfig) -> dict[str, Network]:
    """The encoders that a step runs, by their network's name."""
    model = config.model
    description = describe(config.objective.objective)
    main = Network(
        hidden_size=model.hidden_size,
        num_layers=model.num_hidden_layers,
        length=config.data.max_seq_length,
        vocab_size=model.vocab_size,
        embedding_size=model.embedding_size,
        intermediate_size=model.intermediate_size,
        num_heads=model.num_attention_heads,
        segments=model.type_vocab_size,
    )
    found = {description.main.name: main}
    if not description.has_generator:
        return found
    if model.tying == "all":
        return {"generator": main, **found}
    sizes = generator_sizes(model)
    # Its feed-forward layer and heads follow from its width.
    generator = dataclasses.replace(
        main,
        hidden_size=sizes.hidden_size,
        num_layers=sizes.num_hidden_layers,
        embedding_size=0 if model.tying == "none" else model.embedding_size,
        intermediate_size=0,
        num_heads=0,
    )
    names = {"transformer": ("generator",), "two_tower": TOWERS}
    kind = names.get(model.generator, ())
    return {**dict.fromkeys(kind, generator), **found}
