"""Columns that Python code gives - texts, words, numbers - as tensors."""

import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError, require

# Half of a character; JSON's "\ud83d" alone is read as one. No UTF-8 has it.
SURROGATE = re.compile("[\ud800-\udfff]")

# Kinds of whole numbers.
WHOLE = (int, np.integer)
_TEXTS = (str, bytes)
_KINDS_OF_NUMBERS = tuple("biuf")


def whole_characters(text: str) -> str:
    """The text, with U+FFFD for each lone surrogate, so that offsets stay."""
    return SURROGATE.sub("\ufffd", text)


def characters_before(content: bytes) -> np.ndarray:
    """Byte offsets as Python's: int64 [bytes + 1].

    Args:
      content: a text in UTF-8.

    Returns for each offset the number of characters that begin before it.
    """
    codes = np.frombuffer(content, np.uint8)
    # Bytes 10xxxxxx continue a character.
    return np.concatenate([[0], np.cumsum((codes & 0xC0) != 0x80)])


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
    shape = tuple(getattr(texts, "shape", ()))
    if shape[1:] == (1,):
        texts = [row[0] for row in as_list(texts)]
    if isinstance(texts, tf.Tensor) and texts.dtype == tf.string:
        require(len(shape) == 1, f"{name} must have one axis", shape)
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


def columns(name: str, given: Any) -> Any:
    """Columns as arrays and tensors, by name where they have names.

    Args:
      name: of the argument, as the user knows it.
      given: texts, lists of words, or numbers; a list, tuple, array, tensor
        or Series of them; a dict of these, or a DataFrame.

    Returns:
      string [N], string [N, (words)], or numbers [N, ...] (ragged where their
      lengths differ); a dict of them.

    Raises:
      InputError: it is none of these, holds something else, or nothing.
    """
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        return {str(n): columns(f"{name}[{n!r}]", given[n]) for n in given}
    if isinstance(given, (tf.Tensor, tf.RaggedTensor)):
        return given
    rule = (
        f"{name} must be a list, an array, a Series, a dict of these, or a "
        "tf.data.Dataset"
    )
    require(is_column(given), rule, type(given).__name__)
    require(len(given) > 0, f"{name} must hold a row or more", 0)
    dtype = getattr(given, "dtype", None)
    if getattr(dtype, "kind", None) in _KINDS_OF_NUMBERS:
        return np.asarray(given)
    if tuple(getattr(given, "shape", ()))[1:] == (1,):
        given = [row[0] for row in as_list(given)]
    rows = as_list(given)
    if isinstance(rows[0], _TEXTS):
        return text_tensor(name, rows)
    if is_column(rows[0]):
        return _nested(name, rows)
    return _numbers(name, rows)


def _nested(name: str, rows: Sequence[Any]) -> Any:
    """Rows of words or of numbers."""
    for number, row in enumerate(rows):
        rule = f"{name}[{number}] must be a list, as the first row is"
        require(is_column(row), rule, reprlib.repr(row))
    lists = [as_list(row) for row in rows]
    values = [value for row in lists for value in row]
    lengths = [len(row) for row in lists]
    if values and isinstance(values[0], _TEXTS):
        flat = text_tensor(f"the words of {name}", values)
        return tf.RaggedTensor.from_row_lengths(flat, lengths)
    if len(set(lengths)) == 1 and values and is_column(values[0]):
        return np.stack([_nested(name, row) for row in lists])
    flat = _numbers(name, values)
    if len(set(lengths)) == 1:
        return flat.reshape(len(rows), -1)
    return tf.RaggedTensor.from_row_lengths(flat, lengths)


def _numbers(name: str, values: Sequence[Any]) -> np.ndarray:
    array = np.array(values) if values else np.zeros(0, np.int32)
    if array.dtype.kind in _KINDS_OF_NUMBERS:
        return array
    kinds = (int, float, np.number, np.bool_)
    wrong = next((v for v in values if not isinstance(v, kinds)), values[0])
    rule = f"{name} must hold texts alone, or numbers alone"
    raise InputError(f"{rule}; received {reprlib.repr(wrong)}")


def check_rows(**given: Any) -> None:
    """Refuses columns of different lengths."""
    parts = [part for part in given.values() if part is not None]
    lengths = [int(part.shape[0]) for part in tf.nest.flatten(parts)]
    rule = f"all columns of {', '.join(given)} must have the same length"
    require(len(set(lengths)) == 1, rule, lengths)
