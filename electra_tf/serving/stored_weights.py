"""Weights as an export stores them, and as its networks read them."""

import contextlib
from collections.abc import Sequence

import keras
import tensorflow as tf


class StoredWeights:
    """float32 as they are, or float16 matrices that are cast when read.

    Computing is in float32 in any case. Vectors stay in float32: they are
    small, and scales and biases matter most.

    Args:
      dtype: of the matrices, "float32" or "float16".
    """

    def __init__(self, dtype: str = "float32"):
        self._dtype = dtype
        # Of each variable once, whichever networks share it.
        self._cast: dict[int, tf.Variable] = {}

    def stored(self, variables: Sequence[keras.Variable]) -> list[tf.Variable]:
        """What a module must track for these; nothing of it is Keras'."""
        for v in variables:
            if self._is_cast(v) and id(v) not in self._cast:
                self._cast[id(v)] = tf.Variable(
                    tf.cast(v.value, self._dtype), trainable=False, name=v.name
                )
        return [self._cast.get(id(v), v.value) for v in variables]

    def scope(
        self, variables: Sequence[keras.Variable]
    ) -> contextlib.AbstractContextManager:
        """Where layers read the stored values of these variables."""
        cast = [
            (v, tf.cast(self._cast[id(v)], v.dtype))
            for v in variables
            if self._is_cast(v)
        ]
        if not cast:
            return contextlib.nullcontext()
        return keras.StatelessScope(state_mapping=cast)

    def _is_cast(self, variable: keras.Variable) -> bool:
        is_float = variable.dtype.startswith("float")
        differs = variable.dtype != self._dtype
        return is_float and differs and len(variable.shape) > 1
