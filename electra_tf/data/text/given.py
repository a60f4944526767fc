"""Texts that Python code gives, as TensorFlow takes them."""

import re
import reprlib
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.errors import require

# Half of a character; JSON's "\ud83d" alone is read as one. No UTF-8 has it.
SURROGATE = re.compile("[\ud800-\udfff]")


def whole_characters(text: str) -> str:
    """The text, with U+FFFD for each lone surrogate, so that offsets stay."""
    return SURROGATE.sub("\ufffd", text)


def is_column(values: Any) -> bool:
    """Whether these are values in an order: a list, an array, a Series."""
    is_frame = hasattr(values, "columns")
    if is_frame or isinstance(values, (str, bytes, AbstractSet, Mapping)):
        return False
    return isinstance(values, Iterable) and hasattr(values, "__len__")


def as_list(values: Any) -> list[Any]:
    """The values of a column, as plain Python has them."""
    if isinstance(values, tf.RaggedTensor):
        return values.to_list()
    if isinstance(values, tf.Tensor):
        values = values.numpy()
    if hasattr(values, "tolist"):  # arrays, Series
        return values.tolist()
    return list(values)


def text_tensor(name: str, texts: Any) -> tf.Tensor:
    """Texts as one tensor, string [N], UTF-8.

    Args:
      name: of the argument, as the user knows it.
      texts: a list, tuple, array, tensor or pandas Series of str or bytes;
        [N, 1] counts as [N].

    Raises:
      InputError: it is one text, a set or the like; or one of them is no
        text, which is told with its place.
    """
    rule = f"{name} must be a list of texts (or an array, a Series)"
    require(is_column(texts), rule, type(texts).__name__)
    shape = np.shape(texts) if hasattr(texts, "shape") else ()
    if len(shape) == 2 and shape[1] == 1:
        texts = as_list(texts)
        texts = [text for (text,) in texts]
    if isinstance(texts, tf.Tensor) and texts.dtype == tf.string:
        require(texts.shape.rank == 1, f"{name} must have one axis", shape)
        return texts
    numbered = enumerate(as_list(texts))
    encoded = [_utf8(f"{name}[{n}]", text) for n, text in numbered]
    return tf.constant(encoded, tf.string)


def one_text(name: str, text: Any) -> str:
    """A text given as str or as bytes.

    Raises:
      InputError: it is neither.
    """
    return _utf8(name, text).decode("utf-8", "replace")


def _utf8(name: str, text: Any) -> bytes:
    if isinstance(text, bytes):
        return text
    # No more of it than a glance, as it may be long.
    glance = "" if isinstance(text, str) else reprlib.repr(text)
    require(isinstance(text, str), f"{name} must be a text", glance)
    return whole_characters(text).encode("utf-8")
