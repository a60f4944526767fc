"""Classes for tokens, words and spans of words."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from electra_tf.data.columns import as_list, one_text, text_tensor
from electra_tf.errors import require
from electra_tf.finetune.models import TaskModel, mean_over_replicas, rules
from electra_tf.finetune.models.classifiers import label_names
from electra_tf.finetune.models.tag_schemes import are_spans, to_bio
from electra_tf.finetune.models.text_heads import (
    HUGGINGFACE,
    PAPER,
    check_style,
)
from electra_tf.finetune.models.words import (
    Entity,
    TaggedWord,
    entities_of,
    read_words,
    tagged_words,
)
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.layers import Dropout

_TEXTS_AT_ONCE = 2048


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

    Example:
      model = Tagger.from_pretrained("finetuned/wnut17/model.keras")
      for entity in model.predict_entities(["Ada lives in Rome."])[0]:
          print(entity.label, entity.text, entity.start, entity.end)
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

    def predict_tags(
        self, texts: Sequence[str], batch_size: int = 32
    ) -> list[list[TaggedWord]]:
        """The tag of each word, of what stands between white space.

        Tags of spans come as IOB2, whatever scheme was learned. Words that are
        cut off are left out.

        Raises:
          InputError: there is no text, or something is none.
        """
        column = text_tensor("texts", texts)
        require(len(column) > 0, "texts must hold a text or more", texts)
        found: list[list[TaggedWord]] = []
        for first in range(0, len(column), _TEXTS_AT_ONCE):
            found += self._tagged(column[first:][:_TEXTS_AT_ONCE], batch_size)
        return found

    def predict_entities(
        self, texts: Sequence[str], batch_size: int = 32
    ) -> list[list[Entity]]:
        """The entities, or chunks, of each text, in order.

        Raises:
          InputError: the labels are none of spans (B-PER, I-PER, O); else as
            `predict_tags`.
        """
        rule = "predict_entities needs labels of spans, as B-X, I-X and O"
        require(are_spans(self.labels), rule, self.labels)
        texts = [one_text("texts", text) for text in as_list(texts)]
        words = self.predict_tags(texts, batch_size)
        return [
            entities_of(text, tagged)
            for text, tagged in zip(texts, words, strict=True)
        ]

    def _tagged(self, texts, batch_size) -> list[list[TaggedWord]]:
        preprocessor = self.preprocessor
        rule = "texts must be given to a model with a preprocessor"
        require(preprocessor is not None, rule, preprocessor)
        # Of bytes that are no UTF-8, the characters that Python reads.
        texts = [text.decode("utf-8", "replace") for text in texts.numpy()]
        words = read_words(
            preprocessor.tokenizer,
            tf.constant(texts),
            preprocessor.max_seq_length,
        )
        cut = tf.cast(words.packed.truncated, tf.int32)
        inputs = {**words.packed.trimmed(), "truncated": cut}
        logits = self.predict(inputs, batch_size=batch_size, verbose=0)
        scores = tf.nn.softmax(words.gathered(logits))  # [W, C]
        best = tf.argmax(scores, -1)
        columns = (
            words.starts.with_values(tf.gather(self.labels, best)),
            words.starts.with_values(tf.reduce_max(scores, -1)),
            words.starts,
            words.ends,
        )
        return [
            tagged_words(text, self._written(tags), *places)
            for text, tags, *places in zip(
                texts, *(x.to_list() for x in columns), strict=True
            )
        ]

    def _written(self, tags: Sequence[bytes]) -> list[str]:
        names = [tag.decode() for tag in tags]
        return to_bio(names) if are_spans(self.labels) else names

    def get_config(self):
        return {
            **super().get_config(),
            "labels": list(self.labels),
            "dropout": self.dropout.rate,
            "head": self.head_style,
        }
