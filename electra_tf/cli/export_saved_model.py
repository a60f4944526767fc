"""A model to serve or to fine-tune, as a SavedModel or for LiteRT; its check.

A SavedModel is of a pre-trained or a fine-tuned model, a LiteRT (TF Lite) file
of a discriminator.
"""

import dataclasses
import os
from typing import TYPE_CHECKING

from electra_tf.cli.app import command
from electra_tf.config import (
    GIVEN,
    POSITIVE,
    PROBABILITY,
    Options,
    at_least,
    field,
)
from electra_tf.config.pretraining import WORD_BORDERS, WORD_SPLITTERS
from electra_tf.errors import require
from electra_tf.files import check_path

if TYPE_CHECKING:
    from electra_tf.data.tokenizers import Tokenizer

KERAS = ".keras"
# What a sound conversion to LiteRT stays below; probabilities.
TOLERANCE = {"none": 1e-5, "int8": 0.1}


@dataclasses.dataclass(frozen=True)
class ExportOptions(Options):
    """What to export, as what, and where to.

    Attributes:
      model_dir: what from_pretrained takes: a run's folder, ...; or a
        fine-tuned model's .keras file.
      format: litert: the discriminator in a file of built-in ops, for phones.
      output_dir: the model's base path: the next version (1, 2, ...) is written
        below it; with --for_finetuning a new folder (default:
        <model_dir>/export, where model_dir is the folder of a run or of
        weights).
      for_finetuning: write the pre-trained encoder alone, trainable, with the
        signatures embed_ids (no dropout) and embed_ids_training (dropout);
        without this flag, a model that serves.
      dropout: rate of embed_ids_training, with --for_finetuning.
      dtype: how matrices are stored.
      warmup: write warm-up requests (default: where tensorflow-serving-api is
        installed).
      output: litert: the .tflite file to write.
      max_seq_length: litert: ids of a row; shorter ones are padded.
      quantize: litert: int8 is dynamic range, a quarter of the size.
    """

    model_dir: str = field("", GIVEN)
    format: str = field("saved_model", choices=("saved_model", "litert"))
    output_dir: str = field("")
    for_finetuning: bool = field(False)
    dropout: float = field(0.1, PROBABILITY)
    dtype: str = field("float32", choices=("float32", "float16"))
    warmup: bool | None = field(None)
    output: str = field("")
    max_seq_length: int = field(128, at_least(2))
    quantize: str = field("int8", choices=tuple(TOLERANCE))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_path("output_dir", self.output_dir)
        is_litert = self.format == "litert"
        serves = not (is_litert or self.for_finetuning)
        for name, way, holds in (
            ("output", "format=litert", is_litert),
            ("max_seq_length", "format=litert", is_litert),
            ("quantize", "format=litert", is_litert),
            ("output_dir", "format=saved_model", not is_litert),
            ("for_finetuning", "format=saved_model", not is_litert),
            ("dropout", "for_finetuning", self.for_finetuning),
            ("dtype", "a SavedModel that serves", serves),
            ("warmup", "a SavedModel that serves", serves),
        ):
            value, default = getattr(self, name), getattr(type(self), name)
            rule = f"{name} goes with {way} alone"
            require(holds or value == default, rule, value)
        way = "format=litert" if is_litert else "for_finetuning"
        require(
            serves or not self.model_dir.endswith(KERAS),
            f"{way} takes a pre-trained model, so model_dir must not be a "
            "fine-tuned one",
            self.model_dir,
        )
        require(bool(self.output) or not is_litert, "output must be given", "")


@command(ExportOptions)
def export_saved_model(options: ExportOptions) -> int:
    """Exports; prints the signatures, or the file's size and error."""
    if options.format == "litert":
        return _export_litert(options)
    from electra_tf.serving.saved_model import next_version

    path = options.output_dir or _default_place(options.model_dir)
    if not options.for_finetuning:
        path = next_version(path)
    if options.model_dir.endswith(KERAS):
        names, tokenizer = _export_finetuned(options, path)
    else:
        names, tokenizer = _export_pretrained(options, path)
    print(f"{path}: signatures {', '.join(names)}")
    if tokenizer.options.get("word_borders") == WORD_BORDERS[-1]:
        print(f"text must come split, a space between words: {_way(tokenizer)}")
    return 0


def _way(tokenizer: "Tokenizer") -> str:
    """How the model's texts were split."""
    splitter = tokenizer.options["word_splitter"]
    known = f"by {splitter}, as a model in Python does by itself"
    return "as its texts were" if splitter == WORD_SPLITTERS[0] else known


