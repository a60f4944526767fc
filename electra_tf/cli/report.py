"""Command: one HTML page and PNGs from one or several run folders."""

from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.errors import InputError


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_list(
        "model_dir",
        None,
        "run folder, or several with commas between: they share the charts",
    )
    flags.DEFINE_string(
        "output_dir", "", "where to write; empty: <first model_dir>/report"
    )


def main(argv: Sequence[str]) -> None:
    """Writes the report and prints the page's path."""
    del argv  # the command takes flags alone
    model_dirs = flags.FLAGS.model_dir
    if not model_dirs:
        raise InputError("--model_dir must be given: a run folder, or several")
    from electra_tf.report.page import write_report

    output_dir = flags.FLAGS.output_dir or default_output_dir(model_dirs)
    print(write_report(model_dirs, output_dir))


def default_output_dir(model_dirs: Sequence[str]) -> str:
    """`report` in the first run's folder."""
    return model_dirs[0].strip().rstrip("/") + "/report"


def entry() -> None:
    """The console command `electra-report`."""
    run(define_flags, main)
