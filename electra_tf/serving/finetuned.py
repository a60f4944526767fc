"""Fine-tuned models that take text and name their labels: the signatures."""

import abc

import tensorflow as tf

from electra_tf.data.tokenizers import PackedSegments, pack_segments
from electra_tf.finetune.models import TaskModel
from electra_tf.finetune.models.classifiers import Classifier, logits_of
from electra_tf.finetune.models.words import read_words
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.serving import IDS, NAMES, Function, text_spec
from electra_tf.serving.forward import BUCKETS, ServedNetwork, StoredWeights

# Below the score of every passage, and a number in JSON, as -inf is not.
NO_PASSAGE = -10_000.0


class TaskModule(ServedNetwork):
    """A fine-tuned model, as a SavedModel holds it.

    Args:
      model: fine-tuned.
      preprocessor: gives the tokenizer and the length to cut to.
      vocab_file: becomes an asset.
      dtype: how matrices are stored.
      buckets: see `Forward`.
    """

    # What the model reads, each int32 [B, L].
    input_names: tuple[str, ...] = NAMES

    def __init__(
        self,
        model: TaskModel,
        preprocessor: TextPreprocessor,
        vocab_file: str,
        dtype: str = "float32",
        buckets: tuple[int, ...] = BUCKETS,
    ):
        call, names = model.__call__, self.input_names

        def network(*inputs):
            return call(dict(zip(names, inputs, strict=True)), training=False)

        super().__init__(
            network,
            model.weights,
            model.encoder.embeddings,
            preprocessor.tokenizer,
            StoredWeights(dtype),
            buckets,
            len(names),
        )
        self.max_seq_length = preprocessor.max_seq_length
        self.labels = list(getattr(model, "labels", ()))
        self.vocab = tf.saved_model.Asset(vocab_file)

    def pack(
        self, first: tf.RaggedTensor, second: tf.RaggedTensor | None = None
    ) -> PackedSegments:
        """Ids of texts or pairs, cut to the model's length."""
        return pack_segments(self.tokenizer, first, second, self.max_seq_length)


