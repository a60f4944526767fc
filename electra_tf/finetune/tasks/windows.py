"""Questions and passages to rows: windows that slide over long passages."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from electra_tf.data.tokenizers.tokenizer import Tokenizer
from electra_tf.finetune.tasks.squad import Question

_TEXTS_AT_ONCE = 256


@dataclasses.dataclass(frozen=True)
class Passage:
    """A text's tokens and the characters that they come from; T tokens.

    Attributes:
      ids: int32 [T].
      starts, ends: int32 [T]; token t is `text[starts[t]:ends[t]]`, in
        Python's characters (code points).
    """

    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    def tokens_of(self, start: int, end: int) -> tuple[int, int] | None:
        """First and last token of characters [start, end): the fewest tokens
        that cover them; None where no token does."""
        first = int(np.searchsorted(self.ends, start, side="right"))
        last = int(np.searchsorted(self.starts, end, side="left")) - 1
        return (first, last) if first <= last else None


@dataclasses.dataclass(frozen=True)
class Window:
    """A row `[CLS] question [SEP] part of the passage [SEP]`.

    Attributes:
      question: which of the questions.
      passage: all of it.
      begin, length: the tokens of the passage that stand in the row.
      offset: place of the first of them in the row.
      owned: bool [length], where no other window has more context.
    """

    question: int
    passage: Passage
    begin: int
    length: int
    offset: int
    owned: np.ndarray

    def place_of(self, tokens: tuple[int, int] | None) -> tuple[int, int]:
        """Places in the row of a first and last token; (0, 0), that is
        [CLS], unless both are in the window."""
        if tokens is None:
            return 0, 0
        first, last = (token - self.begin for token in tokens)
        if first < 0 or last >= self.length:
            return 0, 0
        return first + self.offset, last + self.offset


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


def tokenize_passages(
    tokenizer: Tokenizer, texts: Sequence[str]
) -> list[Passage]:
    """Tokens with character offsets."""
    passages = []
    for first in range(0, len(texts), _TEXTS_AT_ONCE):
        # A lone surrogate, which JSON may hold, is no reason to stop.
        raw = [
            text.encode("utf-8", "surrogatepass")
            for text in texts[first : first + _TEXTS_AT_ONCE]
        ]
        ids, starts, ends = tokenizer.tokenize_with_offsets(tf.constant(raw))
        columns = zip(
            raw,
            _split(ids),
            _split(starts),
            _split(ends),
            strict=True,
        )
        for content, *row in columns:
            passages.append(_in_characters(content, *row))
    return passages


def cut_windows(
    tokenizer: Tokenizer,
    questions: Sequence[Question],
    max_seq_length: int,
    settings: WindowSettings,
) -> tuple[list[Window], dict[str, np.ndarray], int]:
    """Windows of all questions, in order, and their rows.

    Args:
      tokenizer: the model's.
      questions: what to cut.
      max_seq_length: of a row; at least `settings.least_length`.
      settings: how to cut.

    Returns:
      the N windows; `input_ids`, `input_mask`, `segment_ids` and
      `answer_mask` (1 at [CLS] and in the passage), int32 [N, L]; how many
      questions were cut.
    """
    longest = settings.max_query_length
    contexts = list(dict.fromkeys(q.context for q in questions))
    passages = dict(
        zip(contexts, tokenize_passages(tokenizer, contexts), strict=True)
    )
    queries = tokenize_passages(tokenizer, [q.question for q in questions])
    num_cut = sum(len(query.ids) > longest for query in queries)
    windows, rows = [], []
    for index, question in enumerate(questions):
        query = queries[index].ids[:longest]
        passage = passages[question.context]
        room = max_seq_length - len(query) - 3
        offset = len(query) + 2
        cut = _cut(index, passage, room, settings.doc_stride, offset)
        windows += cut
        rows += [(query, window) for window in cut]
    return windows, _arrays(tokenizer, rows), num_cut


def window_targets(
    windows: Sequence[Window], questions: Sequence[Question]
) -> dict[str, np.ndarray]:
    """`start`, `end` (places in the row) and `is_impossible`, int32 [N].

    A window that does not hold the whole answer has none: start and end are
    [CLS].
    """
    targets = np.zeros([3, len(windows)], np.int32)
    for row, window in enumerate(windows):
        span = questions[window.question].span
        tokens = window.passage.tokens_of(*span) if span else None
        start, end = window.place_of(tokens)
        # Differs from TF1: there is_impossible is the question's, so that
        # windows beside the answer are called answerable, at [CLS].
        targets[:, row] = start, end, end == 0
    names = ("start", "end", "is_impossible")
    return dict(zip(names, targets, strict=True))


def _cut(
    question: int, passage: Passage, room: int, doc_stride: int, offset: int
) -> list[Window]:
    total = len(passage.ids)
    begins = [0]
    while begins[-1] + room < total:
        begins.append(begins[-1] + min(room, doc_stride))
    lengths = [min(room, total - begin) for begin in begins]
    owner = _most_context(np.array(begins), np.array(lengths), total)
    return [
        Window(
            question,
            passage,
            begin,
            length,
            offset,
            owner[begin : begin + length] == number,
        )
        for number, (begin, length) in enumerate(
            zip(begins, lengths, strict=True)
        )
    ]


def _most_context(
    begins: np.ndarray, lengths: np.ndarray, total: int
) -> np.ndarray:
    """For each token the window where it has the most context: the lesser of
    those on its two sides, and a little for a longer window; int [total]."""
    tokens = np.arange(total)
    left = tokens - begins[:, None]
    right = (begins + lengths)[:, None] - 1 - tokens
    context = np.minimum(left, right)
    score = np.where(context >= 0, context + 0.01 * lengths[:, None], -1.0)
    return np.argmax(score, axis=0)


def _arrays(
    tokenizer: Tokenizer, rows: Sequence[tuple[np.ndarray, Window]]
) -> dict[str, np.ndarray]:
    longest = max(w.offset + w.length + 1 for _, w in rows)
    names = ("input_ids", "input_mask", "segment_ids", "answer_mask")
    arrays = {n: np.zeros([len(rows), longest], np.int32) for n in names}
    arrays["input_ids"][:] = tokenizer.pad_id
    for row, (query, window) in enumerate(rows):
        part = slice(window.begin, window.begin + window.length)
        end = window.offset + window.length
        edge = [tokenizer.sep_id]
        ids = [[tokenizer.cls_id], query, edge, window.passage.ids[part], edge]
        arrays["input_ids"][row, : end + 1] = np.concatenate(ids)
        arrays["input_mask"][row, : end + 1] = 1
        arrays["segment_ids"][row, window.offset : end + 1] = 1
        arrays["answer_mask"][row, window.offset : end] = 1
        arrays["answer_mask"][row, 0] = 1
    return arrays


def _split(ragged: tf.RaggedTensor) -> list[np.ndarray]:
    """The rows."""
    values = ragged.values.numpy().astype(np.int32)
    return np.split(values, ragged.row_splits.numpy()[1:-1])


def _in_characters(
    content: bytes, ids: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> Passage:
    """Byte offsets to those of code points."""
    codes = np.frombuffer(content, np.uint8)
    # Bytes 10xxxxxx continue a character.
    begun = np.concatenate([[0], np.cumsum((codes & 0xC0) != 0x80)])
    return Passage(
        ids, begun[starts].astype(np.int32), begun[ends].astype(np.int32)
    )
