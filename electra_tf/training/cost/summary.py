"""What a run will cost, before it starts: what `--dry_run` prints."""

import dataclasses

from electra_tf.config.pretraining import PretrainingConfig, make_config
from electra_tf.training.cost.run_flops import network_flops, train_flops
from electra_tf.training.cost.sizes import (
    activation_bytes,
    count_parameters,
    weight_bytes,
)


@dataclasses.dataclass(frozen=True)
class Summary:
    """The figures of a run.

    Attributes:
      parameters: by part (see `count_parameters`).
      flops_a_step: by network, forward and backward on the whole batch.
      train_flops: of the whole run.
      fraction_of_small: of the paper's ELECTRA-Small, 1.29e18.
      weight_bytes, activation_bytes: what a step holds in memory.
      tokens_a_step, total_tokens: places, padding included.
      steps_an_epoch, epochs: None where the number of records is not known.
    """

    parameters: dict[str, int]
    flops_a_step: dict[str, float]
    train_flops: float
    fraction_of_small: float
    weight_bytes: int
    activation_bytes: int
    tokens_a_step: int
    total_tokens: int
    steps_an_epoch: float | None
    epochs: float | None

    @property
    def total_parameters(self) -> int:
        """All that is trained, shared parts once."""
        return sum(self.parameters.values())


def measure(config: PretrainingConfig, num_records: int | None) -> Summary:
    """The figures of a run on `num_records` training records."""
    optimizer = config.optimizer
    steps, batch_size = optimizer.num_train_steps, optimizer.train_batch_size
    tokens = batch_size * config.data.max_seq_length
    flops = train_flops(config)
    an_epoch = num_records / batch_size if num_records else None
    small = train_flops(make_config({"model_size": "small"}))
    return Summary(
        parameters=count_parameters(config),
        flops_a_step=network_flops(config),
        train_flops=flops,
        fraction_of_small=flops / small,
        weight_bytes=weight_bytes(config),
        activation_bytes=activation_bytes(config),
        tokens_a_step=tokens,
        total_tokens=steps * tokens,
        steps_an_epoch=an_epoch,
        epochs=steps / an_epoch if an_epoch else None,
    )


def summarize(config: PretrainingConfig, num_records: int | None) -> str:
    """`measure` as an aligned table, ready to print.

    Args:
      config: the run's configuration.
      num_records: training records; None where they are not made yet.
    """
    found = measure(config, num_records)
    blocks = [
        _parameter_rows(found),
        _compute_rows(found),
        _memory_rows(found),
        _length_rows(found, config, num_records),
    ]
    rows = [row for block in blocks for row in block]
    name_width = max(len(name) for name, *_ in rows)
    width = max(len(value) for _, value, _ in rows)
    texts = []
    for block in blocks:
        lines = [f"{n:<{name_width}}  {v:>{width}}  {s}" for n, v, s in block]
        texts.append("\n".join(line.rstrip() for line in lines))
    return "\n\n".join(texts)


Row = tuple[str, str, str]  # name, value, note
_MAIN_ENCODERS = (
    "encoder",
    "discriminator encoder",
    "energy encoder",
    "main encoder",
)


def _parameter_rows(found: Summary) -> list[Row]:
    parts = found.parameters
    main = next(n for n in parts if n in _MAIN_ENCODERS)
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


def _length_rows(
    found: Summary, config: PretrainingConfig, num_records: int | None
) -> list[Row]:
    optimizer = config.optimizer
    shape = f"{optimizer.train_batch_size:,} x {config.data.max_seq_length:,}"
    steps = f"{optimizer.num_train_steps:,}"
    if num_records:
        note = f"{num_records:,} records"
        an_epoch, epochs = (
            f"{found.steps_an_epoch:,.1f}",
            f"{found.epochs:,.2f}",
        )
    else:
        note, an_epoch, epochs = "number of records not known", "-", "-"
    return [
        ("tokens a step", f"{found.tokens_a_step:,}", f"{shape}, with padding"),
        ("steps an epoch", an_epoch, note),
        ("steps of the run", steps, ""),
        ("tokens of the run", f"{found.total_tokens:,}", ""),
        ("epochs of the run", epochs, ""),
    ]


def _power(flops: float) -> str:
    """1.294e+18 -> 1.294e18."""
    return f"{flops:.3e}".replace("e+", "e")


def _size(number: int) -> str:
    """Bytes in MB, or in GB from one on."""
    return (
        f"{number / 1e9:,.2f} GB"
        if number >= 1e9
        else f"{number / 1e6:,.1f} MB"
    )
