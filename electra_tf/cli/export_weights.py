"""`export_weights.py`: config, tokenizer and weights in one small folder."""

from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.errors import InputError


def define_flags() -> None:
    """What to export, where to, and in which precision."""
    flags.DEFINE_string(
        "model_dir", "", "a run's folder, or what from_pretrained takes"
    )
    flags.DEFINE_string("output_dir", "", "folder to write")
    flags.DEFINE_enum(
        "dtype", "float32", ["float32", "float16"], "how weights are stored"
    )


def main(argv: Sequence[str]) -> None:
    """Writes the folder and prints its size."""
    from electra_tf.pretrained import from_pretrained
    from electra_tf.weights import native
    from electra_tf.weights.initial import read_any_weights

    values = flags.FLAGS
    for name in ("model_dir", "output_dir"):
        if not values[name].value:
            raise InputError(f"--{name} must name a folder; received ''")
    model = from_pretrained(values.model_dir)
    native.write_folder(
        values.output_dir,
        model.config,
        model.tokenizer,
        read_any_weights(values.model_dir),
        values.dtype,
    )
    print(f"{values.output_dir}: weights in {values.dtype}")


def export_weights() -> None:
    """Console script."""
    run(define_flags, main)
