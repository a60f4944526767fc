"""What every fine-tuned model is: preprocessor, encoder, a head."""

import abc
import os
import sys
from collections.abc import Mapping
from typing import Any, Self

import keras
import tensorflow as tf

from electra_tf.errors import require
from electra_tf.finetune.encoder import finetuning_encoder
from electra_tf.finetune.models import rules
from electra_tf.finetune.models.given import ColumnModel, Inputs
from electra_tf.finetune.models.presets import PresetModel
from electra_tf.finetune.models.stored_heads import stored_arguments
from electra_tf.finetune.preprocessor import TEXT_NAMES, TextPreprocessor
from electra_tf.modeling.encoder import Encoder
from electra_tf.pretrained import pretrained_of
from electra_tf.pretraining.losses import sum_over_replicas
from electra_tf.weights import open_weights
from electra_tf.weights.assigning import assign_weights
from electra_tf.weights.record import OpenedWeights


class TaskModel(ColumnModel, PresetModel, abc.ABC):
    """An encoder and a task's head, trained by ordinary `fit`.

    `compile(optimizer)` alone picks the task's own loss; a loss given to
    `compile` wins.

    Args:
      encoder: ids, mask, segments [B, L] -> [B, L, H].
      preprocessor: lets the model take strings; None: ids only.

    Call arguments:
      inputs: a dict of `input_ids`, `input_mask`, `segment_ids`, int [B, L];
        or strings [B]; or a dict of `text` and `text_pair`, strings [B].
        `fit`, `evaluate` and `predict` take lists, arrays and Series of texts
        as well, and DataFrames with columns of these names.
      training: whether to drop.

    Attributes:
      encoder, preprocessor: as given.
      truncated: how many texts the preprocessor has cut since the model was
        made or loaded; the first is announced on standard error.
      has_dropout: whether the head drops, too, at a rate `dropout`.
      head_kinds: kinds of `weights.Head` that its head may be.
    """

    has_dropout = False
    head_kinds: tuple[str, ...] = ()

    def __init__(
        self,
        encoder: Encoder,
        preprocessor: TextPreprocessor | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        # Built at once, so that paths do not depend on who calls first.
        if not encoder.built:
            encoder.build()
        self.encoder = encoder
        self._set_preprocessor(preprocessor)
        # Not a metric: `loss, accuracy = evaluate(...)` shall go on working.
        self._truncated = tf.Variable(
            0,
            trainable=False,
            dtype=tf.int64,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.SUM,
        )
        if preprocessor is not None:
            _check_length(preprocessor.max_seq_length, encoder)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | os.PathLike,
        *,
        max_seq_length: int = 128,
        dropout: float = 0.1,
        load_weights: bool = True,
        **head: Any,
    ) -> Self:
        """A model on a pre-trained encoder.

        Its head is fresh; or that of the weights, with their labels, where
        they hold one of this kind and nothing else is asked for.

        Args:
          name_or_path: whatever `electra_tf.from_pretrained` takes.
          max_seq_length: L that texts are padded or cut to.
          dropout: rate in the encoder and before the head, whatever the rate
            in pre-training was (ELECTRA, Table 7).
          load_weights: False keeps sizes and vocabulary, but starts from
            fresh weights.
          **head: the class's own arguments.

        Raises:
          InputError: no such model, or a length beyond its position table.
        """
        return cls.from_weights(
            open_weights(name_or_path),
            max_seq_length=max_seq_length,
            dropout=dropout,
            load_weights=load_weights,
            **head,
        )

    @classmethod
    def from_weights(
        cls,
        weights: OpenedWeights,
        *,
        max_seq_length: int = 128,
        dropout: float = 0.1,
        load_weights: bool = True,
        **head: Any,
    ) -> Self:
        """As `from_pretrained`, of weights that are open."""
        pretrained = pretrained_of(weights)
        encoder = finetuning_encoder(pretrained, dropout, load_weights)
        _check_length(max_seq_length, encoder)
        preprocessor = TextPreprocessor(pretrained.tokenizer, max_seq_length)
        stored = stored_arguments(cls.head_kinds, weights, head)
        if cls.has_dropout:
            head["dropout"] = dropout
        arguments = {**head, **(stored or {})}
        model = cls(encoder, preprocessor=preprocessor, **arguments)
        if weights.head is not None and stored is not None and load_weights:
            variables = model.head.trainable_variables
            assign_weights(variables, weights.head.arrays, weights.source)
        return model

    @property
    def truncated(self) -> int:
        return int(self._truncated.read_value())

    def remove_preprocessor(self) -> TextPreprocessor:
        """Takes the preprocessor out; the model then takes ids alone."""
        preprocessor = self.preprocessor
        rule = "remove_preprocessor needs a model with a preprocessor"
        require(preprocessor is not None, rule, preprocessor)
        self._set_preprocessor(None)
        return preprocessor

    def _set_preprocessor(self, preprocessor: TextPreprocessor | None) -> None:
        # Past Keras' tracking, which never forgets a layer: it has no weights.
        self.__dict__["preprocessor"] = preprocessor
        self.supports_jit = preprocessor is None

    def features(self, inputs: Inputs) -> dict[str, tf.Tensor]:
        """Ids as given, or made of strings; other inputs stay beside them.

        A `truncated` among them, as the preprocessor gives, is counted.
        """
        if not isinstance(inputs, Mapping):
            inputs = {"text": inputs}
        features = dict(inputs)
        if "input_ids" not in inputs:
            rule = (
                "without preprocessor the inputs must be a dict of input_ids, "
                "input_mask and segment_ids"
            )
            require(self.preprocessor is not None, rule, sorted(inputs))
            texts = {n: x for n, x in inputs.items() if n in TEXT_NAMES}
            features |= self.preprocessor(texts)
        elif tf.executing_eagerly():
            features = rules.ids(features, self.encoder)
        if "truncated" in features:
            length = tf.shape(features["input_ids"])[1]
            self._count(features.pop("truncated"), length)
        return features

    def _count(self, truncated: tf.Tensor, length: tf.Tensor) -> None:
        """Adds to `truncated`; says so the first time."""
        if tf.distribute.in_cross_replica_context():
            return  # a call outside of fit, evaluate and predict
        before = self._truncated.read_value()
        cut = tf.math.count_nonzero(truncated)
        self._truncated.assign_add(cut)
        tf.cond(
            (before == 0) & (cut > 0),
            lambda: tf.print(
                "note: texts are cut to max_seq_length =",
                length,
                "tokens; model.truncated counts them",
                output_stream=sys.stderr,
            ),
            tf.no_op,
        )

    def states(
        self, features: Mapping[str, tf.Tensor], training: bool
    ) -> tf.Tensor:
        """The encoder's last layer: float [B, L, H]."""
        names = ("input_ids", "input_mask", "segment_ids")
        ids = (tf.cast(features[name], tf.int32) for name in names)
        return self.encoder(*ids, training=training)

    @abc.abstractmethod
    def default_loss(self, y, y_pred, sample_weight) -> tf.Tensor:
        """The task's own loss, a scalar; see `mean_over_replicas`."""

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        if self.loss is None:
            return self.default_loss(y, y_pred, sample_weight)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        parts = {"encoder": self.encoder, "preprocessor": self.preprocessor}
        return {
            **super().get_config(),
            **{name: serialize(part) for name, part in parts.items()},
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        if "labels" in config:  # before there was a check, numbers were taken
            config["labels"] = list(map(str, config["labels"]))
        deserialize = keras.saving.deserialize_keras_object
        parts = {n: config.pop(n) for n in ("encoder", "preprocessor")}
        return cls(**{n: deserialize(p) for n, p in parts.items()}, **config)


def mean_over_replicas(total: tf.Tensor, count: Any) -> tf.Tensor:
    """A replica's part of a batch's mean loss; Keras sums the parts.

    A mean of each replica's mean would weigh replicas with few labels, or
    with fewer rows of a last batch, too much.

    Args:
      total: the replica's losses, summed.
      count: how many they are.
    """
    count = sum_over_replicas(tf.cast(count, total.dtype))
    return total / tf.maximum(count, 1)


def _check_length(max_seq_length: int, encoder: Encoder) -> None:
    rows = encoder.embeddings.max_position_embeddings
    rule = (
        "max_seq_length must not exceed the model's max_position_embeddings "
        f"({rows})"
    )
    require(max_seq_length <= rows, rule, max_seq_length)
