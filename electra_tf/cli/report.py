"""Command: one HTML page and PNGs from one or several run folders."""

from absl import flags


def define_flags() -> None:
    """Defines this command's flags, absl's global ones."""
    flags.DEFINE_list(
        "model_dir",
        None,
        "run folder, or several with commas between: they share the charts",
        required=True,
    )
    flags.DEFINE_string(
        "output_dir", "", "where to write; empty: <first model_dir>/report"
    )


def main(argv: list[str]) -> None:
    """Writes the report and prints the page's path."""
    del argv  # the command takes flags alone
    from electra_tf.report import write_report

    model_dirs = flags.FLAGS.model_dir
    output_dir = flags.FLAGS.output_dir or default_output_dir(model_dirs)
    print(write_report(model_dirs, output_dir))


def default_output_dir(model_dirs: list[str]) -> str:
    """`report` in the first run's folder."""
    first = model_dirs[0].strip() if model_dirs else ""
    return first.rstrip("/") + "/report"


def entry() -> None:
    """The console command `electra-report`."""
    from electra_tf.cli.app import run

    run(define_flags, main)
