"""Writes safetensors files, one array in memory at a time.

The library's own `save_file` wants all arrays at once, and copies them.
"""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.errors import require
from electra_tf.files import replacing

DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_ALIGNMENT = 8


def write_safetensors(
    path: str,
    shapes: Mapping[str, Sequence[int]],
    arrays: Mapping[str, np.ndarray],
    dtype: str,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes a file whole or not at all.

    Args:
      path: of the file.
      shapes: name -> shape, in the file's order.
      arrays: name -> array, read one after the other.
      dtype: of the file, one of `DTYPES`.
      metadata: what else the file says, texts by name.

    Raises:
      InputError: an array of another shape, or the file cannot be written.
    """
    width = tf.dtypes.as_dtype(dtype).size
    told = {"format": "pt", **(metadata or {})}
    header: dict[str, Any] = {"__metadata__": told}
    begin = 0
    for name, shape in shapes.items():
        end = begin + width * math.prod(shape)
        header[name] = {
            "dtype": DTYPES[dtype],
            "shape": list(shape),
            "data_offsets": [begin, end],
        }
        begin = end
    content = json.dumps(header, separators=(",", ":")).encode("utf-8")
    content += b" " * (-len(content) % _ALIGNMENT)
    stored = tf.dtypes.as_dtype(dtype).as_numpy_dtype
    with replacing(path) as temporary:
        with tf.io.gfile.GFile(temporary, "wb") as file:
            file.write(struct.pack("<Q", len(content)) + content)
            for name, shape in shapes.items():
                array = np.ascontiguousarray(arrays[name], stored)
                rule = f"{name} must have the shape {tuple(shape)}"
                require(array.shape == tuple(shape), rule, array.shape)
                file.write(array.tobytes())


def read_metadata(path: str) -> dict[str, str]:
    """What a file says beside its arrays; they are not looked at."""
    with tf.io.gfile.GFile(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(size)).get("__metadata__", {})
