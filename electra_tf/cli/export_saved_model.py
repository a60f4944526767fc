"""`export_saved_model.py`: a SavedModel to serve, or to fine-tune."""

import os
from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.errors import InputError

KERAS = ".keras"


def define_flags() -> None:
    """What to export and where to."""
    flags.DEFINE_string(
        "model_dir",
        "",
        "a run's folder, or what from_pretrained takes; or a fine-tuned "
        "model's .keras file",
    )
    flags.DEFINE_string(
        "output_dir",
        "",
        "new folder (default: <model_dir>/export; required for a .keras file)",
    )
    flags.DEFINE_bool(
        "for_finetuning",
        False,
        "write the pre-trained encoder alone, trainable, with the signatures "
        "embed_ids (no dropout) and embed_ids_training (dropout); without "
        "this flag, a model that serves",
    )
    flags.DEFINE_float(
        "dropout", 0.1, "rate of embed_ids_training, with --for_finetuning"
    )


def main(argv: Sequence[str]) -> None:
    """Exports and prints the signatures."""
    values = flags.FLAGS
    source = values.model_dir
    _check_flags(values)
    output_dir = values.output_dir or os.path.join(source, "export")
    if source.endswith(KERAS):
        names = _export_finetuned(source, output_dir)
    else:
        names = _export_pretrained(source, output_dir, values)
    print(f"{output_dir}: signatures {', '.join(names)}")


def _check_flags(values: flags.FlagValues) -> None:
    if not values.model_dir:
        raise InputError("--model_dir must name a run's folder; received ''")
    if not 0 <= values.dropout < 1:
        raise InputError(
            f"--dropout must lie in [0, 1); received {values.dropout}"
        )
    if values["dropout"].present and not values.for_finetuning:
        raise InputError("--dropout goes with --for_finetuning alone")
    if values.model_dir.endswith(KERAS):
        if values.for_finetuning:
            raise InputError(
                "--for_finetuning takes a pre-trained model; received "
                f"{values.model_dir!r}, a fine-tuned one"
            )
        if not values.output_dir:
            raise InputError("--output_dir must name a new folder; received ''")


def _export_pretrained(
    source: str, output_dir: str, values: flags.FlagValues
) -> list[str]:
    from electra_tf.convert.pretrained import from_pretrained
    from electra_tf.serving import export

    model = from_pretrained(source)
    if values.for_finetuning:
        return export.export_for_finetuning(model, output_dir, values.dropout)
    return export.export_saved_model(model, output_dir)


def _export_finetuned(source: str, output_dir: str) -> list[str]:
    import keras

    from electra_tf.finetune.export import export_finetuned

    try:
        model = keras.models.load_model(source, compile=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"cannot load a fine-tuned model from {source!r}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    return export_finetuned(model, output_dir)


def entry() -> None:
    """Console script."""
    run(define_flags, main)