def _default_place(model_dir: str) -> str:
    """<model_dir>/export, where that is a place of the model's own.

    Below a TF1 prefix it would make a folder of that name, below a name as
    "tiny" one in the working directory.
    """
    import tensorflow as tf

    from electra_tf.training.run_folder import CONFIG
    from electra_tf.weights import NAMES

    config = os.path.join(model_dir, CONFIG)
    require(
        model_dir not in NAMES and tf.io.gfile.exists(config),
        "output_dir must be given where model_dir is no folder of a run or of "
        "weights",
        model_dir,
    )
    return os.path.join(model_dir, "export")


def _export_pretrained(
    options: ExportOptions, path: str
) -> "tuple[list[str], Tokenizer]":
    """The signatures' names, and the model's tokenizer."""
    from electra_tf.pretrained import pretrained_of
    from electra_tf.serving import export
    from electra_tf.weights import open_weights

    weights = open_weights(options.model_dir)
    tokenizer = weights.tokenizer
    if options.for_finetuning:
        model = pretrained_of(weights)
        names = export.export_for_finetuning(model, path, options.dropout)
        return names, tokenizer
    if weights.head is None:
        names = export.export_saved_model(
            pretrained_of(weights), path, options.dtype, options.warmup
        )
        return names, tokenizer
    finetuned = export.finetuned_class(weights.head.kind).from_weights(
        weights,
        max_seq_length=weights.config.model.max_position_embeddings,
    )
    names = export.export_finetuned(
        finetuned, path, dtype=options.dtype, warmup=options.warmup
    )
    return names, tokenizer


def _export_finetuned(
    options: ExportOptions, path: str
) -> "tuple[list[str], Tokenizer]":
    from electra_tf.finetune import load_model
    from electra_tf.serving.export import export_finetuned

    model = load_model(options.model_dir, compile=False)
    names = export_finetuned(
        model, path, dtype=options.dtype, warmup=options.warmup
    )
    return names, model.preprocessor.tokenizer


def _export_litert(options: ExportOptions) -> int:
    import tensorflow as tf

    from electra_tf.files import write_bytes
    from electra_tf.pretrained import from_pretrained
    from electra_tf.serving import litert

    model, length = from_pretrained(options.model_dir), options.max_seq_length
    rows = model.config.model.max_position_embeddings
    rule = f"max_seq_length must not exceed the model's {rows} positions"
    require(length <= rows, rule, length)
    discriminator = model.discriminator

    def network(
        input_ids: tf.Tensor, input_mask: tf.Tensor, segment_ids: tf.Tensor
    ) -> tf.Tensor:
        logits = discriminator(input_ids, input_mask, segment_ids)  # [1, L]
        return tf.sigmoid(logits) * tf.cast(input_mask, tf.float32)

    content = litert.convert(network, length, options.quantize == "int8")
    difference = litert.largest_difference(
        network, content, model.tokenizer.vocab_size, length
    )
    bound = TOLERANCE[options.quantize]
    print(
        f"{len(content) / 1e6:.1f} MB, largest difference of a probability "
        f"{difference:.1e}"
    )
    if not difference < bound:
        print(f"not written: the difference is not below {bound:g}")
        return 1
    write_bytes(options.output, content)
    return 0


@dataclasses.dataclass(frozen=True)
class VerifyOptions(Options):
    """What to verify, and how strictly.

    Attributes:
      path: a version's folder, such as served/electra/1.
      tolerance: largest difference from the float32 Keras model that passes.
    """

    path: str = field("", GIVEN, argument=True)
    tolerance: float = field(1e-5, POSITIVE)


@command(VerifyOptions)
def verify_saved_model(options: VerifyOptions) -> int:
    """Prints the largest difference of each signature; 1 if one is too big."""
    from electra_tf.serving import warmup

    found = warmup.verify_saved_model(options.path)
    largest: dict[tuple[str, str], float] = {}
    for each in found:
        key = each.loader, each.signature
        largest[key] = max(each.largest, largest.get(key, 0.0))
    for (loader, signature), difference in largest.items():
        print(f"{loader:8} {signature:18} {difference:.2e}")
    worst = max(found, key=lambda difference: difference.largest)
    passed = worst.largest < options.tolerance
    print(
        f"{options.path}: largest difference {worst.largest:.2e} "
        f"({worst.signature}, {worst.output}), "
        f"{'below' if passed else 'NOT below'} {options.tolerance:g}"
    )
    return 0 if passed else 1
