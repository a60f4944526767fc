"""A model, or its SavedModel, asked row by row through its signatures."""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401, registers its ops

from electra_tf.errors import InputError, require
from electra_tf.finetune import load_model
from electra_tf.finetune.models import TaskModel
from electra_tf.pretrained import pretrained_of
from electra_tf.serving.export import finetuned_class, module_of
from electra_tf.serving.pretrained import PretrainedModule
from electra_tf.serving.row_cells import KINDS, Texts, plain
from electra_tf.serving.saved_model import latest_version
from electra_tf.weights import open_weights

Signatures: TypeAlias = Mapping[str, Callable[..., Mapping[str, tf.Tensor]]]
KERAS = ".keras"
WHATS = ("detect", "embed")
_INPUTS = {
    "rank": ("query", "passages"),
    "answer": ("question", "context"),
}


@dataclasses.dataclass(frozen=True)
class Opened:
    """A model's signatures.

    Attributes:
      signatures: name -> function.
      module: whose they are; they do not keep it alive.
    """

    signatures: Signatures
    module: tf.Module


def open_signatures(path: str, what: str) -> Opened:
    """The signatures of a SavedModel, or of a model as it would be exported.

    Args:
      path: a SavedModel, or a base path of versions; a fine-tuned model's
        `.keras` file; or what `from_pretrained` takes.
      what: "detect" or "embed": of a fine-tuned model its encoder; else "".

    Raises:
      InputError: it is none of these.
    """
    saved = latest_version(path)
    if saved:
        try:
            loaded = tf.saved_model.load(saved)
        except (OSError, ValueError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"cannot load {saved!r}: {reason}") from error
        return Opened(loaded.signatures, loaded)
    if path.endswith(KERAS) and not what:
        return _of_finetuned(load_model(path, compile=False))
    weights = open_weights(path)
    if weights.head is not None and not what:
        rows = weights.config.model.max_position_embeddings
        kind = finetuned_class(weights.head.kind)
        return _of_finetuned(kind.from_weights(weights, max_seq_length=rows))
    model = pretrained_of(weights)
    with tempfile.TemporaryDirectory() as folder:
        vocab_file = model.tokenizer.save_pieces(folder)
        module = PretrainedModule(model, vocab_file)
    return Opened(module.signatures(), module)


def _of_finetuned(model: TaskModel) -> Opened:
    make: Callable[..., Any] = module_of(model)
    preprocessor = model.preprocessor
    rule = "the model must have its preprocessor"
    require(preprocessor is not None, rule, preprocessor)
    with tempfile.TemporaryDirectory() as folder:
        vocab_file = preprocessor.tokenizer.save_pieces(folder)
        module = make(model, preprocessor, vocab_file)
    return Opened(module.signatures(), module)


def choose(signatures: Signatures, what: str, num_columns: int) -> str:
    """The signature to ask.

    Args:
      signatures: of the model.
      what: "detect", "embed", or "" for what a fine-tuned model was made for.
      num_columns: of the texts that were asked for; 0: not said.

    Raises:
      InputError: the model has none of that name, or reads another number.
    """
    asked = [name for name in KINDS if name in signatures]
    if what:
        rule = f"what must be one that the model has: {', '.join(asked)}"
        require(what in asked, rule, what)
        asked = [what]
    found = [name for name in asked if what or name not in WHATS]
    rule = f"what must be given for a pre-trained model: {', '.join(WHATS)}"
    require(bool(found), rule, what)
    fitting = [n for n in found if num_columns in (0, len(KINDS[n].reads))]
    counts = sorted({len(KINDS[name].reads) for name in found})
    rule = f"{found[0]} reads {' or '.join(map(str, counts))} columns"
    require(bool(fitting), rule, num_columns)
    return fitting[0]


def answers(
    signatures: Signatures,
    name: str,
    rows: Sequence[Texts],
    batch_size: int,
) -> Iterator[tuple[int, list[str]]]:
    """(place of a row, its cells), in batches of rows of about one length.

    Args:
      signatures: of the model.
      name: of the one that is asked.
      rows: the texts, in the order of its inputs.
      batch_size: rows at once.
    """
    kind, ask = KINDS[name], signatures[name]
    inputs = _INPUTS.get(name, kind.reads)
    lengths = [sum(len(text.encode()) for text in row) for row in rows]
    order = np.argsort(lengths, kind="stable").tolist()
    for first in range(0, len(order), batch_size):
        places = order[first : first + batch_size]
        some = [rows[place] for place in places]
        columns = zip(inputs, zip(*some, strict=True), strict=True)
        tensors = {n: tf.constant(column) for n, column in columns}
        if name == "rank":  # each with one passage
            tensors["passages"] = tensors["passages"][:, tf.newaxis]
        said = {n: plain(x) for n, x in ask(**tensors).items()}
        for row, place in enumerate(places):
            of_row = {n: column[row] for n, column in said.items()}
            yield place, kind.cells(some[row], of_row)
