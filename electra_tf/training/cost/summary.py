"""What a run will cost, before it starts: what `--dry_run` prints."""

import dataclasses
from typing import Any

from electra_tf.config.pretraining import PretrainingConfig, make_config
from electra_tf.training.cost import Network
from electra_tf.training.cost.flops import (
    flops_until,
    masked_lm_flops,
    network_flops,
    train_flops,
)
from electra_tf.training.cost.sizes import (
    activation_bytes,
    count_parameters,
    weight_bytes,
)


class Summary:
    """The figures of a run.

    Args:
      config: the run's configuration.
      num_records: training records; None where they are not made yet.
      first_step: updates made before, by another run that this one goes on
        from.

    Attributes:
      steps: updates of this run: to the end, or to stop_at_step.
      parameters: by part (see `count_parameters`).
      total_parameters: all that is trained, shared parts once.
      flops_a_step: by network, forward and backward on the whole batch.
      train_flops: of the whole run.
      fraction_of_small: of the paper's ELECTRA-Small, 1.29e18.
      weight_bytes, activation_bytes: what a step holds in memory.
      tokens_a_step, total_tokens: places, padding included; a step's are those
        of train_batch_size, as its FLOPs and bytes are.
      steps_an_epoch, epochs: None where the number of records is not known.
    """

    def __init__(
        self,
        config: PretrainingConfig,
        num_records: int | None,
        first_step: int = 0,
    ):
        self.config, self.num_records = config, num_records
        self.first_step, total = first_step, config.optimizer.num_train_steps
        self.last_step = min(config.run.stop_at_step or total, total)
        self.steps = max(0, self.last_step - first_step)
        batch_size = config.optimizer.train_batch_size
        self.parameters = count_parameters(config)
        self.total_parameters = sum(self.parameters.values())
        self.flops_a_step = network_flops(config)
        costs = (flops_until(config, n) for n in (self.last_step, first_step))
        self.train_flops = max(0.0, next(costs) - next(costs))
        small = make_config({"model_size": "small"})
        self.fraction_of_small = self.train_flops / train_flops(small)
        self.weight_bytes = weight_bytes(config)
        self.activation_bytes = activation_bytes(config)
        self.tokens_a_step = batch_size * config.data.max_seq_length
        before = config.optimizer.examples_before
        examples = max(0, before(self.last_step) - before(first_step))
        self.total_tokens = examples * config.data.max_seq_length
        self.steps_an_epoch = self.epochs = None
        if num_records:
            self.steps_an_epoch = num_records / batch_size
            self.epochs = examples / num_records


def summarize(
    config: PretrainingConfig, num_records: int | None, first_step: int = 0
) -> str:
    """A `Summary` as an aligned table, ready to print."""
    found = Summary(config, num_records, first_step)
    kinds = (_parameter_rows, _compute_rows, _memory_rows, _length_rows)
    blocks = [rows_of(found) for rows_of in kinds]
    rows = [row for block in blocks for row in block]
    name_width = max(len(name) for name, *_ in rows)
    width = max(len(value) for _, value, _ in rows)
    texts = []
    for block in blocks:
        lines = [f"{n:<{name_width}}  {v:>{width}}  {s}" for n, v, s in block]
        texts.append("\n".join(line.rstrip() for line in lines))
    return "\n\n".join(texts)


Row = tuple[str, str, str]  # name, value, note


def _parameter_rows(found: Summary) -> list[Row]:
    parts = found.parameters
    encoders = [name for name in parts if name.endswith("encoder")]
    main = encoders[-1]  # behind the generator's
    notes = {}
    if "generator embeddings" in parts:
        notes["embeddings"] = "the main network's"
    elif "generator encoder" in parts:
        notes["embeddings"] = "shared by both networks"
    if parts.get("generator encoder") == 0:
        notes["generator encoder"] = "is the main network's"
    rows = [(n, f"{v:,}", notes.get(n, "")) for n, v in parts.items()]
    total = f"{found.total_parameters:,}"
    backbone = f"{parts['embeddings'] + parts[main]:,}"
    return [
        ("parameters of", "", ""),
        *((f"  {name}", value, note) for name, value, note in rows),
        ("  all parts", total, "shared ones once"),
        ("  embeddings and " + main, backbone, "what is fine-tuned"),
    ]


def _compute_rows(found: Summary) -> list[Row]:
    a_step = found.flops_a_step
    rows = [(f"  {n}", _power(v), "") for n, v in a_step.items()]
    times = f"{found.fraction_of_small:.4g}"
    return [
        ("FLOPs a step of", "", ""),
        *(rows if len(rows) > 1 else []),
        ("  all networks", _power(sum(a_step.values())), "as the paper counts"),
        ("FLOPs of the run", _power(found.train_flops), ""),
        ("  over ELECTRA-Small's", times, "the paper's, 1.294e18"),
    ]


def _memory_rows(found: Summary) -> list[Row]:
    weights, activations = found.weight_bytes, found.activation_bytes
    return [
        ("bytes a step of", "", ""),
        ("  weights", _size(weights), "with gradients, Adam's m and v"),
        ("  activations", _size(activations), "estimate, whole batch"),
        ("  both", _size(weights + activations), ""),
    ]


def _length_rows(found: Summary) -> list[Row]:
    optimizer, length = found.config.optimizer, found.config.data.max_seq_length
    shape = f"{optimizer.train_batch_size:,} x {length:,}"
    if optimizer.train_batch_size_start:
        shape = f"{optimizer.train_batch_size_start:,} to {shape}"
    total, part = optimizer.num_train_steps, ""
    if found.steps < total:
        part = f"{found.first_step:,} to {found.last_step:,} of {total:,}"
    note, an_epoch, epochs = "number of records not known", "-", "-"
    if found.num_records:
        note = f"{found.num_records:,} records"
        an_epoch = f"{found.steps_an_epoch:,.1f}"
        epochs = f"{found.epochs:,.2f}"
    return [
        ("tokens a step", f"{found.tokens_a_step:,}", f"{shape}, with padding"),
        ("steps an epoch", an_epoch, note),
        ("steps of the run", f"{found.steps:,}", part),
        ("tokens of the run", f"{found.total_tokens:,}", ""),
        ("epochs of the run", epochs, ""),
    ]


def _power(flops: float) -> str:
    """1.294e+18 -> 1.294e18."""
    return f"{flops:.3e}".replace("e+", "e")


def _size(number: int) -> str:
    """Bytes in MB, or in GB from one on."""
    if number >= 1e9:
        return f"{number / 1e9:,.2f} GB"
    return f"{number / 1e6:,.1f} MB"


def published_flops() -> dict[str, float]:
    """FLOPs of the models that the paper compares, by the script's names.

    ELMo and XLNet are counts of their own TensorFlow graphs, which the
    authors give as constants.
    """
    small = Network(256, 12, length=128, embedding_size=128)
    albert = Network(4096, 12, vocab_size=30000, embedding_size=128)
    roberta = Network(1024, 24, vocab_size=50265)
    gpt = Network(768, 12, vocab_size=40000)
    electra: dict[str, dict[str, Any]] = {
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
