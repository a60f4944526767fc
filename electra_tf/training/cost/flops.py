"""FLOPs of a run, counted as the paper's tables count them.

The rules are those of the authors' FLOPs script, so that a run here can be
set beside the paper's: a multiplication and an addition are two operations;
the backward pass costs what the forward pass does; the word lookup is a
product with one-hot vectors; the generator's vocabulary is scored at 15.625 %
of the positions, whatever is masked; optimizer, losses and sampling are free.
The machine does less (lookups cost nothing) and more (a backward pass is
nearer to twice the forward one): read these as a unit, not as a clock.
"""

import dataclasses
import math
from collections.abc import Callable

from electra_tf.config.objectives import describe
from electra_tf.config.pretraining import PretrainingConfig, flat_values
from electra_tf.training.cost import TOWERS, Network, networks

# Operations on one value.
DROPOUT = 4  # draw, compare, zero, scale
LAYER_NORM = 5
ACTIVATION = 8
SOFTMAX = 5

# 80 of 512 or 20 of 128 positions.
OUTPUT_FRACTION = 0.15625
# Of teams: the true token and four others.
CANDIDATES = 5


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
    hidden = network.hidden_size
    projection = _dense(width, hidden) if width != hidden else 0
    return words + places + sums + projection


def _attention(network: Network) -> int:
    hidden, length = network.hidden_size, network.length
    heads = network.heads
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
    wide = network.feed_forward_width
    inner = _dense(hidden, wide) + ACTIVATION * wide
    after = (DROPOUT + 1 + LAYER_NORM) * hidden
    return inner + _dense(wide, hidden) + after


def masked_lm_head_flops(network: Network) -> int:
    """Forward operations at one scored position, to its loss."""
    return _words(network, network.vocab_size)


def _words(network: Network, count: int) -> int:
    """Scores of `count` words at one position, and their loss."""
    width = network.table_width
    before = _dense(network.hidden_size, width)
    before += (ACTIVATION + LAYER_NORM) * width
    return before + 2 * width * count + (SOFTMAX + 2) * count


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


# Forward operations at one place, by the head's name in descriptions.
_HEADS: dict[str, Callable[[Network], int]] = {
    "tokens": masked_lm_head_flops,
    "copying": lambda main: masked_lm_head_flops(main) + 2 * main.hidden_size,
    "detection": detection_head_flops,
    "selection": lambda main: _words(main, CANDIDATES),
    "value": lambda network: 0,  # as losses are
}


def network_flops(
    config: PretrainingConfig, output_fraction: float = OUTPUT_FRACTION
) -> dict[str, float]:
    """FLOPs that one step spends in each network (see `networks`).

    All networks are taken to learn; see `stages` for two_stage.
    """
    parts = networks(config)
    batch_size = config.optimizer.train_batch_size
    tokens = batch_size * config.data.max_seq_length
    flops: dict[str, float] = {}
    if "generator" in parts:
        flops["generator"] = masked_lm_flops(
            parts["generator"], batch_size, output_fraction
        )
    elif TOWERS[0] in parts:
        tower = parts[TOWERS[0]]
        # Their head sees twice the width, and every token.
        cloze = dataclasses.replace(
            tower,
            hidden_size=2 * tower.hidden_size,
            embedding_size=tower.table_width,
        )
        each = 2.0 * encoder_flops(tower) + masked_lm_head_flops(cloze)
        flops["generator"] = 2.0 * tokens * each
    description = describe(config.objective.objective)
    main = parts[description.main.name]
    for part in (description.main, *description.parts):
        each = float(part.blocks * block_flops(main))
        if part is description.main:
            each = encoder_flops(main)
        share = output_fraction if part.at_slots else 1.0
        each += share * _HEADS[part.head](main)
        if each:
            flops[part.name] = 2.0 * tokens * each
    return flops


def stages(
    config: PretrainingConfig, output_fraction: float = OUTPUT_FRACTION
) -> list[tuple[int, float]]:
    """(steps, FLOPs of a step) of each stretch of steps that cost the same.

    These are the stages of the objective, cut where the batch size changes.
    """
    optimizer, found, first = config.optimizer, [], 0
    sizes = optimizer.batch_stages()
    for end, each in _objective_stages(config, output_fraction):
        cuts = [s.first_step for s in sizes if first < s.first_step < end]
        for cut in (*cuts, end):
            size = optimizer.batch_stage(first).batch_size
            share = size / optimizer.train_batch_size
            found.append((cut - first, share * each))
            first = cut
    return found


def _objective_stages(
    config: PretrainingConfig, output_fraction: float
) -> list[tuple[int, float]]:
    """(last step, FLOPs of a step on the whole batch) of each stage."""
    total = config.optimizer.num_train_steps
    flops = network_flops(config, output_fraction)
    description = describe(config.objective.objective)
    if not description.stages:
        return [(total, sum(flops.values()))]
    found = []
    ends = (*description.boundaries(flat_values(config)), total)
    for stage, end in zip(description.stages, ends, strict=True):
        each = sum(flops[name] for name in stage.learns)
        # What is only read from costs its forward pass.
        each += sum(flops[name] / 2 for name in stage.reads)
        found.append((end, each))
    return found


def step_flops(
    config: PretrainingConfig, output_fraction: float = OUTPUT_FRACTION
) -> float:
    """FLOPs of one training step on the whole batch, of the last stage.

    Args:
      config: the run's configuration.
      output_fraction: positions at which a masked-LM scores the vocabulary.
        The authors use 15.625 % at every size; pass slots / length for what
        `mask_prob` really gives.
    """
    *_, (_, flops) = stages(config, output_fraction)
    return flops


def train_flops(
    config: PretrainingConfig, output_fraction: float = OUTPUT_FRACTION
) -> float:
    """FLOPs of the whole run; arguments as `step_flops`."""
    return sum(n * each for n, each in stages(config, output_fraction))


def flops_until(config: PretrainingConfig, step: int) -> float:
    """FLOPs of the run's first `step` steps."""
    spent = 0.0
    for steps, each in stages(config):
        spent += min(steps, step) * each
        step -= min(steps, step)
    return spent


def steps_within(config: PretrainingConfig, flops: float) -> int:
    """The most steps that cost no more than `flops`.

    The steps of the generator alone (two_stage) and those of a batch size's
    warm-up stay as they are; the steps of the last stage grow or shrink, to
    below 1 where nothing is left.
    """
    steps, left = config.optimizer.num_train_steps, flops - train_flops(config)
    return steps + math.floor(left / step_flops(config))
