"""`export` of every model: a SavedModel, or a file of another format."""

import json
import os
import tempfile
from typing import Any

import tensorflow as tf

from electra_tf.errors import InputError, require, require_packages
from electra_tf.files import check_path, filling, read_bytes, try_output
from electra_tf.finetune.models import TaskModel
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.pretrained import PretrainedElectra
from electra_tf.serving import NAMES
from electra_tf.serving.export import export_finetuned, export_saved_model
from electra_tf.serving.formats import FORMATS, OPSETS, QUANTIZED, Settings
from electra_tf.serving.ids_network import (
    TEXTS,
    IdsNetwork,
    largest_difference,
)

SAVED_MODEL = "tf_saved_model"
# What a sound conversion stays below; other libraries round elsewhere, and in
# deep networks it adds up.
TOLERANCE = {"none": 1e-4, "int8": 0.1}
# Argument -> the formats that it goes with.
_GOES_WITH = {
    "dtype": (SAVED_MODEL,),
    "warmup": (SAVED_MODEL,),
    "what": tuple(FORMATS),
    "opset_version": ("onnx",),
    "max_seq_length": ("litert",),
    "quantize": ("litert",),
}


def export_model(
    model: PretrainedElectra | TaskModel,
    path: str | os.PathLike,
    format: str = SAVED_MODEL,
    preprocessor: TextPreprocessor | None = None,
    **arguments: Any,
) -> str:
    """Writes a model for others to run; returns what was written, as a line.

    A SavedModel has the signatures of `export_finetuned` and
    `export_saved_model`, texts in among them. The other formats take
    `input_ids`, `input_mask`, `segment_ids`: int64 [B, L] in ONNX and
    OpenVINO, of any B and L; int32 [1, max_seq_length] in LiteRT. Their
    outputs are the numbers of the signature of ids. Ten texts are answered by
    the file and by Keras before it is kept. Beside it stand the tokenizer's
    files and `<file>.json`: inputs, outputs, names of labels.

    Args:
      model: what `from_pretrained` gave, or a fine-tuned model.
      path: a new folder for a SavedModel; else a file, of OpenVINO one that
        ends in .xml (its weights come beside it, in .bin).
      format: "tf_saved_model", "onnx", "litert" or "openvino".
      preprocessor: of a fine-tuned model that has none any more.
      **arguments: `dtype`, `warmup` of a SavedModel, see `export_finetuned`.
        `what` of a pre-trained model in other formats: "detect" (default,
        where it can) or "embed". `opset_version` of ONNX, 13 to 18 (17).
        `max_seq_length` of LiteRT (the preprocessor's, or 128); `quantize` of
        LiteRT, "none" or "int8".

    Raises:
      InputError: no such format, an argument that it does not take, a package
        that it needs is missing, the file cannot be written, or it would not
        answer as Keras does. Nothing is written then.
    """
    path = check_path("path", os.fspath(path))
    formats = (SAVED_MODEL, *FORMATS)
    rule = f"format must be one of {', '.join(formats)}"
    require(format in formats, rule, format)
    for name in arguments:
        known = _GOES_WITH.get(name, ())
        taken = [n for n, goes in _GOES_WITH.items() if format in goes]
        rule = f"export to {format} takes {', '.join(taken)}"
        require(format in known, rule, name)
    if format == SAVED_MODEL:
        if isinstance(model, PretrainedElectra):
            names = export_saved_model(model, path, **arguments)
        else:
            names = export_finetuned(model, path, preprocessor, **arguments)
        return f"{path}: signatures {', '.join(names)}"
    what = arguments.pop("what", "")
    check_file(format, path, arguments)
    if isinstance(model, TaskModel):
        model = model.merged()
    network = IdsNetwork(model, what, preprocessor)
    settings = _settings(network, **arguments)
    return _write(network, format, path, settings)


