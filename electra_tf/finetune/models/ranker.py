"""How well passages fit a query."""

import functools
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from electra_tf.data.columns import one_text, text_tensor
from electra_tf.errors import require
from electra_tf.finetune.models import mean_over_replicas, rules
from electra_tf.finetune.models.classifiers import OneNumber
from electra_tf.finetune.models.two_sided import TwoSided

_NEGATIVE = "negative"


@keras.saving.register_keras_serializable("electra_tf")
class Ranker(TwoSided, OneNumber):
    """How well a passage fits a query: a head on the pair's [CLS] vector.

    Args:
      encoder: the pre-trained encoder.
      dropout, preprocessor, head: see `Classifier`.

    Of strings, `text` is the query and `text_pair` the passage. Returns
    logits, float32 [B]; the higher, the better. The default loss follows from
    what is given. With targets, float [B] between 0 and 1, 1 where the
    passage fits, it is the cross-entropy of the sigmoid. With a third column
    `negative`, a passage that fits less, and no targets it is that of the
    pair, log(1 + exp(s_negative - s_passage)); the outputs then are the scores
    of both, [B, 2].

    Example:
      model = Ranker.from_pretrained("tiny")
      scores = model.rank("who wrote it?", passages)

    Reference: Nogueira and Cho 2019, "Passage Re-ranking with BERT"; of pairs
    Burges et al. 2005, "Learning to Rank using Gradient Descent" (RankNet).
    """

    reads = "triples"
    make_loss = functools.partial(
        keras.losses.BinaryCrossentropy, from_logits=True
    )

    def call(self, inputs, training=False):
        given = set(inputs) if isinstance(inputs, Mapping) else {"text"}
        rule = "a Ranker must be given text (the query) and text_pair"
        require(bool({"text_pair", "input_ids"} & given), rule, sorted(given))
        scores = [
            self.scored(states, training)[:, 0]
            for _, states in self.sides(inputs, training)
        ]
        return (
            scores[0] if len(scores) == 1 else tf.stack(scores, 1)
        )  # [B(, 2)]

    def text_sides(self, texts):
        query, passage = texts["text"], texts["text_pair"]
        passages = [passage, *(texts[n] for n in (_NEGATIVE,) if n in texts)]
        return [{"text": query, "text_pair": each} for each in passages]

    def rank(self, query: str, passages: Sequence[str]) -> np.ndarray:
        """Scores of a query's passages, float32 [P]; the higher, the better.

        Raises:
          InputError: there is no passage, or something is no text.
        """
        column = text_tensor("passages", passages)
        rule = "a query must have a passage or more"
        require(len(column) > 0, rule, passages)
        queries = tf.fill([len(column)], one_text("query", query))
        return self.predict({"text": queries, "text_pair": column}, verbose=0)

    def targets(self, y, x, places):
        rule = "triples (with negative) must come without targets"
        require(_NEGATIVE not in x, rule, "targets")
        if self.loss is not None:
            return y
        y = rules.one_number(y)
        rule = "targets must be numbers between 0 and 1 (1: the passage fits)"
        return rules.checked((y >= 0) & (y <= 1), rule, y)

    def default_loss(self, y, y_pred, sample_weight):
        if y is not None:
            return super().default_loss(y, y_pred, sample_weight)
        rule = "a Ranker must learn from targets, or from triples with negative"
        require(y_pred.shape.rank == 2, rule, "neither")
        losses = tf.nn.softplus(y_pred[:, 1] - y_pred[:, 0])  # [B]
        return mean_over_replicas(tf.reduce_sum(losses), tf.size(losses))
