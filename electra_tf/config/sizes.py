"""Sizes that follow from the configuration, known before any TensorFlow."""

import dataclasses

from electra_tf.config.presets import num_heads
from electra_tf.config.pretraining import ElectraConfig


@dataclasses.dataclass(frozen=True)
class GeneratorSizes:
    """The generator's sizes, as the authors derive them from fractions."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int


def generator_sizes(config: ElectraConfig) -> GeneratorSizes:
    """Width by the fraction, FFN four times it, a head per 64 (at least 1)."""
    hidden_size = round(config.hidden_size * config.generator_hidden_size)
    return GeneratorSizes(
        hidden_size=hidden_size,
        num_hidden_layers=round(
            config.num_hidden_layers * config.generator_layers
        ),
        num_attention_heads=num_heads(hidden_size),
        intermediate_size=4 * hidden_size,
    )


def num_slots(mask_prob: float, max_seq_length: int) -> int:
    """M, the slots of an example, used or not (authors' code)."""
    slots = int((mask_prob + 0.005) * max_seq_length)
    return min(max(1, slots), max_seq_length)
