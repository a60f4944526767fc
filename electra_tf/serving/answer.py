"""Question answering as signatures: passages of any length.

A passage longer than the model is read in the windows in which the model was
measured, inside of the graph.
"""

import tensorflow as tf

from electra_tf.finetune.models.span_heads import NO_ANSWER_HERE
from electra_tf.finetune.models.span_qa import SpanQA, default_answer_mask
from electra_tf.finetune.models.windows import (
    make_windows,
    rank_spans,
    window_rows,
)
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.serving import IDS, NAMES, Function, text_spec
from electra_tf.serving.finetuned import TaskModule

# Below the score of every span.
NO_SPAN = 4.0 * NO_ANSWER_HERE


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

    input_names = (*NAMES, "answer_mask")

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
        self.doc_stride = model.window_settings.doc_stride
        self.longest_query = model.window_settings.longest_query(
            self.max_seq_length
        )

    @tf.function(autograph=False, input_signature=IDS)
    def answer_ids(self, input_ids, input_mask, segment_ids):
        """Ids of one window each -> beams."""
        ids = self.rules.checked(input_ids, input_mask, segment_ids)
        features = dict(zip(NAMES, ids, strict=True))
        return self.forward(*ids, default_answer_mask(features))

    @tf.function(
        autograph=False,
        input_signature=[text_spec("question"), text_spec("context")],
    )
    def answer(self, question, context):
        """Questions and passages -> the best span of each passage."""
        queries = self.tokenizer.tokenize(question)
        truncated = queries.row_lengths() > self.longest_query
        queries = queries[:, : self.longest_query]
        tokens, starts, ends = self.tokenizer.tokenize_with_offsets(context)
        windows = make_windows(
            queries.row_lengths(),
            tokens.row_lengths(),
            self.max_seq_length,
            self.doc_stride,
        )
        rows = window_rows(
            self.tokenizer, queries, tokens, windows, self.max_seq_length
        )
        beams = self._read(rows)
        spans = rank_spans(windows, beams, self.max_answer_length)
        score = spans.score[:, :1].to_tensor(NO_SPAN, shape=[None, 1])[:, 0]
        start = _of_best(starts, spans.first)
        end = _of_best(ends, spans.last)
        return {
            "answer": tf.strings.substr(context, start, end - start),
            "start": start,
            "end": end,
            "score": score,
            "null_score": spans.null_score,
            "truncated": truncated,
        }

    def _read(self, rows):
        """The model's beams for each row."""
        longest = tf.reduce_max(tf.reduce_sum(rows["input_mask"], 1))
        longest = tf.maximum(longest, 2)
        inputs = (rows[name][:, :longest] for name in self.input_names)
        return self.forward(*inputs)

    def signatures(self) -> dict[str, Function]:
        """Signature name -> function."""
        return {
            "serving_default": self.answer_ids,
            "answer": self.answer,
            "answer_ids": self.answer_ids,
        }


def _of_best(places, ranked) -> tf.Tensor:
    """What belongs to the best token of each passage, 0 where there is none.

    Args:
      places: int32 [B, (tokens)].
      ranked: tokens, int32 [B, (S)], the best first.
    """
    best = tf.cast(ranked[:, :1].to_tensor(0, shape=[None, 1]), tf.int64)
    nothing = tf.size(places.values, tf.int64)
    place = places.row_starts() + best[:, 0]
    place = tf.where(ranked.row_lengths() > 0, place, nothing)
    return tf.gather(tf.concat([places.values, [0]], 0), place)
