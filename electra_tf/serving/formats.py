"""ONNX, LiteRT and OpenVINO: a network's file, and the answers of a file.

Each has a converter of its own from TensorFlow's graph. Packages are imported
where they are used, as none of them comes with electra_tf.
"""

import contextlib
import dataclasses
import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator

import tensorflow as tf

from electra_tf.serving import NAMES
from electra_tf.serving.ids_network import Arrays, IdsNetwork, Run

# That tf2onnx writes, and that have all operations of ours.
OPSETS = range(13, 19)
QUANTIZED = ("none", "int8")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a format can be told.

    Attributes:
      opset: onnx: the version of its operations, one of `OPSETS`.
      length: litert: ids of a row, fixed.
      quantize: litert: "int8" stores matrices so, one scale a row ("dynamic
        range"); activations are quantised while it runs.
    """

    opset: int = 17
    length: int = 128
    quantize: str = "none"


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
      ending: of its name, where the format asks for it.
      packages: that it needs; the extra has the format's name.
      write: makes the file, by name.
      open: a file -> what answers; ids int64 [B, L], of litert [1, length].
      is_fixed: whether a file takes one row of one length alone.
    """

    ending: str
    packages: tuple[str, ...]
    write: Callable[[IdsNetwork, str, Settings], None]
    open: Callable[[str], Run]
    is_fixed: bool = False


def _write_onnx(network: IdsNetwork, path: str, settings: Settings) -> None:
    import tf2onnx

    function = network.traced(None, None, tf.int64)
    with _quiet("tf2onnx", "tensorflow"):
        tf2onnx.convert.from_function(
            function,
            function.input_signature,
            opset=settings.opset,
            output_path=path,
        )


def _open_onnx(path: str) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        path, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]

    def run(ids: Arrays) -> Arrays:
        return dict(zip(names, session.run(names, ids), strict=True))

    return run


def _write_openvino(network: IdsNetwork, path: str, settings: Settings) -> None:
    import openvino

    function = network.traced(None, None, tf.int64)
    model = openvino.convert_model(function.get_concrete_function())
    # Beside the outputs' own names may stand those of operations.
    for output, name in zip(model.outputs, network.output_names(), strict=True):
        output.set_names({name})
    # float16 by default, which is for who asks for it.
    openvino.save_model(model, path, compress_to_fp16=False)


def _open_openvino(path: str) -> Run:
    import openvino

    # Else bfloat16 on processors that have it.
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", exact)

    def run(ids: Arrays) -> Arrays:
        found = compiled({name: ids[name] for name in NAMES})
        return {output.any_name: x for output, x in found.items()}

    return run


def _write_litert(network: IdsNetwork, path: str, settings: Settings) -> None:
    saved = tf.Module()
    saved.weights = network.weights
    saved.answer = network.traced(1, settings.length, tf.int32)
    with tempfile.TemporaryDirectory() as folder, _quiet("tensorflow"):
        # By way of a SavedModel, names of inputs and outputs go along.
        tf.saved_model.save(saved, folder, signatures=saved.answer)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if settings.quantize == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        content = converter.convert()
    with open(path, "wb") as file:
        file.write(content)


def _open_litert(path: str) -> Run:
    if importlib.util.find_spec("ai_edge_litert"):
        from ai_edge_litert.interpreter import Interpreter
    else:  # TensorFlow's own, which says with each use that it is to go
        Interpreter = tf.lite.Interpreter  # noqa: N806
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = Interpreter(model_path=path).get_signature_runner()

    def answer(ids: Arrays) -> Arrays:
        return run(**{name: ids[name].astype("int32") for name in NAMES})

    return answer


FORMATS = {
    "onnx": Format(
        ".onnx", ("tf2onnx", "onnx", "onnxruntime"), _write_onnx, _open_onnx
    ),
    "litert": Format(".tflite", (), _write_litert, _open_litert, True),
    "openvino": Format(".xml", ("openvino",), _write_openvino, _open_openvino),
}


@contextlib.contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Leaves out what converters tell of their own work."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
