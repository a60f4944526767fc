"""`export_saved_model.py`: a model to serve, or to fine-tune; and its check.

A SavedModel of a pre-trained or fine-tuned model, or the discriminator as a
LiteRT (TF Lite) file. `verify_saved_model.py` asks what was exported.
"""

import os
from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.errors import InputError

KERAS = ".keras"
FORMATS = ("saved_model", "litert")
# What a sound conversion to LiteRT stays below; probabilities.
TOLERANCE = {"none": 1e-5, "int8": 0.1}
# Flags that go with one way of exporting alone.
_OWN = {
    "--format=litert": ("output", "quantize", "max_seq_length"),
    "--for_finetuning": ("dropout",),
    "a SavedModel that serves": ("dtype", "warmup"),
    "--format=saved_model": ("output_dir", "for_finetuning"),
}


def define_flags() -> None:
    """What to export and where to."""
    flags.DEFINE_string(
        "model_dir",
        "",
        "a run's folder, or what from_pretrained takes; or a fine-tuned "
        "model's .keras file",
    )
    flags.DEFINE_enum(
        "format",
        "saved_model",
        list(FORMATS),
        "litert: the discriminator in a file of built-in ops, for phones",
    )
    flags.DEFINE_string(
        "output_dir",
        "",
        "the model's base path: the next version (1, 2, ...) is written below "
        "it; with --for_finetuning a new folder (default: <model_dir>/export "
        "where model_dir is a folder of ours; else it must be given)",
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
    flags.DEFINE_string("output", "", "the .tflite file, with --format=litert")
    flags.DEFINE_integer(
        "max_seq_length",
        128,
        "ids of a row, with --format=litert; shorter ones are padded",
        2,
    )
    flags.DEFINE_enum(
        "quantize",
        "int8",
        list(TOLERANCE),
        "with --format=litert; int8: dynamic range, a quarter of the size",
    )


def main(argv: Sequence[str]) -> int:
    """Exports; prints the signatures, or the file's size and error."""
    values = flags.FLAGS
    _check_flags(values)
    if values.format == "litert":
        return _export_litert(values)
    from electra_tf.serving.saved_model import next_version

    source = values.model_dir
    output_dir = values.output_dir or os.path.join(source, "export")
    if not values.for_finetuning:
        output_dir = next_version(output_dir)
    if source.endswith(KERAS):
        names = _export_finetuned(source, output_dir, values)
    else:
        names = _export_pretrained(source, output_dir, values)
    print(f"{output_dir}: signatures {', '.join(names)}")
    return 0


def _check_flags(values: flags.FlagValues) -> None:
    source, is_litert = values.model_dir, values.format == "litert"
    if not source:
        raise InputError("--model_dir must name a model; received ''")
    if not 0 <= values.dropout < 1:
        raise InputError(
            f"--dropout must lie in [0, 1); received {values.dropout}"
        )
    holds = {
        "--format=litert": is_litert,
        "--for_finetuning": values.for_finetuning,
        "a SavedModel that serves": not (is_litert or values.for_finetuning),
        "--format=saved_model": not is_litert,
    }
    for way, names in _OWN.items():
        for name in names:
            if values[name].present and not holds[way]:
                raise InputError(
                    f"--{name} goes with {way} alone; received "
                    f"{values[name].value!r}"
                )
    way = "--format=litert" if is_litert else "--for_finetuning"
    if source.endswith(KERAS) and holds[way]:
        raise InputError(
            f"{way} takes a pre-trained model; received {source!r}, a "
            "fine-tuned one"
        )
    place = "output" if is_litert else "output_dir"
    if not values[place].value and (is_litert or not _has_room(source)):
        raise InputError(
            f"--{place} must be given for --model_dir={source}; received ''"
        )


def _has_room(source: str) -> bool:
    """Whether <source>/export is a place of the model's own.

    Below a TF1 prefix it would make a folder of that name, below a name as
    "tiny" one in the working directory.
    """
    import tensorflow as tf

    from electra_tf.training.run_folder import CONFIG
    from electra_tf.weights import NAMES

    config = os.path.join(source, CONFIG)
    return source not in NAMES and tf.io.gfile.exists(config)


def _export_pretrained(
    source: str, path: str, values: flags.FlagValues
) -> list[str]:
    from electra_tf.pretrained import from_pretrained
    from electra_tf.serving import export

    model = from_pretrained(source)
    if values.for_finetuning:
        return export.export_for_finetuning(model, path, values.dropout)
    return export.export_saved_model(model, path, values.dtype, values.warmup)


def _export_finetuned(
    source: str, path: str, values: flags.FlagValues
) -> list[str]:
    import keras

    from electra_tf.serving.finetuned import export_finetuned

    try:
        model = keras.models.load_model(source, compile=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"cannot load a fine-tuned model from {source!r}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    return export_finetuned(
        model, path, dtype=values.dtype, warmup=values.warmup
    )


def _export_litert(values: flags.FlagValues) -> int:
    import tensorflow as tf

    from electra_tf.pretrained import from_pretrained
    from electra_tf.serving import litert
    from electra_tf.training.run_folder import write_bytes

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

    content = litert.convert(network, length, values.quantize == "int8")
    difference = litert.largest_difference(
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


def define_verify_flags() -> None:
    """How strictly; what to verify is the one argument."""
    flags.DEFINE_float(
        "tolerance",
        1e-5,
        "largest difference from the float32 Keras model that passes",
    )


def verify(argv: Sequence[str]) -> int:
    """Prints the largest difference of each signature; 1 if one is too big."""
    from electra_tf.serving.verify import verify_saved_model

    values = flags.FLAGS
    if len(argv) < 2:
        raise InputError(
            "an argument must name a version's folder, such as "
            "served/electra/1; received none"
        )
    path = argv[1]
    found = verify_saved_model(path)
    worst = max(found, key=lambda difference: difference.largest)
    largest: dict[tuple[str, str], float] = {}
    for each in found:
        key = (each.loader, each.signature)
        largest[key] = max(each.largest, largest.get(key, 0.0))
    for (loader, signature), value in largest.items():
        print(f"{loader:8} {signature:18} {value:.2e}")
    passed = worst.largest < values.tolerance
    print(
        f"{path}: largest difference {worst.largest:.2e} ({worst.signature}, "
        f"{worst.output}), {'below' if passed else 'NOT below'} "
        f"{values.tolerance:g}"
    )
    return 0 if passed else 1


def entry() -> None:
    """Console script."""
    run(define_flags, main)


def verify_entry() -> None:
    """Console script."""
    run(define_verify_flags, verify, max_arguments=1)
