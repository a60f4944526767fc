"""FLOPs of a run: every network of every objective, each stage.

For the rules of counting see flops.py. A network that is only read from, as
the frozen generator of two_stage, costs its forward pass: half.
"""

import dataclasses
import math

from electra_tf.config.pretraining import PretrainingConfig, make_config
from electra_tf.config.sizes import generator_sizes, main_network
from electra_tf.training.cost.flops import (
    OUTPUT_FRACTION,
    Network,
    block_flops,
    detection_flops,
    encoder_flops,
    masked_lm_flops,
    masked_lm_head_flops,
    selection_head_flops,
)

# Of teams: the true token and four others.
CANDIDATES = 5
# Names of the two towers' encoders, as their variables bear them.
TOWERS = ("generator_ltr", "generator_rtl")


def networks(config: PretrainingConfig) -> dict[str, Network]:
    """The encoders that a step runs: of mlm, the main one as "generator"."""
    model, objective = config.model, config.objective.objective
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
    if objective == "mlm":
        return {"generator": main}
    found = {main_network(objective): main}
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


def cloze_head(tower: Network) -> Network:
    """What the head on two towers sees: twice the width."""
    width, table = 2 * tower.hidden_size, tower.table_width
    return dataclasses.replace(tower, hidden_size=width, embedding_size=table)


def network_flops(
    config: PretrainingConfig, output_fraction: float = OUTPUT_FRACTION
) -> dict[str, float]:
    """FLOPs that one step spends in each network (see `networks`).

    All networks are taken to learn; see `stages` for two_stage.
    """
    parts = networks(config)
    batch_size = config.optimizer.train_batch_size
    tokens = batch_size * config.data.max_seq_length
    flops = {}
    if "generator" in parts:
        flops["generator"] = masked_lm_flops(
            parts["generator"], batch_size, output_fraction
        )
    elif TOWERS[0] in parts:
        tower = parts[TOWERS[0]]
        each = 2 * encoder_flops(tower)
        # The cloze loss is of every token.
        each += masked_lm_head_flops(cloze_head(tower))
        flops["generator"] = 2.0 * tokens * each
    objective = config.objective.objective
    if objective == "mlm":
        return flops
    name = main_network(objective)
    main = parts[name]
    if objective in ("replace_mlm", "all_tokens_mlm"):
        fraction = output_fraction if objective == "replace_mlm" else 1.0
        flops[name] = masked_lm_flops(main, batch_size, fraction)
        if objective == "all_tokens_mlm":
            flops[name] += 2.0 * tokens * 2 * main.hidden_size  # the gate
        return flops
    flops[name] = detection_flops(main, batch_size)
    if objective == "teams":
        head = output_fraction * selection_head_flops(main, CANDIDATES)
        flops["selector"] = 2.0 * tokens * (block_flops(main) + head)
    return flops


def stages(
    config: PretrainingConfig, output_fraction: float = OUTPUT_FRACTION
) -> list[tuple[int, float]]:
    """(steps, FLOPs of a step) of each stage of the run."""
    steps = config.optimizer.num_train_steps
    flops = network_flops(config, output_fraction)
    if config.objective.objective != "two_stage":
        return [(steps, sum(flops.values()))]
    first, generator = config.objective.two_stage_steps, flops["generator"]
    frozen = generator / 2
    return [
        (first, generator),
        (steps - first, frozen + flops["discriminator"]),
    ]


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

    The steps of the generator alone (two_stage) stay as they are; the steps
    of the last stage grow or shrink, to below 1 where nothing is left.
    """
    steps, left = config.optimizer.num_train_steps, flops - train_flops(config)
    return steps + math.floor(left / step_flops(config))


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