def check_file(format: str, path: str, arguments: dict[str, Any]) -> None:
    """Refuses what can be refused before a model is looked at.

    Args:
      format, path, arguments: of `export_model`, for another format than a
        SavedModel.

    Raises:
      InputError: see `export_model`.
    """
    kind = FORMATS[format]
    require_packages(f"export to {format} needs", kind.packages, format)
    opset = arguments.get("opset_version", OPSETS[0])
    rule = f"opset_version must lie between {OPSETS[0]} and {OPSETS[-1]}"
    require(opset in OPSETS, rule, opset)
    quantize = arguments.get("quantize", QUANTIZED[0])
    rule = f"quantize must be one of {', '.join(QUANTIZED)}"
    require(quantize in QUANTIZED, rule, quantize)
    ending = ".xml" if format == "openvino" else ""
    rule = f"a file for {format} must end in {ending}"
    require(path.endswith(ending), rule, path)
    try_output("output", path)


def _settings(
    network: IdsNetwork,
    opset_version: int = Settings.opset,
    max_seq_length: int | None = None,
    quantize: str = Settings.quantize,
) -> Settings:
    length = max_seq_length or network.max_length
    rule = (
        "max_seq_length must be at least 5 and not exceed the model's "
        f"{network.positions} positions"
    )
    require(5 <= length <= network.positions, rule, length)
    return Settings(opset_version, length, quantize)


def _write(
    network: IdsNetwork, format: str, path: str, settings: Settings
) -> str:
    """Converts, compares with Keras, and only then puts files in place."""
    kind, (folder, name) = FORMATS[format], os.path.split(path)
    folder = folder or "."
    with tempfile.TemporaryDirectory() as made:
        network.tokenizer.save(made)
        _check_tokenizer(made, folder)
        file = os.path.join(made, name)
        length = settings.length if kind.is_fixed else network.max_length
        try:
            kind.write(network, file, settings)
            run = kind.open(file)
            largest = largest_difference(network, run, length, kind.is_fixed)
        except Exception as error:  # of any kind, the packages are others'
            reason = (str(error).splitlines() or [""])[0]
            raise InputError(
                f"{format} must be able to hold and run the model; received "
                f"{type(error).__name__}: {reason}"
            ) from error
        bound = TOLERANCE[settings.quantize]
        rule = f"a file must answer as Keras does, to {bound:g}"
        require(largest < bound, rule, largest)
        size = sum(entry.stat().st_size for entry in os.scandir(made))
        outputs = network.output_names()
        about = _about(network, format, outputs, settings)
        with open(f"{file}.json", "w", encoding="utf-8") as described:
            json.dump(about, described, indent=2, ensure_ascii=False)
        with filling(folder, last=name) as whole:
            for entry in os.listdir(made):
                source = os.path.join(made, entry)
                tf.io.gfile.copy(source, os.path.join(whole, entry))
    return (
        f"{path}: {size / 1e6:.1f} MB, {', '.join(outputs)}; largest "
        f"difference from Keras on {len(TEXTS)} texts {largest:.1e}"
    )


def _check_tokenizer(made: str, folder: str) -> None:
    """Refuses to write over the tokenizer of another model."""
    for name in os.listdir(made):
        path = os.path.join(folder, name)
        mine = read_bytes(os.path.join(made, name))
        same = not tf.io.gfile.exists(path) or read_bytes(path) == mine
        rule = "the file's folder must hold no tokenizer of another model"
        require(same, rule, path)


def _about(
    network: IdsNetwork, format: str, outputs: list[str], settings: Settings
) -> dict[str, Any]:
    """What a client must know beside the tokenizer."""
    about: dict[str, Any] = {"format": format, "inputs": list(NAMES)}
    about |= {"outputs": outputs, "labels": network.labels}
    if FORMATS[format].is_fixed:
        return {**about, "max_seq_length": settings.length}
    return {**about, "max_seq_length": network.positions}
