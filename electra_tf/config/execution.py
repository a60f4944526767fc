"""Where and how a run is computed and reports; it may change when it goes on.

The seed alone defines the run.
"""

import dataclasses
import functools

from electra_tf.config import (
    NOT_NEGATIVE,
    POSITIVE,
    Options,
    at_most,
    below,
    field,
)
from electra_tf.config.scoring import AUTO, SCORINGS
from electra_tf.errors import require

# A field that may change when a run goes on.
_free = functools.partial(field, defines=False)


@dataclasses.dataclass(frozen=True)
class RunConfig(Options):
    """Where the run happens and how often it reports.

    Attributes:
      model_dir: the run's folder.
      init_checkpoint: start from the weights alone of what from_pretrained
        takes: tiny, a run's folder, ...; sizes, vocabulary, casing and length
        that no flag gives are theirs; a network that is not there starts
        fresh.
      generator_checkpoint: a second place, whose generator is taken.
      init_optimizer: take the step and Adam's moments along, to go on exactly
        where init_checkpoint stopped.
      init_vocab: match: another vocabulary than that of init_checkpoint (of
        data_dir or vocab_file): rows go by token, a new token starts as the
        mean of its old pieces; same: refused.
      extend_positions: repeat the position table of init_checkpoint where
        max_seq_length is longer.
      seed: of weights, data order, masks, samples, dropout.
      log_every_steps: steps between log lines.
      eval_every_steps: steps between evaluations (0: at the end only).
      num_eval_steps: batches of an evaluation at most.
      eval_batch_size: sequences an evaluation batch.
      eval_pairs: minimal pairs that each evaluation scores, as
        evaluate_acceptability takes them; eval_acceptability is how often the
        acceptable text wins, in percent.
      eval_pairs_method: as of score_text.
      save_checkpoints_steps: steps between checkpoints.
      keep_checkpoint_max: checkpoints to keep.
      stop_at_step: save and stop there, with the schedule of num_train_steps
        (0: go on to its end).
      preempted_exit_code: exit code after SIGTERM, once the checkpoint is
        saved.
    """

    model_dir: str = _free("")
    init_checkpoint: str = _free("")
    generator_checkpoint: str = _free("")
    init_optimizer: bool = _free(False)
    init_vocab: str = _free("same", choices=("same", "match"))
    extend_positions: bool = _free(False)
    # NumPy takes no larger ones.
    seed: int = field(0, NOT_NEGATIVE, below(2**32))
    log_every_steps: int = _free(100, POSITIVE)
    eval_every_steps: int = _free(1000, NOT_NEGATIVE)
    num_eval_steps: int = _free(100, POSITIVE)
    eval_batch_size: int = _free(128, POSITIVE)
    eval_pairs: str = _free("")
    eval_pairs_method: str = _free(AUTO, choices=SCORINGS)
    save_checkpoints_steps: int = _free(1000, POSITIVE)
    keep_checkpoint_max: int = _free(5, POSITIVE)
    stop_at_step: int = _free(0, NOT_NEGATIVE)
    # A process's code is one byte: 256 would read as success.
    preempted_exit_code: int = _free(0, NOT_NEGATIVE, at_most(255))


@dataclasses.dataclass(frozen=True)
class ExecutionConfig(Options):
    """Devices, processes, precision and memory; none of it defines a run.

    Attributes:
      strategy: which devices: auto takes a TPU if one is named, else the
        workers that TF_CONFIG or Slurm tell of, else all GPUs, else one device.
      tpu_name: the TPU; local on a TPU VM itself.
      tpu_zone: zone of the TPU.
      gcp_project: project of the TPU.
      num_virtual_devices: split the CPU into as many devices, for trials.
      gradient_accumulation_steps: parts of a batch computed one after another,
        to save memory; the update is that of the whole batch.
      iterations_per_loop: steps in one graph call.
      rematerialize: compute each layer's activations again in the backward pass
        rather than keep them: less memory, a third more time.
      precision: of activations and products; weights, losses, softmax,
        LayerNorm statistics, sampling and optimizer stay in float32.
      jit_compile: compile the step with XLA; auto: on GPU and TPU, not on CPU.
      worker_timeout: seconds after which a worker that does not answer is lost,
        and the others exit.
    """

    strategy: str = _free(
        "auto",
        choices=("auto", "one_device", "mirrored", "multi_worker", "tpu"),
    )
    tpu_name: str = _free("")
    tpu_zone: str = _free("")
    gcp_project: str = _free("")
    num_virtual_devices: int = _free(0, NOT_NEGATIVE, at_most(1024))
    gradient_accumulation_steps: int = _free(1, POSITIVE)
    iterations_per_loop: int = _free(10, POSITIVE)
    rematerialize: bool = _free(False)
    precision: str = _free(
        "float32", choices=("float32", "mixed_bfloat16", "mixed_float16")
    )
    jit_compile: str = _free("auto", choices=("auto", "true", "false"))
    worker_timeout: int = _free(60, POSITIVE)

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
