"""The paper's sizes, the fields that hold a run's, and what follows from them.

`--model_size` sets what no flag says otherwise.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from electra_tf.config import NOT_NEGATIVE, POSITIVE, Options, at_most, field
from electra_tf.errors import require

# Paper, Table 6, and the authors' comments for the sizes they released: the
# released "small" checkpoints have a generator of full width.
_SIZES = ("small", "small_released", "base", "large")
_TABLE = {
    "embedding_size": (128, 128, 768, 1024),
    "hidden_size": (256, 256, 768, 1024),
    "num_hidden_layers": (12, 12, 12, 24),
    "num_attention_heads": (4, 4, 12, 16),
    "intermediate_size": (1024, 1024, 3072, 4096),
    "generator_hidden_size": (0.25, 1.0, 1 / 3, 0.25),
    "mask_prob": (0.15, 0.15, 0.15, 0.25),
    "learning_rate": (5e-4, 5e-4, 2e-4, 2e-4),
    "train_batch_size": (128, 128, 256, 2048),
    "num_train_steps": (1_000_000, 1_000_000, 766_000, 400_000),
    "max_seq_length": (128, 128, 512, 512),
}
SIZES: dict[str, dict[str, Any]] = {
    size: {name: row[column] for name, row in _TABLE.items()}
    for column, size in enumerate(_SIZES)
}

_SHAPES = tuple(_TABLE)[:5]

# Wider than any network, and far from where products leave 64 bits.
_SIZE = (POSITIVE, at_most(2**20))
_SIZE_OR_DERIVED = (NOT_NEGATIVE, at_most(2**20))
_FRACTION = (POSITIVE, at_most(16))


@dataclasses.dataclass(frozen=True)
class NetworkSizes(Options):
    """The shapes of a run's networks.

    Attributes:
      model_size: row of the paper's table that sets the defaults.
      vocab_size: pieces in the vocabulary.
      embedding_size: E, width of the token embeddings.
      hidden_size: H, width of the discriminator.
      num_hidden_layers: blocks of the discriminator.
      num_attention_heads: N, heads of the discriminator.
      intermediate_size: width of the feed-forward layer.
      max_position_embeddings: rows of the position table.
      type_vocab_size: rows of the segment table.
      generator_hidden_size: generator's width, FFN and heads as a fraction of
        the main's.
      generator_layers: generator's depth as a fraction of the main network's.
      generator_num_attention_heads: generator's heads; 0: one per 64 columns.
      generator_intermediate_size: generator's FFN; 0: four times its width.
    """

    # Not what defines a run: the values that it sets are.
    model_size: str = field("small", choices=SIZES, defines=False)
    vocab_size: int = field(30522, POSITIVE, at_most(2**24))
    embedding_size: int = field(128, *_SIZE)
    hidden_size: int = field(256, *_SIZE)
    num_hidden_layers: int = field(12, *_SIZE)
    num_attention_heads: int = field(4, *_SIZE)
    intermediate_size: int = field(1024, *_SIZE)
    max_position_embeddings: int = field(512, *_SIZE)
    type_vocab_size: int = field(2, *_SIZE)
    generator_hidden_size: float = field(0.25, *_FRACTION)
    generator_layers: float = field(1.0, *_FRACTION)
    generator_num_attention_heads: int = field(0, *_SIZE_OR_DERIVED)
    generator_intermediate_size: int = field(0, *_SIZE_OR_DERIVED)

    def __post_init__(self) -> None:
        super().__post_init__()
        heads = self.num_attention_heads
        require(
            self.hidden_size % heads == 0,
            f"hidden_size must be a multiple of num_attention_heads ({heads})",
            self.hidden_size,
        )


@dataclasses.dataclass(frozen=True)
class GeneratorSizes:
    """The generator's sizes: given, or as the authors derive them."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int


def num_heads(hidden_size: int) -> int:
    """The authors' heads of a network of this width: one per 64 columns."""
    return max(1, hidden_size // 64)


def generator_sizes(config: NetworkSizes) -> GeneratorSizes:
    """Width by the fraction; FFN four times it, a head per 64 (at least 1),
    where they are not given."""
    hidden_size = round(config.hidden_size * config.generator_hidden_size)
    num_layers = round(config.num_hidden_layers * config.generator_layers)
    return GeneratorSizes(
        hidden_size,
        num_layers,
        config.generator_num_attention_heads or num_heads(hidden_size),
        config.generator_intermediate_size or 4 * hidden_size,
    )


def check_generator_sizes(config: NetworkSizes) -> None:
    """Refuses fractions of which no network can be made."""
    sizes = generator_sizes(config)
    hidden, heads = sizes.hidden_size, sizes.num_attention_heads
    require(
        hidden > 0 and hidden % heads == 0,
        "hidden_size times generator_hidden_size must be a positive multiple "
        f"of the generator's {heads} heads",
        hidden,
    )
    require(
        sizes.num_hidden_layers > 0,
        "num_hidden_layers times generator_layers must round to 1 or more",
        config.generator_layers,
    )


def like_paper(values: Mapping[str, Any]) -> dict[str, Any]:
    """Model size and length for sizes that somebody else's weights have.

    Args:
      values: the main network's sizes by name.

    Returns:
      `model_size`, where the paper has one of these sizes, and a
      `max_seq_length` that the position table allows.
    """
    rows = values["max_position_embeddings"]
    for size, row in SIZES.items():
        if all(row[name] == values[name] for name in _SHAPES):
            length = min(row["max_seq_length"], rows)
            return {"model_size": size, "max_seq_length": length}
    return {"max_seq_length": min(SIZES["small"]["max_seq_length"], rows)}


def num_slots(mask_prob: float, max_seq_length: int) -> int:
    """M, the slots of an example, used or not (authors' code)."""
    slots = int((mask_prob + 0.005) * max_seq_length)
    return min(max(1, slots), max_seq_length)
