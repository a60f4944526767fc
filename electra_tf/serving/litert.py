"""A network as a LiteRT (TensorFlow Lite) file, for phones and laptops."""

import warnings
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from electra_tf.serving import NAMES

OUTPUT = "probabilities"
Network = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def convert(
    network: Network,
    max_seq_length: int,
    quantize: bool,
) -> bytes:
    """The content of a .tflite file of built-in ops alone.

    Args:
      network: input_ids, input_mask, segment_ids, int32 [1, L] -> one tensor.
      max_seq_length: L, fixed: what is shorter is padded by the caller.
      quantize: matrices in int8, one scale a row ("dynamic range");
        activations are quantised while it runs.
    """
    specs = [tf.TensorSpec([1, max_seq_length], tf.int32, n) for n in NAMES]
    traced = tf.function(
        lambda *ids: {OUTPUT: network(*ids)}, specs, autograph=False
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [traced.get_concrete_function()], traced
    )
    if quantize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


class Interpreter:
    """Answers of a .tflite file.

    Args:
      content: what `convert` gave.
    """

    def __init__(self, content: bytes):
        with warnings.catch_warnings():
            # It moves to a package of its own some day.
            warnings.simplefilter("ignore")
            self._run = tf.lite.Interpreter(model_content=content)
        self._run.allocate_tensors()
        self._inputs = {
            detail["name"].removeprefix("serving_default_").split(":")[0]: (
                detail["index"]
            )
            for detail in self._run.get_input_details()
        }
        [output] = self._run.get_output_details()
        self._output = output["index"]

    def __call__(self, **ids: np.ndarray) -> np.ndarray:
        """input_ids, input_mask, segment_ids int32 [1, L] -> the output."""
        for name, place in self._inputs.items():
            self._run.set_tensor(place, ids[name])
        self._run.invoke()
        return self._run.get_tensor(self._output)


def largest_difference(
    network: Network,
    content: bytes,
    vocab_size: int,
    max_seq_length: int,
    num_rows: int = 8,
) -> float:
    """Between network and file, over rows of random ids of several lengths."""
    rng = np.random.default_rng(0)
    interpreter = Interpreter(content)
    largest = 0.0
    for row in range(num_rows):
        length = max(2, max_seq_length * (row + 1) // num_rows)
        mask = (np.arange(max_seq_length) < length).astype(np.int32)[None]
        ids = rng.integers(0, vocab_size, mask.shape, np.int32) * mask
        segments = np.zeros_like(ids)
        expected = network(*map(tf.constant, (ids, mask, segments)))
        arrays = (ids, mask, segments)
        found = interpreter(**dict(zip(NAMES, arrays, strict=True)))
        difference = np.abs(found - expected.numpy())
        largest = max(largest, float(difference.max()))
    return largest
