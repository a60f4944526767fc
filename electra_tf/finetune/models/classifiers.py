"""Classes or a number for texts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from electra_tf.data.columns import WHOLE, as_list, is_column
from electra_tf.errors import require
from electra_tf.finetune.models import mean_over_replicas, rules
from electra_tf.finetune.models.text_heads import (
    PAPER,
    OnClsVector,
)
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.modeling.encoder import Encoder

Thresholds: TypeAlias = float | Sequence[float] | Mapping[str, float]
_USUAL_THRESHOLD = 0.5


@keras.saving.register_keras_serializable("electra_tf")
class Classifier(OnClsVector):
    """One class for a text or a pair, or several: a head on the [CLS] vector.

    Args:
      encoder: the pre-trained encoder.
      labels: the classes' names, in the order of the logits.
      num_classes: C, where the classes have no names.
      dropout: rate before each Dense layer of the head.
      preprocessor: see `TaskModel`.
      multi_label: whether each class holds or not by itself.
      thresholds: with multi_label, the probability from which a class holds:
        one for all, one for each, or by name where it is not 0.5.
      head: "paper", one Dense layer; or "huggingface", that of
        `ElectraForSequenceClassification`, with a Dense layer and GELU more.

    Returns logits, float32 [B, C]. Targets are int [B], or the labels' names,
    or with `multi_label` float [B, C], 1 where a class holds, or lists of
    names; the default loss is the mean cross-entropy, then of each class's
    sigmoid.

    Example:
      model = Classifier.from_pretrained("tiny", labels=("bad", "good"))
      model.compile(create_optimizer(model, 100), metrics=["accuracy"])
      model.fit(texts, labels)

    Reference: ELECTRA, section 3.1 "linear classifiers on top".
    """

    head_kinds = ("classifier",)

    def __init__(
        self,
        encoder: Encoder,
        labels: Sequence[str] | None = None,
        num_classes: int | None = None,
        dropout: float = 0.1,
        preprocessor: TextPreprocessor | None = None,
        multi_label: bool = False,
        head: str = PAPER,
        thresholds: Thresholds | None = None,
        **kwargs,
    ):
        self.labels = label_names(labels, num_classes)
        self.multi_label = multi_label
        rule = "thresholds go with multi_label"
        require(multi_label or thresholds is None, rule, thresholds)
        self.thresholds = label_thresholds(thresholds, self.labels)
        num_classes = len(self.labels)
        super().__init__(
            encoder, dropout, preprocessor, num_classes, head, **kwargs
        )

    def call(self, inputs, training=False):
        return self.outputs(inputs, training)  # [B, C]

    def targets(self, y, x, places):
        if self.multi_label:
            y = marks_of(rules.class_numbers(y, self.labels), len(self.labels))
            return rules.marks(y, len(self.labels))
        y = rules.class_numbers(y, self.labels)
        return rules.one_class(y, len(self.labels)) if self.loss is None else y

    def holding(self, outputs: np.ndarray) -> np.ndarray:
        """Which classes hold, with multi_label: logits -> bool [B, C]."""
        return np.asarray(outputs) >= logits_of(self.thresholds)

    def default_loss(self, y, y_pred, sample_weight):
        if self.multi_label:
            loss = keras.losses.BinaryCrossentropy(
                from_logits=True, reduction="sum"
            )
        else:
            loss = keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="sum"
            )
        total = loss(y, y_pred, sample_weight)
        return mean_over_replicas(total, tf.shape(y_pred)[0])

    def get_config(self):
        return {
            **super().get_config(),
            "labels": list(self.labels),
            "multi_label": self.multi_label,
            "thresholds": list(self.thresholds) if self.multi_label else None,
        }


class OneNumber(OnClsVector):
    """A number for a row; `make_loss` is Keras' loss of rows of one."""

    head_kinds = ("regressor",)
    make_loss: Callable[..., keras.losses.Loss]

    def call(self, inputs, training=False):
        return tf.squeeze(self.outputs(inputs, training), -1)  # [B]

    def targets(self, y, x, places):
        return rules.one_number(y) if self.loss is None else y

    def default_loss(self, y, y_pred, sample_weight):
        # Rows of one number: Keras would take [B] for one row.
        y, y_pred = (tf.reshape(x, [-1, 1]) for x in (y, y_pred))
        total = self.make_loss(reduction="sum")(y, y_pred, sample_weight)
        return mean_over_replicas(total, tf.shape(y_pred)[0])


@keras.saving.register_keras_serializable("electra_tf")
class Regressor(OneNumber):
    """One number for a text or a pair: a head on the [CLS] vector.

    Args:
      encoder: the pre-trained encoder.
      dropout, preprocessor, head: see `Classifier`.

    Returns float32 [B]. Targets are float [B]; the default loss is the
    squared error.
    """

    make_loss = keras.losses.MeanSquaredError


def label_names(
    labels: Sequence[str] | None, num_classes: int | None
) -> tuple[str, ...]:
    """The classes' names; numbers where only their count is given.

    Raises:
      InputError: neither or contradicting arguments; a text or a set, which
        has no order; fewer than two labels, or one twice.
    """
    if labels is None:
        is_count = isinstance(num_classes, WHOLE)
        rule = "labels or num_classes must be given (a whole number)"
        require(is_count, rule, num_classes)
        labels = list(map(str, range(num_classes)))
    rule = "labels must be a list of names, in the order of the logits"
    require(is_column(labels), rule, type(labels).__name__)
    labels = tuple(as_list(labels))
    for label in labels:
        require(isinstance(label, str), "each label must be a str", label)
    rule = f"num_classes must be the number of labels ({len(labels)})"
    require(num_classes in (None, len(labels)), rule, num_classes)
    are_classes = 2 <= len(labels) == len(set(labels))
    require(are_classes, "labels must be two or more, all different", labels)
    return labels


def marks_of(y: Any, num_classes: int) -> Any:
    """Lists of classes, int [B, (n)], as float [B, C]; others as they are."""
    if not isinstance(y, tf.RaggedTensor):
        return y
    one_hot = tf.one_hot(y.values, num_classes)  # [n, C]
    counts = tf.math.unsorted_segment_sum(one_hot, y.value_rowids(), y.nrows())
    return tf.minimum(counts, 1.0)


def label_thresholds(
    given: Thresholds | None, labels: Sequence[str]
) -> tuple[float, ...]:
    """The probability from which each label holds.

    Args:
      given: see `Classifier`; None: 0.5.
      labels: their names.

    Raises:
      InputError: one does not lie between 0 and 1, there is not one a label,
        or a name is none of the labels.
    """
    if given is None:
        given = _USUAL_THRESHOLD
    if isinstance(given, Mapping):
        for name in given:
            rule = f"thresholds must be of the labels {', '.join(labels)}"
            require(name in labels, rule, name)
        given = [given.get(name, _USUAL_THRESHOLD) for name in labels]
    are_many = is_column(given)
    values: list[Any] = as_list(given) if are_many else [given] * len(labels)
    rule = f"thresholds must be one, or one a label ({len(labels)})"
    require(len(values) == len(labels), rule, given)
    for value in values:
        is_number = isinstance(value, (*WHOLE, float))
        rule = "a threshold must lie between 0 and 1, and be neither"
        require(is_number and 0 < value < 1, rule, value)
    return tuple(map(float, values))


def logits_of(probabilities: Sequence[float]) -> np.ndarray:
    """Sigmoid's other way round: float32 [C]."""
    p = np.array(probabilities, np.float64)
    return np.log(p / (1 - p)).astype(np.float32)
