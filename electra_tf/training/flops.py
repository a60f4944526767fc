"""FLOPs of pre-training, counted as the paper's tables count them.

The rules are those of the authors' FLOPs script, so that a run here can be
set beside the paper's: a multiplication and an addition are two operations;
the backward pass costs what the forward pass does; the word lookup is a
product with one-hot vectors; the generator's vocabulary is scored at 15.625 %
of the positions, whatever is masked; optimizer, losses and sampling are free.
The machine does less (lookups cost nothing) and more (a backward pass is
nearer to twice the forward one): read these as a unit, not as a clock.
"""

import dataclasses

from electra_tf.config import PretrainingConfig, make_config
from electra_tf.derived import generator_sizes

# Operations on one value.
DROPOUT = 4  # draw, compare, zero, scale
LAYER_NORM = 5
ACTIVATION = 8
SOFTMAX = 5

# 80 of 512 or 20 of 128 positions.
OUTPUT_FRACTION = 0.15625


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


def _dense(inputs: int, outputs: int) -> int:
    """A dense layer with a bias, at one token."""
    return 2 * inputs * outputs + outputs


def encoder_flops(network: Network) -> int:
    """Forward operations a token, from the ids to the last hidden state."""
    block = _attention(network) + _feed_forward(network)
    return _inputs(network) + network.num_layers * block


def _inputs(network: Network) -> int:
    width = network.table_width
    words = 2 * width * network.vocab_size
    places = 2 * width * (network.length + network.segments)
    sums = 2 * width + (LAYER_NORM + DROPOUT) * width
    if width == network.hidden_size:
        return words + places + sums
    return words + places + sums + _dense(width, network.hidden_size)


