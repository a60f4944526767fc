"""Passages longer than a row: windows over them, and their spans ranked.

Training, measuring and the exported `answer` run this one implementation:
TensorFlow ops alone, eagerly or inside of a SavedModel.
"""

import dataclasses
from collections.abc import Mapping

import tensorflow as tf

from electra_tf.data.tokenizers import Tokenizer, pack_segments


@dataclasses.dataclass(frozen=True)
class WindowSettings:
    """How windows are cut.

    Attributes:
      doc_stride: tokens from the begin of a window to that of the next.
      max_query_length: questions are cut to it.
    """

    doc_stride: int = 128
    max_query_length: int = 64

    @property
    def least_length(self) -> int:
        """A row must have: the question, three marks, one token."""
        return self.max_query_length + 4

    def longest_query(self, max_seq_length: int) -> int:
        """Tokens of a question at most; half of a row that is too short."""
        if max_seq_length >= self.least_length:
            return self.max_query_length
        return (max_seq_length - 3) // 2


@dataclasses.dataclass(frozen=True)
class Windows:
    """W windows over the passages of B questions, a question's together.

    Attributes:
      row: int32 [W], the question.
      first: int32 [W], the passage's token that the window begins with.
      length: int32 [W], tokens of the passage in the window.
      begin: int32 [W], place of the first of them in
        `[CLS] question [SEP] part of the passage [SEP]`.
      passage_lengths: int32 [B].
    """

    row: tf.Tensor
    first: tf.Tensor
    length: tf.Tensor
    begin: tf.Tensor
    passage_lengths: tf.Tensor

    def part(self, begin: int, end: int) -> "Windows":
        """Windows begin .. end - 1 alone."""
        names = ("row", "first", "length", "begin")
        cut = {name: getattr(self, name)[begin:end] for name in names}
        return dataclasses.replace(self, **cut)


@dataclasses.dataclass(frozen=True)
class Spans:
    """What may answer each of B questions, best first; (S) spans each.

    Attributes:
      score: float32 [B, (S)], log P(start) + log P(end | start).
      first, last: int32 [B, (S)], tokens of the passage.
      null_score: float32 [B], a logit: the higher, the likelier there is no
        answer.
    """

    score: tf.RaggedTensor
    first: tf.RaggedTensor
    last: tf.RaggedTensor
    null_score: tf.Tensor


def make_windows(
    query_lengths: tf.Tensor,
    passage_lengths: tf.Tensor,
    max_seq_length: int,
    doc_stride: int,
) -> Windows:
    """As few windows as cover each passage, `doc_stride` tokens apart.

    Args:
      query_lengths, passage_lengths: int [B]; a question leaves room for one
        token of the passage.
      max_seq_length: of a row.
      doc_stride: where it is more than a window holds, that counts.
    """
    query_lengths = tf.cast(query_lengths, tf.int32)
    passage_lengths = tf.cast(passage_lengths, tf.int32)
    room = max_seq_length - 3 - query_lengths  # [B]
    step = tf.minimum(doc_stride, room)
    beyond = tf.maximum(passage_lengths - room, 0)
    count = 1 - (-beyond) // step  # 1 + the ceiling of beyond / step
    row = tf.repeat(tf.range(tf.size(count)), count)  # [W]
    first = tf.ragged.range(count).values * tf.gather(step, row)
    rest = tf.gather(passage_lengths, row) - first
    return Windows(
        row=row,
        first=first,
        length=tf.minimum(tf.gather(room, row), rest),
        begin=tf.gather(query_lengths, row) + 2,
        passage_lengths=passage_lengths,
    )


def window_rows(
    tokenizer: Tokenizer,
    queries: tf.RaggedTensor,
    passages: tf.RaggedTensor,
    windows: Windows,
    max_seq_length: int,
) -> dict[str, tf.Tensor]:
    """What the model reads of each window.

    Args:
      tokenizer: gives the special ids.
      queries, passages: ids, int32 [B, (tokens)].
      windows: made of their lengths.
      max_seq_length: L.

    Returns:
      `input_ids`, `input_mask`, `segment_ids` and `answer_mask`, 1 at [CLS]
      and in the passage; int32 [W, L].
    """
    begin = tf.gather(passages.row_starts(), windows.row)
    begin += tf.cast(windows.first, begin.dtype)
    places = tf.ragged.range(
        begin, begin + tf.cast(windows.length, begin.dtype)
    )
    packed = pack_segments(
        tokenizer,
        tf.gather(queries, windows.row),
        places.with_values(tf.gather(passages.values, places.values)),
        max_seq_length,
    )
    place = tf.range(max_seq_length)  # [L]
    end = windows.begin + windows.length
    in_passage = (place >= windows.begin[:, None]) & (place < end[:, None])
    answer_mask = tf.cast(in_passage | (place == 0), tf.int32)  # [W, L]
    return {**packed.features(), "answer_mask": answer_mask}


