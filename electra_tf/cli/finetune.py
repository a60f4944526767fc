"""Fine-tunes on tasks, several trials each, and measures."""

import dataclasses
import signal
import sys

from electra_tf.cli.app import command
from electra_tf.config import GIVEN, Options, field
from electra_tf.config.finetuning import TaskOptions, TrainingOptions


@dataclasses.dataclass(frozen=True)
class FinetuneOptions(Options):
    """The tasks, and where to write.

    Attributes:
      task: task, or several with commas between: cola, glue/cola (TensorFlow
        Datasets), squad2, chunk, custom, ...; an unknown name lists all.
      output_dir: folder for all that is written.
    """

    task: tuple[str, ...] = field((), GIVEN)
    output_dir: str = field("", GIVEN)


@command(FinetuneOptions, TaskOptions, TrainingOptions)
def finetune(
    options: FinetuneOptions, task: TaskOptions, training: TrainingOptions
) -> int:
    """Runs the trials that are missing and prints the table of results."""
    import tensorflow as tf

    from electra_tf.finetune.run import trials

    # Each trial has a model of its own; TensorFlow warns of their number.
    tf.get_logger().setLevel("ERROR")
    try:
        table = trials.finetune(
            options.task, task, training, options.output_dir
        )
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 128 + signal.SIGINT
    print(table, end="")
    return 0
