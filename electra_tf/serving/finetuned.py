"""Fine-tuned models that take text and name their labels: the signatures."""

import abc

import tensorflow as tf

from electra_tf.data.tokenizers import PackedSegments, pack_segments
from electra_tf.finetune.models import TaskModel
from electra_tf.finetune.models.classifiers import Classifier
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.serving import IDS, NAMES, Function, text_spec
from electra_tf.serving.forward import BUCKETS, ServedNetwork, StoredWeights


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
    the best.
    """

    name = "classify"

    def __init__(self, model: Classifier, *args, **kwargs):
        self.probabilities = tf.sigmoid if model.multi_label else tf.nn.softmax
        super().__init__(model, *args, **kwargs)

    def answer(self, outputs):
        scores = self.probabilities(outputs)  # [B, C]
        labels = tf.constant(self.labels)
        return {
            "scores": scores,
            "labels": tf.repeat(labels[None], tf.shape(scores)[0], 0),
            "label": tf.gather(labels, tf.argmax(scores, -1)),
        }


class RegressModule(_OneForAText):
    """`regress`, `regress_pair`, `regress_ids`. Out: `scores` float32 [B].

    Of a Ranker they are logits; `text` is the query, `text_pair` the passage.
    """

    name = "regress"

    def answer(self, outputs):
        return {"scores": outputs}


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
        ids, starts, ends = self.tokenizer.tokenize_with_offsets(text)
        packed = self.pack(ids)
        logits = self.forward(*packed.trimmed().values())  # [B, L, C]
        kept = tf.minimum(ids.row_lengths(), self.max_seq_length - 2)
        logits = tf.RaggedTensor.from_tensor(logits[:, 1:-1], kept)
        begins = begins_word(text, starts, ends)
        spans = _word_ends(begins, ends)
        room = self.max_seq_length - 2
        begins, starts, spans = (x[:, :room] for x in (begins, starts, spans))
        logits, starts, ends = (
            tf.ragged.boolean_mask(x, begins) for x in (logits, starts, spans)
        )
        return {
            **self._words(text, starts, ends, logits),
            "truncated": packed.truncated,
        }

    def _words(self, text, starts, ends, logits):
        rows = starts.value_rowids()
        words = tf.strings.substr(
            tf.gather(text, rows), starts.values, ends.values - starts.values
        )
        best = tf.argmax(logits.values, -1)
        labels = tf.gather(self.labels, best)
        scores = tf.reduce_max(tf.nn.softmax(logits.values), -1)
        return {
            "words": starts.with_values(words).to_tensor(""),
            "labels": starts.with_values(labels).to_tensor(""),
            "scores": starts.with_values(scores).to_tensor(0.0),
            "starts": starts.to_tensor(0),
            "ends": ends.to_tensor(0),
            "num_words": tf.cast(starts.row_lengths(), tf.int32),
        }

    def signatures(self) -> dict[str, Function]:
        return {
            "serving_default": self.tag_ids,
            "tag": self.tag,
            "tag_ids": self.tag_ids,
        }


def begins_word(text, starts, ends) -> tf.RaggedTensor:
    """Whether white space or nothing stands before a piece: bool [B, (n)].

    Args:
      text: string [B].
      starts, ends: int32 [B, (n)], bytes of the text.
    """
    zeros = tf.zeros([starts.nrows(), 1], ends.dtype)
    before = tf.concat([zeros, ends], 1)[:, :-1]  # where the last one ended
    gaps = tf.strings.substr(
        tf.gather(text, starts.value_rowids()),
        before.values,
        starts.values - before.values,
    )
    # Deleted characters leave gaps, too, but do not part words.
    spaced = tf.strings.regex_full_match(gaps, r"(?s).*[\s\p{Z}].*")
    is_first = tf.ragged.range(starts.row_lengths()).values == 0
    return starts.with_values(spaced | is_first)


def _word_ends(begins, ends) -> tf.RaggedTensor:
    """For each piece, where its word ends: int32 [B, (n)]."""
    word = tf.cumsum(tf.cast(begins.values, tf.int32)) - 1
    last = tf.math.segment_max(ends.values, word)
    return ends.with_values(tf.gather(last, word))
