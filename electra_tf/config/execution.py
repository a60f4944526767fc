"""Where and how a run is computed and reports; it may change when it goes on.

The seed alone defines the run.
"""

import dataclasses

from electra_tf.config import (
    NOT_NEGATIVE,
    POSITIVE,
    Options,
    at_most,
    below,
    field,
    require,
)


@dataclasses.dataclass(frozen=True)
class RunConfig(Options):
    """Where the run happens and how often it reports."""

    model_dir: str = field("", "the run's folder", defines=False)
    init_checkpoint: str = field(
        "", "start from these weights alone (a run's folder)", defines=False
    )
    seed: int = field(
        0,
        "of weights, data order, masks, samples, dropout",
        # NumPy takes no larger ones.
        (NOT_NEGATIVE, below(2**32)),
    )
    log_every_steps: int = field(
        100, "steps between log lines", POSITIVE, defines=False
    )
    eval_every_steps: int = field(
        1000,
        "steps between evaluations (0: at the end only)",
        NOT_NEGATIVE,
        defines=False,
    )
    num_eval_steps: int = field(
        100, "batches of an evaluation at most", POSITIVE, defines=False
    )
    eval_batch_size: int = field(
        128, "sequences an evaluation batch", POSITIVE, defines=False
    )
    save_checkpoints_steps: int = field(
        1000, "steps between checkpoints", POSITIVE, defines=False
    )
    keep_checkpoint_max: int = field(
        5, "checkpoints to keep", POSITIVE, defines=False
    )
    stop_at_step: int = field(
        0,
        "save and stop there, with the schedule of num_train_steps (0: go on "
        "to its end)",
        NOT_NEGATIVE,
        defines=False,
    )
    preempted_exit_code: int = field(
        0,
        "exit code after SIGTERM, once the checkpoint is saved",
        # A process's code is one byte: 256 would read as success.
        (NOT_NEGATIVE, at_most(255)),
        defines=False,
    )


@dataclasses.dataclass(frozen=True)
class ExecutionConfig(Options):
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
        0,
        "split the CPU into as many devices, for trials",
        (NOT_NEGATIVE, at_most(1024)),
        defines=False,
    )
    gradient_accumulation_steps: int = field(
        1,
        "parts of a batch computed one after another, to save memory; the "
        "update is that of the whole batch",
        POSITIVE,
        defines=False,
    )
    iterations_per_loop: int = field(
        10, "steps in one graph call", POSITIVE, defines=False
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
        POSITIVE,
        defines=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        strategy, name = self.strategy, self.tpu_name
        require(
            not name or strategy in ("auto", "tpu"),
            f"tpu_name={name} needs strategy=tpu (or auto)",
            strategy,
        )
        require(
            bool(name) or strategy != "tpu",
            "strategy=tpu needs tpu_name (local on a TPU VM)",
            name,
        )
        devices = self.num_virtual_devices
        require(
            devices <= 1 or strategy in ("auto", "mirrored", "multi_worker"),
            f"num_virtual_devices={devices} needs strategy=mirrored",
            strategy,
        )
