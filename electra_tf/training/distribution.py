"""Devices and processes: who computes which rows of a global batch."""

import dataclasses
import functools
import os
from collections.abc import Callable

import tensorflow as tf

from electra_tf.config.execution import ExecutionConfig
from electra_tf.errors import InputError, require
from electra_tf.training.cluster_spec import find_cluster, is_told
from electra_tf.training.console import say

MakeBatches = Callable[[int, int], tf.data.Dataset]


@dataclasses.dataclass(frozen=True)
class Distribution:
    """A strategy and this process's place in it.

    Attributes:
      strategy: where variables live and steps run; one device if not given.
      addresses: host:port of every worker in order; empty for one process.
      worker: number of this process.
    """

    strategy: tf.distribute.Strategy = dataclasses.field(
        default_factory=tf.distribute.get_strategy
    )
    addresses: tuple[str, ...] = ()
    worker: int = 0

    @property
    def num_replicas(self) -> int:
        """Replicas over all workers."""
        return self.strategy.num_replicas_in_sync

    @property
    def is_chief(self) -> bool:
        """Whether this process writes; exactly one does."""
        return self.worker == 0

    def __str__(self) -> str:
        if self.strategy is tf.distribute.get_strategy():
            gpus = tf.config.list_logical_devices("GPU")
            devices = gpus or tf.config.list_logical_devices("CPU")
            names = [devices[0].name]
        else:
            names = self.strategy.extended.worker_devices
        text = ", ".join(name.rpartition("device:")[2] for name in names)
        if self.addresses:
            count = len(self.addresses)
            text += f" on each of {count} workers, {self.num_replicas} replicas"
        return text + _unused_gpu()

    def check_batch(self, name: str, batch_size: int, parts: int) -> None:
        """Refuses a global batch that replicas and parts cannot share.

        Args:
          name: of the field.
          batch_size: rows of a global batch.
          parts: micro-batches of each replica.

        Raises:
          InputError: it does not divide.
        """
        divisor = self.num_replicas * parts
        nearest = (2 * batch_size + divisor) // (2 * divisor) * divisor
        require(
            batch_size % divisor == 0,
            f"{name} must be a multiple of {divisor} "
            f"({self.num_replicas} replicas x {parts} accumulation steps), "
            f"the nearest is {nearest or divisor}",
            batch_size,
        )

    def batches(self, make: MakeBatches, batch_size: int):
        """Global batches as this process's replicas take them.

        Args:
          make: (first row, number of rows) -> that part of each global batch,
            elements of int32 [rows, L].
          batch_size: rows of a global batch, a multiple of the replicas.

        Returns:
          A (distributed) dataset; replica r gets the r-th part of each batch.
        """

        def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
            rows = batch_size // context.num_input_pipelines
            batches = make(context.input_pipeline_id * rows, rows)
            parts = context.num_replicas_in_sync // context.num_input_pipelines
            return batches.rebatch(rows // parts, drop_remainder=True)

        return self.strategy.distribute_datasets_from_function(of_worker)

    def agreed(self, value: int) -> int:
        """The sum of every worker's value; all must call it, and all wait."""
        if not self.addresses:
            return value
        return int(self._sum_over_workers(tf.constant(value, tf.int64)))

    @functools.cached_property
    def _sum_over_workers(self):
        local = self.num_replicas // len(self.addresses)

        def of_replica(value: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # The first replica of each worker speaks for it.
            speaks = tf.equal(context.replica_id_in_sync_group % local, 0)
            return tf.where(speaks, value, 0)

        def total(value: tf.Tensor) -> tf.Tensor:
            values = self.strategy.run(of_replica, args=(value,))
            return self.strategy.reduce("SUM", values, axis=None)

        return tf.function(total, [tf.TensorSpec([], tf.int64)])

    def check_same(self, what: str, value: int) -> None:
        """Refuses to go on where workers disagree; all must call it.

        Raises:
          InputError: on a worker whose value is not all others'.
        """
        same = self.agreed(value) == value * max(1, len(self.addresses))
        rule = f"worker {self.worker} must have the same {what} as all others"
        require(same, rule, value)


def _unused_gpu() -> str:
    """Says where a GPU is there but not usable; else nothing."""
    driver = os.path.exists("/proc/driver/nvidia/version")
    if driver and not tf.config.list_logical_devices("GPU"):
        return (
            " (an NVIDIA driver is there, but TensorFlow sees no GPU: "
            'pip install -e ".[gpu]")'
        )
    return ""


def make_distribution(config: ExecutionConfig) -> Distribution:
    """The strategy that a configuration asks for.

    Call it before TensorFlow does anything else: processes find each other
    and devices are split only then.

    Raises:
      InputError: what it asks for is not there.
    """
    if config.num_virtual_devices:
        _split_cpu(config.num_virtual_devices)
    kind = config.strategy if config.strategy != "auto" else _found(config)
    if kind == "one_device":
        return Distribution()
    makers = {"tpu": _tpu, "multi_worker": _multi_worker, "mirrored": _mirrored}
    return makers[kind](config)


def uses_xla(config: ExecutionConfig) -> bool:
    """Whether `--jit_compile` means the step to be compiled here.

    A TPU compiles everything by itself.
    """
    if config.jit_compile != "auto":
        return config.jit_compile == "true"
    return bool(tf.config.list_logical_devices("GPU"))


def _found(config: ExecutionConfig) -> str:
    """What `auto` means here."""
    if config.tpu_name:
        return "tpu"
    if is_told():
        return "multi_worker"
    gpus = len(tf.config.list_physical_devices("GPU"))
    several = max(gpus, config.num_virtual_devices) > 1
    return "mirrored" if several else "one_device"


def _split_cpu(number: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    there = tf.config.get_logical_device_configuration(cpu) or []
    if len(there) >= number:
        return
    device = tf.config.LogicalDeviceConfiguration()
    try:
        tf.config.set_logical_device_configuration(cpu, [device] * number)
    except RuntimeError as error:
        raise InputError(
            f"num_virtual_devices={number} comes too late: {error}"
        ) from None


def _mirrored(config: ExecutionConfig) -> Distribution:
    gpus = tf.config.list_logical_devices("GPU")
    if gpus and not config.num_virtual_devices:
        return Distribution(tf.distribute.MirroredStrategy())
    cpus = [device.name for device in tf.config.list_logical_devices("CPU")]
    cpus = cpus[: max(1, config.num_virtual_devices)]
    # They share one memory: no collective operations are needed.
    reduction = tf.distribute.ReductionToOneDevice()
    return Distribution(tf.distribute.MirroredStrategy(cpus, reduction))


def _multi_worker(config: ExecutionConfig) -> Distribution:
    resolver, place = find_cluster()
    say(
        f"worker {place.worker} of {len(place.addresses)} at "
        f"{place.addresses[place.worker]}: waiting until all are there"
    )
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except (ValueError, RuntimeError, OSError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"the workers must find each other; received {reason}: see to it "
            "that each has an address and a port of its own"
        ) from None
    return Distribution(strategy, place.addresses, place.worker)


def _tpu(config: ExecutionConfig) -> Distribution:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(
            tpu=config.tpu_name,
            zone=config.tpu_zone or None,
            project=config.gcp_project or None,
        )
        if config.tpu_name != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        strategy = tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, OSError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"no TPU {config.tpu_name!r} can be used: {reason}"
        ) from None
    return Distribution(strategy)