def most_context(windows: Windows) -> tf.RaggedTensor:
    """Tokens that count in this window: bool [W, (length)].

    A token that several windows hold counts in the one that has the most
    context for it, or in the first of those: the lesser of the numbers of
    tokens on its two sides, and a hundredth of the window's length.

    Reference: BERT, run_squad.py, `_check_is_max_context`.
    """
    place = tf.ragged.range(windows.length)  # [W, (length)]
    window = tf.cast(place.value_rowids(), tf.int32)
    length = tf.gather(windows.length, window)
    context = tf.minimum(place.values, length - 1 - place.values)
    # In float64, as Python adds them: equal sums must stay equal.
    context = tf.cast(context, tf.float64) + 0.01 * tf.cast(length, tf.float64)
    # Places in all passages joined.
    begins = tf.cumsum(windows.passage_lengths, exclusive=True)
    first = tf.gather(begins, windows.row) + windows.first
    token = tf.gather(first, window) + place.values
    num_tokens = tf.reduce_sum(windows.passage_lengths)
    most = tf.math.unsorted_segment_max(context, token, num_tokens)
    is_most = context == tf.gather(most, token)
    owner = tf.math.unsorted_segment_min(
        tf.where(is_most, window, tf.int32.max), token, num_tokens
    )
    return place.with_values(window == tf.gather(owner, token))


def rank_spans(
    windows: Windows, beams: Mapping[str, tf.Tensor], max_answer_length: int
) -> Spans:
    """The spans of all of a question's windows together.

    A span counts in the window that has the most context for its start. A
    question is as answerable as its most answerable window.

    Args:
      windows: W of them.
      beams: of `SpanQA` for them: `start_log_probs`, `start_index` [W, K],
        `end_log_probs`, `end_index` [W, K, K], `answerability` [W].
      max_answer_length: in tokens.
    """
    begin = windows.begin[:, None]
    starts = beams["start_index"] - begin  # [W, K], tokens of the window
    ends = beams["end_index"] - begin[:, None]  # [W, K, K]
    counts = _counts(windows, starts)  # [W, K]
    starts = tf.broadcast_to(starts[:, :, None], tf.shape(ends))
    is_span = counts[:, :, None] & (ends >= starts)
    is_span &= ends < windows.length[:, None, None]
    is_span &= ends - starts < max_answer_length
    window = tf.where(is_span)[:, 0]  # of each of the S spans of all
    score = beams["start_log_probs"][:, :, None] + beams["end_log_probs"]
    score = tf.boolean_mask(score, is_span)  # [S]
    offset = tf.gather(windows.first, window)
    first, last = (
        tf.boolean_mask(place, is_span) + offset for place in (starts, ends)
    )
    row = tf.gather(windows.row, window)
    order = _best_first(row, score, first, last)
    num_rows = tf.size(windows.passage_lengths, tf.int64)
    rows = tf.cast(tf.gather(row, order), tf.int64)
    score, first, last = (
        tf.RaggedTensor.from_value_rowids(tf.gather(x, order), rows, num_rows)
        for x in (score, first, last)
    )
    null_score = tf.math.unsorted_segment_min(
        beams["answerability"], windows.row, num_rows
    )
    return Spans(score, first, last, null_score)


def _counts(windows: Windows, starts: tf.Tensor) -> tf.Tensor:
    """Whether spans from these tokens on count: [W, K] -> bool [W, K]."""
    owned = most_context(windows)
    inside = (starts >= 0) & (starts < windows.length[:, None])
    place = owned.row_starts()[:, None] + tf.cast(starts, tf.int64)
    outside = tf.size(owned.values, tf.int64)
    padded = tf.concat([owned.values, [False]], 0)
    return tf.gather(padded, tf.where(inside, place, outside))


def _best_first(row, score, first, last) -> tf.Tensor:
    """The order by row, then score; of equals the later span is the first."""
    place = tf.cast(first, tf.int64) * 2**32 + tf.cast(last, tf.int64)
    order = tf.argsort(place, direction="DESCENDING", stable=True)
    for key, direction in ((score, "DESCENDING"), (row, "ASCENDING")):
        again = tf.argsort(tf.gather(key, order), -1, direction, stable=True)
        order = tf.gather(order, again)
    return order
