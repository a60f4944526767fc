"""Between the characters of texts and the tokens that a model points at."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from electra_tf.data.columns import characters_before
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.finetune.models.windows import (
    Windows,
    WindowSettings,
    make_windows,
    rank_spans,
    window_rows,
)
from electra_tf.finetune.preprocessor import (
    joined_rows,
    ragged_rows,
    split_rows,
)
from electra_tf.finetune.tasks.squad import Question

_TEXTS_AT_ONCE = 256
_WINDOWS_AT_ONCE = 1024


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
class CutQuestions:
    """Questions as rows of a model; Q questions.

    Attributes:
      windows: of all questions, in order.
      passages: those of the questions, Q of them.
      num_cut: questions that were too long.
    """

    windows: Windows
    passages: list[Passage]
    num_cut: int


@dataclasses.dataclass(frozen=True)
class Answer:
    """A possible answer.

    Attributes:
      text: `context[start:end]`.
      score: log P(start) + log P(end | start), the plain head's without "|".
      start, end: characters.
    """

    text: str
    score: float
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Answered:
    """What the model says of each question; Q questions.

    Attributes:
      answers: for each question its best answers, best first; at least one,
        with the text "" where no span was allowed.
      null_odds: float [Q], the higher, the likelier there is no answer.
    """

    answers: list[list[Answer]]
    null_odds: np.ndarray

    def texts(self, null_threshold: float = np.inf) -> list[str]:
        """The best answers; "" where null_odds are above the threshold."""
        return [
            "" if odds > null_threshold else best[0].text
            for odds, best in zip(self.null_odds, self.answers, strict=True)
        ]


def tokenize_passages(
    tokenizer: Tokenizer, texts: Sequence[str]
) -> list[Passage]:
    """Tokens with character offsets."""
    passages = []
    for begin in range(0, len(texts), _TEXTS_AT_ONCE):
        # A lone surrogate, which JSON may hold, is no reason to stop.
        raw = [
            text.encode("utf-8", "surrogatepass")
            for text in texts[begin : begin + _TEXTS_AT_ONCE]
        ]
        columns = tokenizer.tokenize_with_offsets(tf.constant(raw))
        rows = zip(raw, *map(split_rows, columns), strict=True)
        passages += [_in_characters(*row) for row in rows]
    return passages


def cut_questions(
    tokenizer: Tokenizer,
    questions: Sequence[Question],
    max_seq_length: int,
    settings: WindowSettings,
) -> tuple[CutQuestions, dict[str, np.ndarray]]:
    """Windows of all questions, in order, and their rows.

    Args:
      tokenizer: the model's.
      questions: what to cut.
      max_seq_length: of a row.
      settings: how to cut.

    Returns:
      the windows, N of them; `input_ids`, `input_mask`, `segment_ids` and
      `answer_mask` (see `window_rows`), int32 [N, L], L the longest row.
    """
    longest = settings.longest_query(max_seq_length)
    contexts = list(dict.fromkeys(q.context for q in questions))
    read = tokenize_passages(tokenizer, contexts)
    of_context = dict(zip(contexts, read, strict=True))
    passages = [of_context[question.context] for question in questions]
    asked = tokenize_passages(tokenizer, [q.question for q in questions])
    queries = ragged_rows([query.ids[:longest] for query in asked])
    tokens = ragged_rows([passage.ids for passage in passages])
    windows = make_windows(
        queries.row_lengths(),
        tokens.row_lengths(),
        max_seq_length,
        settings.doc_stride,
    )
    parts = [
        window_rows(
            tokenizer,
            queries,
            tokens,
            windows.part(begin, begin + _WINDOWS_AT_ONCE),
            max_seq_length,
        )
        for begin in range(0, len(windows.row), _WINDOWS_AT_ONCE)
    ]
    num_cut = sum(len(query.ids) > longest for query in asked)
    return CutQuestions(windows, passages, num_cut), joined_rows(parts)


def window_targets(
    cut: CutQuestions, questions: Sequence[Question]
) -> dict[str, np.ndarray]:
    """`start`, `end` (places in the row) and `is_impossible`, int32 [N].

    A window that does not hold the whole answer has none: start and end are
    [CLS].
    """
    tokens = [
        (question.span and passage.tokens_of(*question.span)) or (-1, -1)
        for question, passage in zip(questions, cut.passages, strict=True)
    ]
    windows = cut.windows
    first = windows.first.numpy()
    start, end = np.array(tokens, np.int32)[windows.row.numpy()].T - first
    is_inside = (start >= 0) & (end < windows.length.numpy())
    place = windows.begin.numpy()
    # Differs from TF1: there is_impossible is the question's, so that
    # windows beside the answer are called answerable, at [CLS].
    return {
        "start": np.where(is_inside, start + place, 0),
        "end": np.where(is_inside, end + place, 0),
        "is_impossible": (~is_inside).astype(np.int32),
    }


def answer_questions(
    cut: CutQuestions,
    outputs: Mapping[str, np.ndarray],
    questions: Sequence[Question],
    max_answer_length: int = 30,
    num_best: int = 20,
) -> Answered:
    """The best answers of each question, over all of its windows.

    Args:
      cut: of `cut_questions`.
      outputs: of `SpanQA` for its rows.
      questions: that were cut.
      max_answer_length: in tokens.
      num_best: answers to keep, all of different text.
    """
    beams = {name: tf.constant(array) for name, array in outputs.items()}
    spans = rank_spans(cut.windows, beams, max_answer_length)
    # Few texts stand at several places: look a little further than asked.
    columns = (
        split_rows(x[:, : 4 * num_best])
        for x in (spans.score, spans.first, spans.last)
    )
    rows = zip(questions, cut.passages, *columns, strict=True)
    best = [_answers(*row)[:num_best] for row in rows]
    return Answered(best, spans.null_score.numpy().astype(np.float64))


def _answers(question, passage, scores, first, last) -> list[Answer]:
    """Spans of a passage as answers, each text once."""
    best: dict[str, Answer] = {}
    starts, ends = passage.starts[first], passage.ends[last]
    columns = (scores.tolist(), starts.tolist(), ends.tolist())
    for score, start, end in zip(*columns, strict=True):
        text = question.context[start:end]
        best.setdefault(text, Answer(text, score, start, end))
    return list(best.values()) or [Answer("", -np.inf, 0, 0)]


def _in_characters(
    content: bytes, ids: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> Passage:
    """Byte offsets to those of code points."""
    begun = characters_before(content)
    columns = (ids, begun[starts], begun[ends])
    return Passage(*(column.astype(np.int32) for column in columns))
