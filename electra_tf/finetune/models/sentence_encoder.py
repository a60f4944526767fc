"""Texts to vectors whose cosines say how near their meanings are."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from electra_tf.embedding import check_pooling, pooled
from electra_tf.errors import require
from electra_tf.finetune.models import mean_over_replicas, rules
from electra_tf.finetune.models.two_sided import TwoSided
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.modeling.encoder import Encoder


@keras.saving.register_keras_serializable("electra_tf")
class SentenceEncoder(TwoSided):
    """A vector a text: the encoder's states, pooled.

    Args:
      encoder: the pre-trained encoder.
      pooling: "mean" of the states, or "cls", that of [CLS].
      normalize: whether vectors are made 1 long.
      temperature: what cosines are divided by in the contrastive loss.
      preprocessor: see `TaskModel`.

    Returns float32 [B, H]; of pairs (`text` and `text_pair`), [B, 2, H].

    It learns from pairs, and the default loss follows from what is given.
    Without targets it is the contrastive one: each text must find its own
    partner among those of its batch (on several replicas, of its replica's
    part), so that a batch should hold no partner twice. With targets, float
    [B] between -1 and 1, it is the squared error of the cosine.

    Example:
      model = SentenceEncoder.from_pretrained("tiny")
      model.compile(create_optimizer(model, 100))
      model.fit({"text": questions, "text_pair": answers})
      vectors = model.embed(texts)

    Reference: Reimers and Gurevych 2019, "Sentence-BERT" (cosine); Gao et al.
    2021, "SimCSE", equation 1 (contrastive).
    """

    def __init__(
        self,
        encoder: Encoder,
        pooling: str = "mean",
        normalize: bool = True,
        temperature: float = 0.05,
        preprocessor: TextPreprocessor | None = None,
        **kwargs,
    ):
        super().__init__(encoder, preprocessor, **kwargs)
        self.pooling = check_pooling(pooling)
        self.normalize = normalize
        is_positive = isinstance(temperature, (int, float)) and temperature > 0
        require(is_positive, "temperature must be above 0", temperature)
        self.temperature = temperature
        self.built = True

    def call(self, inputs, training=False):
        vectors = [
            pooled(states, row["input_mask"], self.pooling, self.normalize)
            for row, states in self.sides(inputs, training)
        ]  # [B, H] each
        return vectors[0] if len(vectors) == 1 else tf.stack(vectors, axis=1)

    def text_sides(self, texts):
        return [{"text": column} for _, column in sorted(texts.items())]

    def embed(
        self,
        texts: Sequence[str],
        pooling: str | None = None,
        normalize: bool | None = None,
        batch_size: int = 32,
    ) -> np.ndarray:
        """As `Embedder.embed`; None: the model's own pooling."""
        pooling = self.pooling if pooling is None else pooling
        normalize = self.normalize if normalize is None else normalize
        return super().embed(texts, pooling, normalize, batch_size)

    def targets(self, y, x, places):
        if self.loss is not None:
            return y
        y = rules.one_number(y)
        rule = "targets must be cosines, between -1 and 1"
        return rules.checked((y >= -1) & (y <= 1), rule, y)

    def default_loss(self, y, y_pred, sample_weight):
        rule = "a SentenceEncoder must learn from pairs: text and text_pair"
        require(y_pred.shape.rank == 3, rule, "texts alone")
        first, second = tf.unstack(tf.math.l2_normalize(y_pred, -1), axis=1)
        if y is None:
            losses = contrastive_losses(first, second, self.temperature)
        else:
            cosines = tf.reduce_sum(first * second, -1)  # [B]
            losses = (cosines - tf.reshape(tf.cast(y, tf.float32), [-1])) ** 2
        if sample_weight is not None:
            losses *= tf.reshape(tf.cast(sample_weight, losses.dtype), [-1])
        return mean_over_replicas(tf.reduce_sum(losses), tf.size(losses))

    def get_config(self):
        return {
            **super().get_config(),
            "pooling": self.pooling,
            "normalize": self.normalize,
            "temperature": self.temperature,
        }


def contrastive_losses(
    first: tf.Tensor, second: tf.Tensor, temperature: float
) -> tf.Tensor:
    """-log softmax(cos(a_i, b_j) / t) at j = i: float32 [B].

    Args:
      first, second: vectors 1 long, [B, H]; row i of both is a pair.
      temperature: t.

    Reference: Gao et al. 2021, "SimCSE", equation 1.
    """
    cosines = tf.matmul(first, second, transpose_b=True) / temperature
    return tf.nn.sparse_softmax_cross_entropy_with_logits(
        tf.range(tf.shape(cosines)[0]), cosines
    )
