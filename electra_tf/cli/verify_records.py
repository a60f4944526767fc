"""Checks every record of a folder."""

from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.errors import InputError

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string(
        "data_dir", None, "Records folder, or a glob of TFRecords."
    )


def main(argv: Sequence[str]) -> None:
    """Reads everything; says what is there, or what is wrong."""
    del argv
    # Imported here, so that a mistyped flag is told of at once.
    from electra_tf.data.records.verify import verify_records

    if not FLAGS.data_dir:
        raise InputError("--data_dir must be given.")
    counts = verify_records(FLAGS.data_dir)
    found = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    print(f"{FLAGS.data_dir}: {found} records, all good")


def entry() -> None:
    """The command."""
    run(define_flags, main)
