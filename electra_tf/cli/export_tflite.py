"""`export_tflite.py`: the discriminator as a LiteRT (TF Lite) file."""

from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.errors import InputError
from electra_tf.files import write_bytes

# What a sound conversion stays below; probabilities.
TOLERANCE = {"none": 1e-5, "int8": 0.1}


def define_flags() -> None:
    """What to export, where to, how small."""
    flags.DEFINE_string(
        "model_dir", "", "a run's folder, or what from_pretrained takes"
    )
    flags.DEFINE_string("output", "", "the .tflite file to write")
    flags.DEFINE_integer(
        "max_seq_length", 128, "ids of a row; shorter ones are padded", 2
    )
    flags.DEFINE_enum(
        "quantize",
        "int8",
        list(TOLERANCE),
        "int8: dynamic range, a quarter of the size",
    )


def main(argv: Sequence[str]) -> int:
    """Writes the file; prints its size and how far its answers are off."""
    import tensorflow as tf

    from electra_tf.pretrained import from_pretrained
    from electra_tf.serving import litert as tflite

    values = flags.FLAGS
    for name in ("model_dir", "output"):
        if not values[name].value:
            raise InputError(f"--{name} must be given; received ''")
    model = from_pretrained(values.model_dir)
    rows = model.config.model.max_position_embeddings
    length = values.max_seq_length
    if length > rows:
        raise InputError(
            f"--max_seq_length must not exceed the model's {rows} positions; "
            f"received {length}"
        )
    discriminator = model.discriminator

    def network(input_ids, input_mask, segment_ids):
        logits = discriminator(input_ids, input_mask, segment_ids)
        return tf.sigmoid(logits) * tf.cast(input_mask, tf.float32)

    content = tflite.convert(network, length, values.quantize == "int8")
    difference = tflite.largest_difference(
        network, content, model.tokenizer.vocab_size, length
    )
    bound = TOLERANCE[values.quantize]
    print(
        f"{len(content) / 1e6:.1f} MB, largest difference of a probability "
        f"{difference:.1e}"
    )
    if not difference < bound:
        print(f"not written: the difference is not below {bound:g}")
        return 1
    write_bytes(values.output, content)
    return 0


def entry() -> None:
    """Console script."""
    run(define_flags, main)
