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
        "the model's base path: the next version (1, 2, ...) is written below "
        "it; with --for_finetuning a new folder (default: <model_dir>/export; "
        "required for a .keras file)",
    )
    flags.DEFINE_enum(
        "dtype", "float32", ["float32", "float16"], "how matrices are stored"
    )
    flags.DEFINE_bool(
        "warmup",
        None,
        "write warm-up requests (default: where tensorflow-serving-api is "
        "installed)",
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
    from electra_tf.serving.saved_model import next_version

    values = flags.FLAGS
    source = values.model_dir
    _check_flags(values)
    output_dir = values.output_dir or os.path.join(source, "export")
    if values.for_finetuning:
        names = _export_encoder(source, output_dir, values.dropout)
    else:
        output_dir = next_version(output_dir)
        how = {"dtype": values.dtype, "warmup": values.warmup}
        if source.endswith(KERAS):
            names = _export_finetuned(source, output_dir, how)
        else:
            names = _export_pretrained(source, output_dir, how)
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
    for name in ("dtype", "warmup"):
        if values[name].present and values.for_finetuning:
            raise InputError(f"--{name} does not go with --for_finetuning")
    if values.model_dir.endswith(KERAS):
        if values.for_finetuning:
            raise InputError(
                "--for_finetuning takes a pre-trained model; received "
                f"{values.model_dir!r}, a fine-tuned one"
            )
        if not values.output_dir:
            raise InputError("--output_dir must name a new folder; received ''")


def _export_encoder(source: str, path: str, dropout: float) -> list[str]:
    from electra_tf.pretrained import from_pretrained
    from electra_tf.serving.export import export_for_finetuning

    return export_for_finetuning(from_pretrained(source), path, dropout)


def _export_pretrained(source: str, path: str, how: dict) -> list[str]:
    from electra_tf.pretrained import from_pretrained
    from electra_tf.serving.export import export_saved_model

    return export_saved_model(from_pretrained(source), path, **how)


def _export_finetuned(source: str, path: str, how: dict) -> list[str]:
    import keras

    from electra_tf.serving.export import export_finetuned

    try:
        model = keras.models.load_model(source, compile=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"cannot load a fine-tuned model from {source!r}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    return export_finetuned(model, path, **how)


def entry() -> None:
    """Console script."""
    run(define_flags, main)
