"""Expected scaling of data-parallel pre-training, by arithmetic alone.

    python benchmarks/scaling_on_paper.py

Prints the tables of docs/distributed.md; nothing in them is measured. For n
GPUs with b sequences each, S bytes of float32 gradients (every trained
parameter, what both networks share once) and F operations a sequence:

    compute     C = b F / R               R: sustained FLOP/s of a GPU
    all-reduce  A = 2 (n - 1) / n S / W + 2 (n - 1) a
                                          a ring; W: bytes/s of its slowest
                                          link, a: delay of a message
    efficiency  C / (C + A)               nothing overlaps: lower bound
                C / max(C, A)             all overlaps: upper bound

W is a GPU's rate inside a node (NVLink) while one node holds all GPUs, else
the node's rate to the others. R is taken to be the same at every b, which
flatters small ones. The optimizer's own time, which does not depend on n, and
reading data are left out; activations are not recomputed.

F is what the hardware does: three times the forward pass (the backward pass
costs two), word, position and segment lookups free. The paper's unit counts
lookups as products, and the backward pass as one forward pass: see
electra_tf/training/cost/flops.py.
"""

import dataclasses
import math

from electra_tf.config.pretraining import PretrainingConfig, make_config
from electra_tf.training.cost import networks
from electra_tf.training.cost.flops import step_flops
from electra_tf.training.cost.sizes import count_parameters

NUM_GPUS = (8, 64, 512)
_BYTES_A_GRADIENT = 4  # float32


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What the estimate assumes of the machines; none of it is measured.

    Attributes:
      node_gpus: GPUs of a node.
      node_bandwidth: bytes/s of a GPU to the others of its node.
      network_bandwidth: bytes/s of a node to the other nodes.
      message_seconds: delay of one message of the ring.
    """

    node_gpus: int = 8
    node_bandwidth: float = 200e9
    network_bandwidth: float = 25e9
    message_seconds: float = 5e-6


@dataclasses.dataclass(frozen=True)
class Workload:
    """A configuration, and what is assumed of it.

    Attributes:
      config: of the run.
      sustained_flops: R, FLOP/s; narrow models reach less of the peak.
      sequences_a_gpu: b of weak scaling.
    """

    config: PretrainingConfig
    sustained_flops: float
    sequences_a_gpu: int


WORKLOADS = {
    name: Workload(make_config({"model_size": name}), rate, sequences)
    for name, rate, sequences in (
        ("small", 20e12, 128),
        ("base", 60e12, 32),
        ("large", 100e12, 16),
    )
}


def gradient_bytes(config: PretrainingConfig) -> int:
    """S."""
    return _BYTES_A_GRADIENT * sum(count_parameters(config).values())


def hardware_flops(config: PretrainingConfig) -> float:
    """F."""
    batch_size = config.optimizer.train_batch_size
    length = config.data.max_seq_length
    # The paper's unit: forward twice.
    forward = step_flops(config) / batch_size / 2
    for network in networks(config).values():
        rows = network.vocab_size + length + network.segments
        forward -= length * 2 * network.table_width * rows
    return 3 * forward


def all_reduced_bytes(size: float, num_gpus: int) -> float:
    """What each GPU sends, and receives, in a ring all-reduce."""
    return 2 * (num_gpus - 1) / num_gpus * size


def all_reduce_seconds(size: float, num_gpus: int, cluster: Cluster) -> float:
    """A."""
    rate = cluster.node_bandwidth
    if num_gpus > cluster.node_gpus:
        rate = cluster.network_bandwidth
    messages = 2 * (num_gpus - 1)
    return (
        all_reduced_bytes(size, num_gpus) / rate
        + messages * cluster.message_seconds
    )


def efficiency(compute: float, all_reduce: float) -> tuple[float, float]:
    """(nothing overlaps, all overlaps)."""
    return compute / (compute + all_reduce), compute / max(compute, all_reduce)


def model_table() -> str:
    """What each size computes and sends, as Markdown."""
    rows = [
        "| size | trained parameters | gradients a step | batch x length | "
        "FLOPs a step, the paper's unit | FLOPs a sequence, hardware | "
        "assumed FLOP/s a GPU |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, workload in WORKLOADS.items():
        config = workload.config
        size = gradient_bytes(config)
        batch_size = config.optimizer.train_batch_size
        rows.append(
            f"| {name} | {size // _BYTES_A_GRADIENT:,} | {size / 1e6:,.1f} MB "
            f"| {batch_size:,} x {config.data.max_seq_length} "
            f"| {_power(step_flops(config))} "
            f"| {_power(hardware_flops(config))} "
            f"| {_power(workload.sustained_flops, 0)} |"
        )
    return "\n".join(rows)


def scaling_table(cluster: Cluster) -> str:
    """Expected efficiency on 8, 64 and 512 GPUs, as Markdown."""
    rows = [
        "| size | GPUs | all-reduced by a GPU, MB | all-reduce, ms | "
        "paper's batch: sequences a GPU | compute, ms | efficiency | "
        "fixed sequences a GPU: | global batch | compute, ms | efficiency |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: "
        "| ---: | ---: |",
    ]
    for name, workload in WORKLOADS.items():
        size = gradient_bytes(workload.config)
        batch_size = workload.config.optimizer.train_batch_size
        fixed = workload.sequences_a_gpu
        for num_gpus in NUM_GPUS:
            moved = all_reduced_bytes(size, num_gpus)
            seconds = all_reduce_seconds(size, num_gpus, cluster)
            strong = _cells(workload, batch_size // num_gpus, seconds)
            weak = _cells(workload, fixed, seconds)
            rows.append(
                f"| {name} | {num_gpus} | {moved / 1e6:,.1f} "
                f"| {1e3 * seconds:,.2f} | {strong} "
                f"| {fixed} | {fixed * num_gpus:,} "
                f"| {weak.partition(' | ')[2]} |"
            )
    return "\n".join(rows)


def _cells(workload: Workload, sequences: int, all_reduce: float) -> str:
    """Sequences a GPU, compute time, efficiency."""
    if not sequences:
        return "under 1 | - | -"
    flops = sequences * hardware_flops(workload.config)
    compute = flops / workload.sustained_flops
    low, high = efficiency(compute, all_reduce)
    return f"{sequences} | {1e3 * compute:,.1f} | {_percents(low, high)}"


def _percents(low: float, high: float) -> str:
    # The lower one rounded down: it is a bound.
    return f"{math.floor(100 * low)} - {100 * high:.0f} %"


def _power(value: float, digits: int = 3) -> str:
    """1294000 -> 1.294e6."""
    number, _, exponent = f"{value:.{digits}e}".partition("e")
    return f"{number}e{int(exponent)}"


def tables() -> str:
    """Both tables, as they stand in docs/distributed.md."""
    return f"{model_table()}\n\n{scaling_table(Cluster())}"


if __name__ == "__main__":
    print(tables())
