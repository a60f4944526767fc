"""A question-answering model as a SavedModel: passages of any length.

A passage longer than the model is read in overlapping windows, inside the
graph, with plain TensorFlow ops.
"""

import dataclasses

import tensorflow as tf

from electra_tf.data.tokenizers.packing import pack_segments
from electra_tf.finetune.models.preprocessor import TextPreprocessor
from electra_tf.finetune.models.span_heads import NO_ANSWER_HERE
from electra_tf.finetune.models.span_qa import SpanQA
from electra_tf.serving.ids import IDS
from electra_tf.serving.task_module import TaskModule, text_spec

MAX_QUESTION_LENGTH = 64  # tokens
DOC_STRIDE = 128
# Below the score of every span.
NO_SPAN = 4 * NO_ANSWER_HERE


@dataclasses.dataclass(frozen=True)
class Windows:
    """Pieces of passages; W windows in all, those of a passage in a row.

    Attributes:
      row: int32 [W], the passage.
      first: int32 [W], place in the passage of the window's first token.
      length: int32 [W], tokens of the passage in the window.
      begin: int32 [W], place in the window of its first passage token.
    """

    row: tf.Tensor
    first: tf.Tensor
    length: tf.Tensor
    begin: tf.Tensor


def make_windows(
    question_lengths: tf.Tensor,
    passage_lengths: tf.Tensor,
    max_seq_length: int,
    stride: int = DOC_STRIDE,
) -> Windows:
    """Windows that cover each passage; both lengths int32 [B].

    They start `stride` tokens apart, or half a window where that is less, so
    that every token has some context on both sides.
    """
    room = max_seq_length - 3 - question_lengths  # [B]
    step = tf.minimum(stride, tf.maximum(room // 2, 1))
    beyond = tf.maximum(passage_lengths - room, 0)
    count = 1 - (-beyond) // step  # 1 + the ceiling of beyond / step
    row = tf.repeat(tf.range(tf.size(count)), count)  # [W]
    first = tf.ragged.range(count).values * tf.gather(step, row)
    rest = tf.gather(passage_lengths, row) - first
    return Windows(
        row=row,
        first=first,
        length=tf.minimum(tf.gather(room, row), rest),
        begin=tf.gather(question_lengths, row) + 2,
    )


def has_most_context(
    windows: Windows, passage_begins: tf.Tensor, num_tokens: tf.Tensor
) -> tf.RaggedTensor:
    """Whether no window has more context for a token: bool [W, (length)].

    Context is the smaller number of tokens before and behind, plus a hundredth
    of the window's length (BERT's rule).

    Args:
      windows: of all passages.
      passage_begins: int32 [B], place of a passage in all of them joined.
      num_tokens: of all passages.
    """
    place = tf.ragged.range(windows.length)  # [W, (length)]
    window = place.value_rowids()
    length = tf.gather(windows.length, window)
    context = tf.minimum(place.values, length - 1 - place.values)
    context = tf.cast(context, tf.float32) + 0.01 * tf.cast(length, tf.float32)
    first = tf.gather(passage_begins, windows.row) + windows.first
    token = tf.gather(first, window) + place.values
    most = tf.math.unsorted_segment_max(context, token, num_tokens)
    return place.with_values(context >= tf.gather(most, token))


class AnswerModule(TaskModule):
    """`answer` and `answer_ids`.

    `answer` in: `question`, `context`, string [B]. Out: `answer` string [B],
    cut from the context; `start`, `end` int32 [B], its bytes; `score` float32
    [B], log p(start) + log p(end); `null_score` float32 [B], a logit, the
    higher the less likely that there is an answer; `truncated` bool [B],
    whether the question was cut, as no passage is. Without any possible span
    the answer is "", its score -4000.
    `answer_ids` out: what `SpanQA` gives, of one window.
    """

    def __init__(
        self,
        model: SpanQA,
        preprocessor: TextPreprocessor,
        vocab_file: str,
        dtype: str = "float32",
    ):
        # Not in buckets: the windows of passages are of one length mostly.
        super().__init__(model, preprocessor, vocab_file, dtype, buckets=())
        self.max_answer_length = model.max_answer_length

    @tf.function(input_signature=IDS)
    def answer_ids(self, input_ids, input_mask, segment_ids):
        """Ids of one window each -> beams."""
        return self.outputs_of_ids(input_ids, input_mask, segment_ids)

    @tf.function(input_signature=[text_spec("question"), text_spec("context")])
    def answer(self, question, context):
        """Questions and passages -> the best span of each passage."""
        question = self.tokenize(question)
        truncated = question.row_lengths() > self._max_question_length()
        question = question[:, : self._max_question_length()]
        tokens, starts, ends = self.tokenize_with_offsets(context)
        windows = make_windows(
            tf.cast(question.row_lengths(), tf.int32),
            tf.cast(tokens.row_lengths(), tf.int32),
            self.max_seq_length,
        )
        begins = tf.cast(tokens.row_starts(), tf.int32)
        beams = self._read(question, tokens, windows, begins)
        has_most = has_most_context(windows, begins, tf.size(tokens.values))
        scores, *span = self._best_in_window(beams, windows, has_most)
        score, best = _best_window(scores, windows.row, tf.size(begins))
        null = tf.math.unsorted_segment_min(
            beams["answerability"], windows.row, tf.size(begins)
        )
        offset = begins + tf.gather(windows.first, best)
        first, last = (offset + tf.gather(place, best) for place in span)
        is_span = score > NO_SPAN
        start = _at(starts.values, first, is_span)
        end = _at(ends.values, last, is_span)
        return {
            "answer": tf.strings.substr(context, start, end - start),
            "start": start,
            "end": end,
            "score": score,
            "null_score": null,
            "truncated": truncated,
        }

    def _max_question_length(self) -> int:
        return min(MAX_QUESTION_LENGTH, (self.max_seq_length - 3) // 2)

    def _read(self, question, tokens, windows, begins):
        """The model's beams for each window."""
        place = tf.gather(begins, windows.row) + windows.first
        places = tf.ragged.range(place, place + windows.length)
        packed = pack_segments(
            self.tokenizer,
            tf.gather(question, windows.row),
            places.with_values(tf.gather(tokens.values, places.values)),
            self.max_seq_length,
        )
        return self.outputs(**packed.trimmed())

    def _best_in_window(self, beams, windows, has_most):
        """Score, start and end of each window's best span; each [W]."""
        begin, length = windows.begin[:, None], windows.length[:, None]
        starts = beams["start_index"] - begin  # [W, K], of passage tokens
        ends = beams["end_index"] - begin[:, None]  # [W, K, K]
        most = has_most.to_tensor(False, shape=[None, self.max_seq_length])
        inside = tf.clip_by_value(starts, 0, self.max_seq_length - 1)
        is_start = (starts >= 0) & (starts < length)
        is_start &= tf.gather(most, inside, batch_dims=1)  # [W, K]
        starts = tf.broadcast_to(starts[:, :, None], tf.shape(ends))
        is_span = is_start[:, :, None] & (ends >= starts)
        is_span &= (ends - starts) < self.max_answer_length
        is_span &= ends < length[:, None]
        scores = beams["start_log_probs"][:, :, None] + beams["end_log_probs"]
        scores = tf.where(is_span, scores, float(NO_SPAN))  # [W, K, K]
        flat = [tf.shape(scores)[0], tf.shape(scores)[1] * tf.shape(scores)[2]]
        scores, starts, ends = (
            tf.reshape(x, flat) for x in (scores, starts, ends)
        )
        best = tf.argmax(scores, -1, tf.int32)  # [W]
        return tuple(
            tf.gather(x, best, batch_dims=1) for x in (scores, starts, ends)
        )

    def signatures(self) -> dict[str, tf.types.experimental.GenericFunction]:
        """Signature name -> function."""
        return {
            "serving_default": self.answer_ids,
            "answer": self.answer,
            "answer_ids": self.answer_ids,
        }


def _best_window(scores, row, num_rows):
    """Score and number of each passage's best window, both [B]."""
    score = tf.math.unsorted_segment_max(scores, row, num_rows)
    is_best = scores == tf.gather(score, row)
    number = tf.range(tf.size(scores))
    number = tf.where(is_best, number, tf.size(scores))
    return score, tf.math.unsorted_segment_min(number, row, num_rows)


def _at(values, place, is_there):
    """values[place], 0 where there is none: int32 [B]."""
    padded = tf.concat([values, [0]], 0)
    return tf.gather(padded, tf.where(is_there, place, tf.size(values)))
