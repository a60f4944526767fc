"""`export_saved_model.py`: a SavedModel with text and id signatures."""

import os
from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.errors import InputError


def define_flags() -> None:
    """What to export and where to."""
    flags.DEFINE_string(
        "model_dir", "", "a run's folder, or what from_pretrained takes"
    )
    flags.DEFINE_string(
        "output_dir", "", "new folder (default: <model_dir>/export)"
    )


def main(argv: Sequence[str]) -> None:
    """Exports and prints the signatures."""
    from electra_tf.convert.pretrained import from_pretrained
    from electra_tf.serving.export import export_saved_model

    source = flags.FLAGS.model_dir
    if not source:
        raise InputError("--model_dir must name a run's folder; received ''")
    output_dir = flags.FLAGS.output_dir or os.path.join(source, "export")
    names = export_saved_model(from_pretrained(source), output_dir)
    print(f"{output_dir}: signatures {', '.join(names)}")


def entry() -> None:
    """Console script."""
    run(define_flags, main)
