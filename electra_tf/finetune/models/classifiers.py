"""Classes or a number for texts, and classes for tokens."""

import functools
from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

from electra_tf.data.columns import WHOLE, as_list, is_column
from electra_tf.errors import require
from electra_tf.finetune.models import TaskModel, mean_over_replicas, rules
from electra_tf.finetune.models.text_heads import (
    HUGGINGFACE,
    PAPER,
    OnClsVector,
    check_style,
)
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.layers import Dropout


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
      head: "paper", one Dense layer; or "huggingface", that of
        `ElectraForSequenceClassification`, with a Dense layer and GELU more.

    Returns logits, float32 [B, C]. Targets are int [B], or the labels' names,
    or with `multi_label` float [B, C], 1 where a class holds; the default loss
    is the mean cross-entropy, then of each class's sigmoid.

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
        **kwargs,
    ):
        self.labels = label_names(labels, num_classes)
        self.multi_label = multi_label
        num_classes = len(self.labels)
        super().__init__(
            encoder, dropout, preprocessor, num_classes, head, **kwargs
        )

    def call(self, inputs, training=False):
        return self.outputs(inputs, training)  # [B, C]

    def targets(self, y, x, places):
        if self.multi_label:
            return rules.marks(y, len(self.labels))
        y = rules.class_numbers(y, self.labels)
        return rules.one_class(y, len(self.labels)) if self.loss is None else y

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
        }


class _OneNumber(OnClsVector):
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
class Regressor(_OneNumber):
    """One number for a text or a pair: a head on the [CLS] vector.

    Args:
      encoder: the pre-trained encoder.
      dropout, preprocessor, head: see `Classifier`.

    Returns float32 [B]. Targets are float [B]; the default loss is the
    squared error.
    """

    make_loss = keras.losses.MeanSquaredError


@keras.saving.register_keras_serializable("electra_tf")
class Ranker(_OneNumber):
    """How well a passage fits a query: a head on the pair's [CLS] vector.

    Args:
      encoder: the pre-trained encoder.
      dropout, preprocessor, head: see `Classifier`.

    Of strings, `text` is the query and `text_pair` the passage. Returns
    logits, float32 [B]; the higher, the better. Targets are float [B], 1
    where the passage fits; the default loss is the cross-entropy of the
    sigmoid.

    Example:
      model = Ranker.from_pretrained("tiny")
      scores = model.predict({"text": queries, "text_pair": passages})

    Reference: Nogueira and Cho 2019, "Passage Re-ranking with BERT".
    """

    reads = "pairs"
    make_loss = functools.partial(
        keras.losses.BinaryCrossentropy, from_logits=True
    )

    def call(self, inputs, training=False):
        given = set(inputs) if isinstance(inputs, Mapping) else {"text"}
        rule = "a Ranker must be given text (the query) and text_pair"
        require(bool({"text_pair", "input_ids"} & given), rule, sorted(given))
        return super().call(inputs, training)  # [B]


@keras.saving.register_keras_serializable("electra_tf")
class Tagger(TaskModel):
    """One class for each token: Dense on every state.

    Args:
      encoder: the pre-trained encoder.
      labels: the classes' names, in the order of the logits.
      num_classes: C, where the classes have no names.
      preprocessor: see `TaskModel`.
      dropout: rate before the Dense layer; of head="huggingface" alone.
      head: "paper", which does not drop; or "huggingface", that of
        `ElectraForTokenClassification`, which does.

    Returns logits, float32 [B, L, C]. Texts may be lists of words; targets
    then are a tag for each word, by name or number, learned at its first
    piece. Else they are int [B, L], -1 where there is nothing to learn. The
    default loss is the mean cross-entropy of the other places.
    """

    reads = "words"
    has_dropout = True
    head_kinds = ("tagger",)

    def __init__(
        self,
        encoder: Encoder,
        labels: Sequence[str] | None = None,
        num_classes: int | None = None,
        preprocessor: TextPreprocessor | None = None,
        dropout: float = 0.1,
        head: str = PAPER,
        **kwargs,
    ):
        self.labels = label_names(labels, num_classes)
        super().__init__(encoder, preprocessor, **kwargs)
        self.head_style = check_style(head)
        self.dropout = Dropout(dropout, name="task_dropout")
        self.dropout.build((None, None, encoder.hidden_size))
        self.head = keras.layers.Dense(len(self.labels), name="task_head")
        self.head.build((None, None, encoder.hidden_size))
        self.built = True

    def call(self, inputs, training=False):
        states = self.states(self.features(inputs), training)  # [B, L, H]
        if self.head_style == HUGGINGFACE:
            states = self.dropout(states, training=training)
        return tf.cast(self.head(states), tf.float32)  # [B, L, C]

    def targets(self, y, x, places):
        y = rules.class_numbers(y, self.labels)
        return rules.tags(y, places, self.row_length(x), len(self.labels))

    def default_loss(self, y, y_pred, sample_weight):
        loss = keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, ignore_class=rules.IGNORED, reduction="sum"
        )
        total = loss(y, y_pred, sample_weight)
        return mean_over_replicas(
            total, tf.math.count_nonzero(y != rules.IGNORED)
        )

    def get_config(self):
        return {
            **super().get_config(),
            "labels": list(self.labels),
            "dropout": self.dropout.rate,
            "head": self.head_style,
        }


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
