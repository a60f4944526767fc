"""Rules about what a model is given: texts, ids, targets.

All are TensorFlow's ops, so that batches of a `tf.data.Dataset` keep them, too.
"""

import contextlib
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from electra_tf.data.tokenizers import pack_words
from electra_tf.errors import InputError, require
from electra_tf.finetune.preprocessor import TEXT_NAMES, TextPreprocessor
from electra_tf.modeling.encoder import Encoder

# A place of a row that has no class to learn.
IGNORED = -1
_BROKEN = re.compile(r"assertion failed: \[(.*); received\] \[(.*)\]")


def checked(holds: tf.Tensor, rule: str, values: tf.Tensor) -> tf.Tensor:
    """The values, all of which keep a rule.

    Raises:
      InputError: one does not; inside a graph it is an error at run time,
        which `naming_broken_rules` makes one.
    """
    if not tf.executing_eagerly():
        broken = tf.boolean_mask(values, ~holds)[:1]
        held = tf.debugging.Assert(
            tf.reduce_all(holds), [f"{rule}; received", broken]
        )
        with tf.control_dependencies([held]):
            return tf.identity(values)
    for value in tf.boolean_mask(values, ~holds)[:1].numpy().tolist():
        shown = value.decode() if isinstance(value, bytes) else value
        raise InputError(f"{rule}; received {shown!r}")
    return values