class _OneForAText(TaskModule, abc.ABC):
    """What a text, or a pair of texts, is worth as a whole."""

    name = ""

    @abc.abstractmethod
    def answer(self, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """The model's outputs as a signature gives them."""

    @tf.function(autograph=False, input_signature=IDS)
    def from_ids(self, input_ids, input_mask, segment_ids):
        """Ids -> `answer`."""
        return self.answer(self.of_ids(input_ids, input_mask, segment_ids))

    @tf.function(autograph=False, input_signature=[text_spec("text")])
    def from_text(self, text):
        """Texts -> `answer`, and which were cut."""
        return self._packed(self.pack(self.tokenizer.tokenize(text)))

    @tf.function(
        autograph=False,
        input_signature=[text_spec("text"), text_spec("text_pair")],
    )
    def from_pair(self, text, text_pair):
        """Pairs of texts -> `answer`, and which were cut."""
        pair = map(self.tokenizer.tokenize, (text, text_pair))
        return self._packed(self.pack(*pair))

    def _packed(self, packed: PackedSegments):
        answer = self.answer(self.forward(*packed.trimmed().values()))
        return {**answer, "truncated": packed.truncated}

    def signatures(self) -> dict[str, Function]:
        return {
            "serving_default": self.from_ids,
            self.name: self.from_text,
            f"{self.name}_pair": self.from_pair,
            f"{self.name}_ids": self.from_ids,
        }


class ClassifyModule(_OneForAText):
    """`classify`, `classify_pair`, `classify_ids`.

    Out: `scores` float32 [B, C], probabilities, with `multi_label` of each
    class by itself; `labels` string [B, C], their names; `label` string [B],
    the best. With `multi_label` also `holds` bool [B, C], which classes reach
    their thresholds.
    """

    name = "classify"

    def __init__(self, model: Classifier, *args, **kwargs):
        self.probabilities = tf.nn.softmax
        self.thresholds = None
        if model.multi_label:
            self.probabilities = tf.sigmoid
            self.thresholds = logits_of(model.thresholds)
        super().__init__(model, *args, **kwargs)

    def answer(self, outputs):
        scores = self.probabilities(outputs)  # [B, C]
        labels = tf.constant(self.labels)
        answer = {
            "scores": scores,
            "labels": tf.repeat(labels[None], tf.shape(scores)[0], 0),
            "label": tf.gather(labels, tf.argmax(scores, -1)),
        }
        if self.thresholds is not None:
            answer["holds"] = outputs >= self.thresholds
        return answer


class RegressModule(_OneForAText):
    """`regress`, `regress_pair`, `regress_ids`. Out: `scores` float32 [B]."""

    name = "regress"

    def answer(self, outputs):
        return {"scores": outputs}


class EncodeModule(_OneForAText):
    """`encode` and `encode_ids`. Out: `embeddings` float32 [B, H]."""

    name = "encode"

    def answer(self, outputs):
        return {"embeddings": outputs}

    def signatures(self) -> dict[str, Function]:
        found = super().signatures()
        del found["encode_pair"]  # one text a vector
        return found


class RankModule(TaskModule):
    """`rank` and `rank_ids`.

    `rank` in: `query` string [B]; `passages` string [B, P], "" where a query
    has fewer. Out: `scores` float32 [B, P], logits, -10000 where there is no
    passage; `truncated` bool [B, P]. `rank_ids` in: pairs. Out: `scores` [B].
    """

    @tf.function(input_signature=IDS)
    def rank_ids(self, input_ids, input_mask, segment_ids):
        """Ids of pairs -> scores."""
        return {"scores": self.of_ids(input_ids, input_mask, segment_ids)}

    @tf.function(
        input_signature=[
            text_spec("query"),
            tf.TensorSpec([None, None], tf.string, "passages"),
        ]
    )
    def rank(self, query, passages):
        """Queries, each with its passages -> scores, and what was cut."""
        is_there = passages != ""  # [B, P]
        places = tf.where(is_there)  # [N, 2]
        queries = tf.gather(self.tokenizer.tokenize(query), places[:, 0])
        pair = self.tokenizer.tokenize(tf.boolean_mask(passages, is_there))
        packed = self.pack(queries, pair)
        scores = self.forward(*packed.trimmed().values())  # [N]
        update = tf.tensor_scatter_nd_update
        nothing = tf.fill(tf.shape(passages), NO_PASSAGE)
        return {
            "scores": update(nothing, places, scores),
            "truncated": update(
                tf.zeros_like(is_there), places, packed.truncated
            ),
        }

    def signatures(self) -> dict[str, Function]:
        return {
            "serving_default": self.rank_ids,
            "rank": self.rank,
            "rank_ids": self.rank_ids,
        }


class TagModule(TaskModule):
    """`tag` and `tag_ids`: the label of each word, or of each token.

    A word is what stands between white space; its first piece decides.
    `tag` out: `words`, `labels` string [B, W], `scores` float32 [B, W], the
    label's probability, `starts`, `ends` int32 [B, W], bytes of the text;
    padded with "" and 0; `num_words` int32 [B]; `truncated` bool [B].
    `tag_ids` out: `labels` string [B, L], `scores` float32 [B, L, C]; "" and
    0 on padding.
    """

    @tf.function(autograph=False, input_signature=IDS)
    def tag_ids(self, input_ids, input_mask, segment_ids):
        """Ids -> a label for each token, whatever it is."""
        logits = self.of_ids(input_ids, input_mask, segment_ids)
        real = input_mask != 0  # [B, L]
        labels = tf.gather(self.labels, tf.argmax(logits, -1))
        return {
            "labels": tf.where(real, labels, ""),
            "scores": tf.where(real[:, :, None], tf.nn.softmax(logits), 0.0),
        }

    @tf.function(autograph=False, input_signature=[text_spec("text")])
    def tag(self, text):
        """Texts -> words with their labels and places."""
        words = read_words(self.tokenizer, text, self.max_seq_length)
        logits = self.forward(*words.packed.trimmed().values())  # [B, L, C]
        scores = tf.nn.softmax(words.gathered(logits))  # [W, C]
        starts, ends = words.starts, words.ends
        strings = tf.strings.substr(
            tf.gather(text, starts.value_rowids()),
            starts.values,
            ends.values - starts.values,
        )
        labels = tf.gather(self.labels, tf.argmax(scores, -1))
        best = tf.reduce_max(scores, -1)
        return {
            "words": starts.with_values(strings).to_tensor(""),
            "labels": starts.with_values(labels).to_tensor(""),
            "scores": starts.with_values(best).to_tensor(0.0),
            "starts": starts.to_tensor(0),
            "ends": ends.to_tensor(0),
            "num_words": tf.cast(starts.row_lengths(), tf.int32),
            "truncated": words.packed.truncated,
        }

    def signatures(self) -> dict[str, Function]:
        return {
            "serving_default": self.tag_ids,
            "tag": self.tag,
            "tag_ids": self.tag_ids,
        }
