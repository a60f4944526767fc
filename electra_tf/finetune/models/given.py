"""What `fit`, `evaluate` and `predict` are given, as a model takes it."""

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from electra_tf.data.columns import WHOLE, check_rows, columns
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.embedding import Embedder
from electra_tf.errors import require
from electra_tf.finetune.models import rules
from electra_tf.finetune.models.adapters import AdaptedModel
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.modeling.encoder import Encoder

Inputs: TypeAlias = tf.Tensor | Mapping[str, tf.Tensor]


class ColumnModel(AdaptedModel, Embedder):
    """Takes columns of Python, and batches of a `tf.data.Dataset`.

    Attributes:
      encoder, preprocessor: of `TaskModel`.
      reads: which texts: "texts" or pairs, "words" or texts, "pairs", or
        "triples" or pairs.
    """

    encoder: Encoder
    preprocessor: TextPreprocessor | None
    reads = "texts"

    def fit(
        self,
        x=None,
        y=None,
        *args,
        validation_data=None,
        sample_weight=None,
        **kwargs,
    ):
        if isinstance(validation_data, (tuple, list)):
            rule = "validation_data must be (x, y) or (x, y, sample_weight)"
            require(len(validation_data) in (2, 3), rule, len(validation_data))
            held_out = self._ready(*validation_data)
            validation_data = tuple(h for h in held_out if h is not None)
        elif validation_data is not None:
            validation_data, *_ = self._ready(validation_data)
        x, y, weight = self._ready(x, y, sample_weight)
        kwargs |= {"validation_data": validation_data, "sample_weight": weight}
        if (by_class := kwargs.get("class_weight")) is not None:
            labels = getattr(self, "labels", ())
            kwargs["class_weight"] = _class_numbers(by_class, labels)
        with rules.naming_broken_rules():
            return super().fit(x, y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, sample_weight=None, **kwargs):
        x, y, weight = self._ready(x, y, sample_weight)
        kwargs["sample_weight"] = weight
        with rules.naming_broken_rules():
            return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        x, *_ = self._ready(x)
        with rules.naming_broken_rules():
            return super().predict(x, *args, **kwargs)

    def export(
        self,
        filepath,
        format="tf_saved_model",
        verbose=None,
        input_signature=None,
        **arguments,
    ):
        """As `Embedder.export`; with an `input_signature` Keras' own export.

        Keras would not know what ids are called, and it has no texts.
        """
        if input_signature is not None:
            arguments |= {
                "verbose": verbose,
                "input_signature": input_signature,
            }
            return super().export(filepath, format, **arguments)
        return Embedder.export(self, filepath, format, **arguments)

    def _ready(self, x, y=None, sample_weight=None) -> tuple[Any, Any, Any]:
        """Columns, or batches of them, as Keras and the model take them."""
        if isinstance(x, tf.data.Dataset):
            # Converted code tells of its errors in many lines.
            take = tf.autograph.experimental.do_not_convert(self._batch)
            return x.map(take), y, sample_weight
        if x is None or _are_batches(x):
            return x, y, sample_weight
        # Without targets Keras would leave weights out, and say nothing.
        is_known = y is not None or sample_weight is None
        require(is_known, "sample_weight goes with targets", "none")
        whole = {"x": x, "y": y, "sample_weight": sample_weight}
        whole = {
            name: None if part is None else columns(name, part)
            for name, part in whole.items()
        }
        check_rows(**whole)
        x, y = self._taken(whole["x"], whole["y"])
        if y is not None:  # class weights want arrays
            y = tf.nest.map_structure(np.asarray, y)
        return x, y, whole["sample_weight"]

    def _batch(self, x, y=None, *weight):
        x, y = self._taken(x, y)
        return x if y is None else (x, y, *weight)

    def _taken(self, x, y) -> tuple[Any, Any]:
        """Texts, or ids, and targets; for several replicas, ids.

        Before it distributes, Keras averages a batch, and strings have no
        mean.
        """
        x = x if isinstance(x, Mapping) else {"text": x}
        if "input_ids" in x:
            x = self._checked_ids(x)
        else:
            x = rules.texts(x, self.preprocessor, type(self).reads)
        places = x.pop("word_places", None)
        if y is not None:
            y = self.targets(y, x, places)
        if set(x) == {"text"}:
            [x] = x.values()
        replicas = self.distribute_strategy.num_replicas_in_sync
        return (x if replicas == 1 else self._ids(x)), y

    def _checked_ids(self, x: Inputs) -> dict[str, tf.Tensor]:
        return rules.ids(x, self.encoder)

    def _ids(self, x: Inputs) -> Inputs:
        is_ids = isinstance(x, Mapping) and "input_ids" in x
        return x if is_ids else self.preprocessor(x)

    def _reads(self) -> tuple[Encoder, Tokenizer, int]:
        rule = "embed needs a model with a preprocessor"
        texts = self.preprocessor
        require(texts is not None, rule, texts)
        return self.encoder, texts.tokenizer, texts.max_seq_length

    def row_length(self, x: Inputs) -> int:
        """L of the rows that inputs are or become; at most, of batches."""
        if isinstance(x, Mapping) and "input_ids" in x:
            length = x["input_ids"].shape[1]
            return length or self.encoder.embeddings.max_position_embeddings
        return self.preprocessor.max_seq_length

    def targets(self, y: Any, x: Inputs, places: tf.RaggedTensor | None) -> Any:
        """Targets as the loss takes them.

        Args:
          y: columns, or a batch of them.
          x: the inputs; ids where they were lists of words.
          places: of the words' first pieces, [B, (words)].

        Raises:
          InputError: they are none that the task can learn.
        """
        return y


def _class_numbers(
    weights: Mapping[Any, float], labels: Sequence[str]
) -> dict[int, float]:
    """Weights by class, its number or its name, by number.

    Keras takes a class that it does not know for one that is not there.
    """
    found: dict[int, float] = {}
    for key, weight in weights.items():
        number = labels.index(key) if key in labels else key
        is_class = isinstance(number, WHOLE) and 0 <= number < len(labels)
        rule = f"class_weight must be by labels {reprlib.repr(tuple(labels))}"
        require(bool(is_class), rule, key)
        found[int(number)] = weight
    return found


def _are_batches(x: Any) -> bool:
    """Whether Keras takes batches of it, which nobody here looks into."""
    kinds = (Iterator, keras.utils.PyDataset, tf.distribute.DistributedDataset)
    return isinstance(x, kinds)