def _attention(network: Network) -> int:
    hidden, length = network.hidden_size, network.length
    heads = network.num_heads or max(1, hidden // 64)
    all_heads = network.head_size * heads or hidden
    scores = 2 * all_heads * length
    # Scaled, normalised and dropped, for every head and key.
    scores += (1 + SOFTMAX + DROPOUT) * heads * length
    # The script takes contexts to be H wide, where T5's are wider, and this
    # LayerNorm for that of a single value.
    context = 2 * hidden * length + _dense(hidden, hidden)
    after = (DROPOUT + 1) * hidden + LAYER_NORM
    once = 3 * _dense(hidden, all_heads) + scores + context + after
    return 2 * once if network.cross_attention else once


def _feed_forward(network: Network) -> int:
    hidden = network.hidden_size
    wide = network.intermediate_size or 4 * hidden
    inner = _dense(hidden, wide) + ACTIVATION * wide
    after = (DROPOUT + 1 + LAYER_NORM) * hidden
    return inner + _dense(wide, hidden) + after


def masked_lm_head_flops(network: Network) -> int:
    """Forward operations at one scored position, to its loss."""
    width, pieces = network.table_width, network.vocab_size
    hidden = _dense(network.hidden_size, width)
    hidden += (ACTIVATION + LAYER_NORM) * width
    return hidden + 2 * width * pieces + (SOFTMAX + 2) * pieces


def detection_head_flops(network: Network) -> int:
    """Forward operations a token, to the logit of "replaced"."""
    hidden = network.hidden_size
    return _dense(hidden, hidden) + ACTIVATION * hidden + 2 * hidden


def masked_lm_flops(
    network: Network,
    batch_size: float,
    output_fraction: float = OUTPUT_FRACTION,
) -> float:
    """A step, forward and backward, of a network that predicts tokens.

    Args:
      network: its sizes.
      batch_size: sequences a step.
      output_fraction: positions at which the vocabulary is scored.
    """
    head = output_fraction * masked_lm_head_flops(network)
    tokens = batch_size * network.length
    return 2.0 * tokens * (encoder_flops(network) + head)


def detection_flops(network: Network, batch_size: float) -> float:
    """A step, forward and backward, of a network that detects replacements."""
    each = encoder_flops(network) + detection_head_flops(network)
    return 2.0 * batch_size * network.length * each


def networks(config: PretrainingConfig) -> dict[str, Network]:
    """The networks that a step runs: of mlm, the main one as "generator"."""
    model = config.model
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
    if config.objective.objective == "mlm":
        return {"generator": main}
    if model.tying == "all":
        return {"generator": main, "discriminator": main}
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
    return {"generator": generator, "discriminator": main}


def network_flops(
    config: PretrainingConfig, output_fraction: float = OUTPUT_FRACTION
) -> dict[str, float]:
    """FLOPs that one step spends in each network (see `networks`)."""
    parts = networks(config)
    batch_size = config.optimizer.train_batch_size
    flops = {
        "generator": masked_lm_flops(
            parts["generator"], batch_size, output_fraction
        )
    }
    if "discriminator" in parts:
        main = parts["discriminator"]
        flops["discriminator"] = detection_flops(main, batch_size)
    return flops


def step_flops(
    config: PretrainingConfig, output_fraction: float = OUTPUT_FRACTION
) -> float:
    """FLOPs of one training step on the whole batch.

    Args:
      config: the run's configuration.
      output_fraction: positions at which the generator scores the vocabulary.
        The authors use 15.625 % at every size; pass slots / length for what
        `mask_prob` really gives.
    """
    return sum(network_flops(config, output_fraction).values())


def train_flops(
    config: PretrainingConfig, output_fraction: float = OUTPUT_FRACTION
) -> float:
    """FLOPs of the whole run; arguments as `step_flops`."""
    steps = config.optimizer.num_train_steps
    return steps * step_flops(config, output_fraction)


def published_flops() -> dict[str, float]:
    """FLOPs of the models that the paper compares, by the script's names.

    ELMo and XLNet are counts of their own TensorFlow graphs, which the
    authors give as constants.
    """
    small = Network(256, 12, length=128, embedding_size=128)
    albert = Network(4096, 12, vocab_size=30000, embedding_size=128)
    roberta = Network(1024, 24, vocab_size=50265)
    gpt = Network(768, 12, vocab_size=40000)
    electra = {
        "electra_small": {"model_size": "small"},
        "electra_base": {"model_size": "base"},
        "electra_400k": {"model_size": "large"},
        "electra_1.75M": {"model_size": "large", "num_train_steps": 1_750_000},
    }
    return {
        # 10 epochs of 768,648,884 words; per batch of 20 x 128 words.
        "elmo": 2 * 10 * 768_648_884 / (20 * 128) * 568_093_262_680,
        # 500,000 steps of 8,192 sequences; per 32 of them.
        "xlnet": 2 * 500_000 * 8192 / 32 * 15_064_773_691_518,
        "gpt": 960_800 * masked_lm_flops(gpt, 128, output_fraction=1),
        "bert_small": 1.45e6 * masked_lm_flops(small, 128),
        "bert_base": 1e6 * masked_lm_flops(Network(768, 12), 256),
        "bert_large": 1e6 * masked_lm_flops(Network(1024, 24), 256),
        **{n: train_flops(make_config(v)) for n, v in electra.items()},
        "roberta": 5e5 * masked_lm_flops(roberta, 8000),
        "albert": 1.5e6 * masked_lm_flops(albert, 4096),
        "t5_11b": 1e6 * _t5_flops(2048),
    }


def _t5_flops(batch_size: int) -> float:
    """A step of T5-11B: its encoder scores no vocabulary, its decoder all."""
    encoder = Network(
        1024,
        24,
        vocab_size=32000,
        intermediate_size=65536,
        num_heads=128,
        head_size=128,
    )
    decoder = dataclasses.replace(encoder, cross_attention=True)
    read = masked_lm_flops(encoder, batch_size, output_fraction=0)
    return read + masked_lm_flops(decoder, batch_size, output_fraction=1)
