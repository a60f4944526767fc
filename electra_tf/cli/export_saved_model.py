"""A model as a SavedModel or in another format; the check of a SavedModel."""

import dataclasses
import os
from typing import TYPE_CHECKING, Any

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
    from electra_tf.finetune.models import TaskModel
    from electra_tf.pretrained import PretrainedElectra

KERAS = ".keras"
FILES = ("onnx", "litert", "openvino")


@dataclasses.dataclass(frozen=True)
class ExportOptions(Options):
    """What to export, as what, and where to.

    Attributes:
      model_dir: what from_pretrained takes: a run's folder, ...; or a
        fine-tuned model's .keras file.
      format: saved_model, text in; or a file, ids in, with the tokenizer's
        files beside it.
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
      output: the file to write, of openvino an .xml.
      what: of a pre-trained model in a file (default: detect, where it can).
      opset_version: onnx: version of its operations.
      max_seq_length: litert: ids of a row; shorter ones are padded.
      quantize: litert: int8 is dynamic range, a quarter of the size.
    """

    model_dir: str = field("", GIVEN)
    format: str = field("saved_model", choices=("saved_model", *FILES))
    output_dir: str = field("")
    for_finetuning: bool = field(False)
    dropout: float = field(0.1, PROBABILITY)
    dtype: str = field("float32", choices=("float32", "float16"))
    warmup: bool | None = field(None)
    output: str = field("")
    what: str = field("", choices=("", "detect", "embed"))
    opset_version: int = field(17, POSITIVE)
    max_seq_length: int = field(128, at_least(5))
    quantize: str = field("int8", choices=("none", "int8"))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_path("output_dir", self.output_dir)
        is_file = self.format in FILES
        is_onnx, is_litert = self.format == "onnx", self.format == "litert"
        serves = not (is_file or self.for_finetuning)
        for name, way, holds in (
            ("output", f"format={', '.join(FILES)}", is_file),
            ("what", f"format={', '.join(FILES)}", is_file),
            ("opset_version", "format=onnx", is_onnx),
            ("max_seq_length", "format=litert", is_litert),
            ("quantize", "format=litert", is_litert),
            ("output_dir", "format=saved_model", not is_file),
            ("for_finetuning", "format=saved_model", not is_file),
            ("dropout", "for_finetuning", self.for_finetuning),
            ("dtype", "a SavedModel that serves", serves),
            ("warmup", "a SavedModel that serves", serves),
        ):
            value, default = getattr(self, name), getattr(type(self), name)
            rule = f"{name} goes with {way} alone"
            require(holds or value == default, rule, value)
        require(
            not (self.for_finetuning and self.model_dir.endswith(KERAS)),
            "for_finetuning takes a pre-trained model, so model_dir must not "
            "be a fine-tuned one",
            self.model_dir,
        )
        require(bool(self.output) or not is_file, "output must be given", "")

    def of_file(self) -> dict[str, Any]:
        """What `export_model` is told of a file."""
        told: dict[str, Any] = {"what": self.what} if self.what else {}
        if self.format == "onnx":
            told["opset_version"] = self.opset_version
        if self.format == "litert":
            told["max_seq_length"] = self.max_seq_length
            told["quantize"] = self.quantize
        return told


@command(ExportOptions)
def export_saved_model(options: ExportOptions) -> None:
    """Exports; prints the signatures, or the file's size and difference."""
    from electra_tf.serving.export import export_for_finetuning
    from electra_tf.serving.model_export import check_file, export_model
    from electra_tf.serving.saved_model import next_version

    if options.format in FILES:
        told = options.of_file()
        check_file(options.format, options.output, told)
        model = _opened(options.model_dir)
        print(export_model(model, options.output, options.format, **told))
        return
    path = options.output_dir or _default_place(options.model_dir)
    if options.for_finetuning:
        from electra_tf.pretrained import from_pretrained

        pretrained = from_pretrained(options.model_dir)
        tokenizer = pretrained.tokenizer
        names = export_for_finetuning(pretrained, path, options.dropout)
        print(f"{path}: signatures {', '.join(names)}")
    else:
        model, path = _opened(options.model_dir), next_version(path)
        told = {"dtype": options.dtype, "warmup": options.warmup}
        print(export_model(model, path, **told))
        tokenizer = getattr(model, "preprocessor", model).tokenizer
    if tokenizer.options.get("word_borders") == WORD_BORDERS[-1]:
        print(f"text must come split, a space between words: {_way(tokenizer)}")


def _opened(model_dir: str) -> "PretrainedElectra | TaskModel":
    """A fine-tuned model where there is the head of one, else a pre-trained."""
    from electra_tf.finetune import load_model
    from electra_tf.pretrained import pretrained_of
    from electra_tf.serving.export import finetuned_class
    from electra_tf.weights import open_weights

    if model_dir.endswith(KERAS):
        return load_model(model_dir, compile=False)
    weights = open_weights(model_dir)
    if weights.head is None:
        return pretrained_of(weights)
    return finetuned_class(weights.head.kind).from_weights(
        weights,
        max_seq_length=weights.config.model.max_position_embeddings,
    )


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
