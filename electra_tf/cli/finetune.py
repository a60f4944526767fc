"""`finetune.py`: fine-tune on tasks, several trials each, and measure."""

import dataclasses
import signal
import sys
from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.config.finetuning import TaskOptions, TrainingOptions
from electra_tf.errors import InputError


def define_flags() -> None:
    """The tasks, where to write, and a flag for every option."""
    flags.DEFINE_string("output_dir", "", "folder for all that is written")
    define_option_flags()


def define_option_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """The tasks, and a flag for every option."""
    flags.DEFINE_list(
        "task",
        None,
        "task, or several with commas between: cola, glue/cola (TensorFlow "
        "Datasets), squad2, chunk, custom, ...; an unknown name lists all",
        flag_values=values,
    )
    for options in (TaskOptions, TrainingOptions):
        for field in dataclasses.fields(options):
            _define(field, values)


def _define(field: dataclasses.Field, values: flags.FlagValues) -> None:
    name, default = field.name, field.default
    text, choices = field.metadata["help"], field.metadata["choices"]
    if choices:
        flags.DEFINE_enum(
            name, default, list(choices), text, flag_values=values
        )
    elif field.type is bool:
        flags.DEFINE_bool(name, default, text, flag_values=values)
    elif field.type in (int, int | None):
        flags.DEFINE_integer(name, default, text, flag_values=values)
    elif field.type in (float, float | None):
        flags.DEFINE_float(name, default, text, flag_values=values)
    else:
        flags.DEFINE_string(name, default, text, flag_values=values)


def main(argv: Sequence[str]) -> int:
    """Runs the trials that are missing and prints the table of results."""
    import tensorflow as tf

    from electra_tf.finetune.run.trials import finetune

    # Each trial has a model of its own; TensorFlow warns of their number.
    tf.get_logger().setLevel("ERROR")
    values = flags.FLAGS
    if not values.task:
        raise InputError("--task must name a task, as cola; received none")
    if not values.output_dir:
        raise InputError("--output_dir must name a folder; received ''")
    task_options, options = options_of(values)
    names = [name.strip() for name in values.task]
    try:
        print(finetune(names, task_options, options, values.output_dir), end="")
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


def options_of(
    values: flags.FlagValues,
) -> tuple[TaskOptions, TrainingOptions]:
    """The options that parsed flags give."""
    task_options, options = (
        kind(**{f.name: values[f.name].value for f in dataclasses.fields(kind)})
        for kind in (TaskOptions, TrainingOptions)
    )
    return task_options, options


def entry() -> None:
    """The console command `electra-finetune`."""
    run(define_flags, main)
