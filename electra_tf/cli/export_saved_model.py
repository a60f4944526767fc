"""`export_saved_model.py`: a SavedModel to serve, or to fine-tune."""

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
    flags.DEFINE_bool(
        "for_finetuning",
        False,
        "write the encoder alone, trainable, with embed_ids (no dropout) and "
        "embed_ids_training; otherwise a model that serves",
    )
    flags.DEFINE_float(
        "dropout", 0.1, "rate of embed_ids_training, with --for_finetuning"
    )


def main(argv: Sequence[str]) -> None:
    """Exports and prints the signatures."""
    from electra_tf.convert.pretrained import from_pretrained
    from electra_tf.serving.export import (
        export_for_finetuning,
        export_saved_model,
    )

    values = flags.FLAGS
    source = values.model_dir
    if not source:
        raise InputError("--model_dir must name a run's folder; received ''")
    if not 0 <= values.dropout < 1:
        raise InputError(
            f"--dropout must lie in [0, 1); received {values.dropout}"
        )
    if values["dropout"].present and not values.for_finetuning:
        raise InputError("--dropout goes with --for_finetuning alone")
    output_dir = values.output_dir or os.path.join(source, "export")
    model = from_pretrained(source)
    if values.for_finetuning:
        names = export_for_finetuning(model, output_dir, values.dropout)
    else:
        names = export_saved_model(model, output_dir)
    print(f"{output_dir}: signatures {', '.join(names)}")


def entry() -> None:
    """Console script."""
    run(define_flags, main)
