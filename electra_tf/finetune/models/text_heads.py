"""The two heads on [CLS] vectors that `head` names; both give C numbers.

paper: one Dense layer, as in the authors' code. huggingface: two of them, as
in `ElectraForSequenceClassification`.
"""

import keras
import tensorflow as tf

from electra_tf.config.finetuning import HEAD_STYLES
from electra_tf.errors import require
from electra_tf.finetune.models import TaskModel
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.layers import BaseLayer, Dropout, gelu

PAPER, HUGGINGFACE = HEAD_STYLES


def check_style(head: str) -> str:
    """`head` as it is, one of `HEAD_STYLES`."""
    require(
        head in HEAD_STYLES,
        f"head must be one of {', '.join(HEAD_STYLES)}",
        head,
    )
    return head


@keras.saving.register_keras_serializable("electra_tf")
class HuggingFaceHead(BaseLayer):
    """Dense(H), GELU, dropout, Dense(C): float [B, H] -> [B, C].

    Args:
      num_outputs: C.
      dropout: rate between the two; the model drops before the first.
      initializer_range: deviation of both kernels' start.

    Reference: Hugging Face, `ElectraClassificationHead`.
    """

    def __init__(
        self,
        num_outputs: int,
        dropout: float = 0.1,
        initializer_range: float = 0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_outputs = num_outputs
        self.dropout = dropout
        self.initializer_range = initializer_range
        self.hidden_dropout = self.make_dropout(dropout)
        self.out_proj = self.make_dense(num_outputs, name="out_proj")

    def build(self, states_shape):
        width = states_shape[-1]
        self.dense = self.make_dense(width)
        self.dense.build((None, width))
        self.hidden_dropout.build((None, width))
        self.out_proj.build((None, width))

    def call(self, states, training=False):
        hidden = gelu(self.dense(states))  # [B, H]
        hidden = self.hidden_dropout(hidden, training=training)
        return self.out_proj(hidden)  # [B, C]


class OnClsVector(TaskModel):
    """Dropout and a head on the [CLS] vector."""

    has_dropout = True

    def __init__(
        self,
        encoder: Encoder,
        dropout: float = 0.1,
        preprocessor: TextPreprocessor | None = None,
        num_outputs: int = 1,
        head: str = PAPER,
        **kwargs,
    ):
        super().__init__(encoder, preprocessor, **kwargs)
        self.dropout = Dropout(dropout, name="task_dropout")
        self.dropout.build((None, encoder.hidden_size))
        self.head_style = check_style(head)
        self.head = self._make_head(num_outputs)
        self.head.build((None, encoder.hidden_size))
        self.built = True

    def _make_head(self, num_outputs: int) -> keras.layers.Layer:
        name = "task_head"
        if self.head_style == PAPER:
            # Glorot, as in the authors' code.
            return keras.layers.Dense(num_outputs, name=name)
        start = self.encoder.sizes["initializer_range"]
        return HuggingFaceHead(num_outputs, self.dropout.rate, start, name=name)

    def outputs(self, inputs, training):
        states = self.states(self.features(inputs), training)  # [B, L, H]
        return self.scored(states, training)

    def scored(self, states, training):
        """The head's outputs of an encoder's states: float32 [B, C]."""
        cls = self.dropout(states[:, 0], training=training)  # [B, H]
        # Keras hands `training` on to a head that drops.
        return tf.cast(self.head(cls), tf.float32)  # [B, C]

    def get_config(self):
        return {
            **super().get_config(),
            "dropout": self.dropout.rate,
            "head": self.head_style,
        }
