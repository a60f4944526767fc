"""FLOPs of one network, counted as the paper's tables count them.

The rules are those of the authors' FLOPs script, so that a run here can be
set beside the paper's: a multiplication and an addition are two operations;
the backward pass costs what the forward pass does; the word lookup is a
product with one-hot vectors; the generator's vocabulary is scored at 15.625 %
of the positions, whatever is masked; optimizer, losses and sampling are free.
The machine does less (lookups cost nothing) and more (a backward pass is
nearer to twice the forward one): read these as a unit, not as a clock.
"""

import dataclasses

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
    return _inputs(network) + network.num_layers * block_flops(network)


def block_flops(network: Network) -> int:
    """Forward operations a token of one block."""
    return _attention(network) + _feed_forward(network)


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
    pieces = network.vocab_size
    return _before_words(network) + _words(network.table_width, pieces)


def selection_head_flops(network: Network, candidates: int) -> int:
    """Forward operations at one position to choose among some words."""
    return _before_words(network) + _words(network.table_width, candidates)


def _before_words(network: Network) -> int:
    width = network.table_width
    hidden = _dense(network.hidden_size, width)
    return hidden + (ACTIVATION + LAYER_NORM) * width


def _words(width: int, count: int) -> int:
    """Scores of `count` words, and their loss."""
    return 2 * width * count + (SOFTMAX + 2) * count


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