@contextlib.contextmanager
def naming_broken_rules() -> Iterator[None]:
    """Turns what a batch's `checked` says into an InputError."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = _BROKEN.search(error.message)
        if found is None:
            raise
        raise InputError(f"{found[1]}; received {found[2]}") from None


def texts(
    x: Mapping[str, Any], preprocessor: TextPreprocessor | None, reads: str
) -> dict[str, Any]:
    """Inputs that are texts; of lists of words the rows, with `word_places`.

    Args:
      x: `text`, string [B] or [B, (words)], and what stands beside it.
      preprocessor: the model's; packs words.
      reads: see `TaskModel`.
    """
    rule = (
        "without preprocessor the inputs must be a dict of input_ids, "
        "input_mask and segment_ids"
    )
    require(preprocessor is not None, rule, sorted(x))
    known = {*TEXT_NAMES, "negative" if reads == "triples" else "answer_mask"}
    rule = (
        "inputs must be texts, or a dict of text and text_pair, or of "
        "input_ids, input_mask and segment_ids"
    )
    require("text" in x and set(x) <= known, rule, sorted(x))
    for name in set(x) - {"answer_mask"}:
        is_text = x[name].dtype == tf.string
        require(is_text, f"{name} must hold texts", str(x[name].dtype))
    rule = "text (the question) must come with text_pair (the passage)"
    require(reads in ("texts", "words") or "text_pair" in x, rule, sorted(x))
    if not isinstance(x["text"], tf.RaggedTensor):
        return dict(x)
    rule = (
        "each text must be one str (pairs are a dict of text and text_pair; "
        "lists of words are for Tagger)"
    )
    require(reads == "words" and set(x) == {"text"}, rule, "lists of texts")
    packed, places = pack_words(
        preprocessor.tokenizer, x["text"], preprocessor.max_seq_length
    )
    truncated = tf.cast(packed.truncated, tf.int32)
    return {**packed.features(), "truncated": truncated, "word_places": places}


def ids(x: Mapping[str, Any], encoder: Encoder) -> dict[str, Any]:
    """Inputs that are ids, each in its table.

    Args:
      x: `input_ids`, `input_mask`, `segment_ids`, [B, L], and what stands
        beside them.
      encoder: the model's.
    """
    tables = encoder.embeddings
    rows = {
        "input_ids": tables.vocab_size,
        "input_mask": 2,
        "segment_ids": tables.type_vocab_size,
    }
    rule = "ids must come as input_ids, input_mask and segment_ids"
    require(set(rows) <= set(x), rule, sorted(x))
    found = dict(x)
    for name, count in rows.items():
        is_ragged = isinstance(x[name], tf.RaggedTensor)
        require(not is_ragged, f"the rows of {name} must be of one length", x)
        values = tf.convert_to_tensor(x[name])
        rule = f"{name} must be whole numbers between 0 and {count - 1}"
        found[name] = _whole_numbers(values, range(count), rule)
    shapes = [found[name].shape for name in rows]
    are_alike = all(map(shapes[0].is_compatible_with, shapes))
    rule = f"{', '.join(rows)} must be of one shape [B, L]"
    require(are_alike and shapes[0].rank in (2, None), rule, shapes)
    return found


def class_numbers(y: Any, labels: Sequence[str]) -> Any:
    """Names of labels as their numbers; numbers stay."""
    require(not isinstance(y, Mapping), "targets must be one column", "a dict")
    if y.dtype != tf.string:
        return y
    values = y.flat_values if isinstance(y, tf.RaggedTensor) else y
    unique, place = tf.unique(tf.reshape(values, [-1]))
    is_label = unique[:, tf.newaxis] == tf.constant(labels)
    rule = f"targets must be of the labels {reprlib.repr(tuple(labels))}"
    checked(tf.reduce_any(is_label, 1), rule, unique)
    number = tf.gather(tf.argmax(is_label, 1, tf.int32), place)
    if isinstance(y, tf.RaggedTensor):
        return y.with_flat_values(number)
    return tf.reshape(number, tf.shape(y))


def one_class(y: Any, num_classes: int) -> tf.Tensor:
    """Targets that are a class for each row, int [B] or [B, 1]: int32 [B]."""
    rule = (
        "targets must be one class a row, its number or its name (of one-hot "
        "rows the argmax; several classes a row are for multi_label)"
    )
    y = _one_column(y, rule)
    rule = f"targets must be whole numbers between 0 and {num_classes - 1}"
    return _whole_numbers(y, range(num_classes), rule)


def marks(y: Any, num_classes: int) -> tf.Tensor:
    """Targets of multi_label, a number for each class: float32 [B, C]."""
    rule = f"targets of multi_label must be rows of {num_classes} values 0 or 1"
    is_table = not isinstance(y, Mapping) and y.dtype != tf.string
    is_table = is_table and tuple(y.shape[1:]) == (num_classes,)
    require(is_table, rule, y.shape)
    y = tf.cast(y, tf.float32)
    return checked((y >= 0) & (y <= 1), rule, y)


def one_number(y: Any) -> tf.Tensor:
    """Targets that are a number for each row, [B] or [B, 1]: float32 [B]."""
    rule = "targets must be one number a row"
    require(not isinstance(y, Mapping) and y.dtype != tf.string, rule, "texts")
    y = tf.cast(_one_column(y, rule), tf.float32)
    return checked(tf.math.is_finite(y), "targets must be finite numbers", y)


def _one_column(y: Any, rule: str) -> tf.Tensor:
    """[B] or [B, 1] -> [B]."""
    is_one = not isinstance(y, tf.RaggedTensor) and tuple(y.shape[1:]) in (
        (),
        (1,),
    )
    require(is_one, rule, y.shape)
    return tf.reshape(y, [-1])


def tags(
    y: Any, places: tf.RaggedTensor | None, length: int | None, num_classes: int
) -> tf.Tensor:
    """Targets that are a class for each token: int32 [B, L].

    Args:
      y: int [B, L], or of words [B, (words)].
      places: of the words' first pieces, [B, (words)]; None: no words.
      length: L, where it is known.
      num_classes: C.
    """
    rule = (
        f"tags must be whole numbers between {IGNORED} (none) and "
        f"{num_classes - 1}, or names of labels"
    )
    numbers = range(IGNORED, num_classes)
    if places is not None:
        if not isinstance(y, tf.RaggedTensor):
            y = tf.RaggedTensor.from_tensor(y)
        values = _whole_numbers(y.flat_values, numbers, rule)
        return _at_words(y.with_flat_values(values), places, length)
    shape = y.shape
    is_row = len(shape) == 2 and not isinstance(y, tf.RaggedTensor)
    what = (
        f"tags must be a row of length {length} for each text, or one for each "
        "word where the texts are lists of words"
    )
    require(is_row and shape[1] in (None, length), what, shape)
    return _whole_numbers(tf.convert_to_tensor(y), numbers, rule)


def spans(y: Any, length: int) -> dict[str, tf.Tensor]:
    """Targets of `SpanQA`: `start`, `end`, `is_impossible`; int32 [B] each.

    Args:
      y: columns of these names.
      length: L at most.
    """
    names = {"start": length, "end": length, "is_impossible": 2}
    rule = f"targets must be a dict of {', '.join(names)}"
    found = sorted(y) if isinstance(y, Mapping) else type(y).__name__
    require(isinstance(y, Mapping) and set(names) <= set(y), rule, found)
    checked_y = dict(y)
    for name, count in names.items():
        values = _one_column(y[name], f"{name} must be one number a row")
        rule = f"{name} must be a whole number between 0 and {count - 1}"
        checked_y[name] = _whole_numbers(values, range(count), rule)
    is_ordered = checked_y["start"] <= checked_y["end"]
    rule = "start must not stand behind end"
    checked_y["start"] = checked(is_ordered, rule, checked_y["start"])
    return checked_y


def _at_words(
    y: tf.RaggedTensor, places: tf.RaggedTensor, length: int
) -> tf.Tensor:
    """[B, (words)] -> [B, L], at the first piece of each word that fits."""
    lengths = y.row_lengths()
    same = lengths == places.row_lengths()
    with tf.control_dependencies(
        [checked(same, "each word must have one tag", lengths)]
    ):
        values = tf.identity(y.values)
    fits = places.values < length - 1
    index = tf.stack([places.value_rowids(), places.values], axis=1)
    return tf.tensor_scatter_nd_update(
        tf.fill([places.nrows(), length], IGNORED),
        tf.boolean_mask(index, fits),
        tf.boolean_mask(values, fits),
    )


def _whole_numbers(values: tf.Tensor, among: range, rule: str) -> tf.Tensor:
    """As int32."""
    require(values.dtype != tf.string, rule, "texts")
    whole = tf.cast(values, tf.int64)
    holds = (whole >= among[0]) & (whole <= among[-1])
    holds &= tf.cast(whole, values.dtype) == values
    return tf.cast(checked(holds, rule, values), tf.int32)
