"""How and where a run is computed: it may change whenever a run goes on."""

import dataclasses

from electra_tf.config.fields import field


@dataclasses.dataclass(frozen=True)
class ExecutionConfig:
    """Devices, processes, precision and memory; none of it defines a run."""

    strategy: str = field(
        "auto",
        "which devices: auto takes a TPU if one is named, else the workers "
        "that TF_CONFIG or Slurm tell of, else all GPUs, else one device",
        choices=("auto", "one_device", "mirrored", "multi_worker", "tpu"),
        defines=False,
    )
    tpu_name: str = field(
        "", "the TPU; local on a TPU VM itself", defines=False
    )
    tpu_zone: str = field("", "zone of the TPU", defines=False)
    gcp_project: str = field("", "project of the TPU", defines=False)
    num_virtual_devices: int = field(
        0, "split the CPU into as many devices, for trials", defines=False
    )
    gradient_accumulation_steps: int = field(
        1,
        "parts of a batch computed one after another, to save memory; the "
        "update is that of the whole batch",
        defines=False,
    )
    iterations_per_loop: int = field(
        10, "steps in one graph call", defines=False
    )
    rematerialize: bool = field(
        False,
        "compute each layer's activations again in the backward pass rather "
        "than keep them: less memory, a third more time",
        defines=False,
    )
    precision: str = field(
        "float32",
        "of activations and products; weights, losses, softmax, LayerNorm "
        "statistics, sampling and optimizer stay in float32",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        defines=False,
    )
    jit_compile: str = field(
        "auto",
        "compile the step with XLA; auto: on GPU and TPU, not on CPU",
        choices=("auto", "true", "false"),
        defines=False,
    )
    worker_timeout: int = field(
        60,
        "seconds after which a worker that does not answer is lost, and the "
        "others exit",
        defines=False,
    )
