"""From a model's scores of spans to answers, cut from the text as given."""

import dataclasses
import heapq
from collections.abc import Mapping, Sequence

import numpy as np

from electra_tf.finetune.tasks.squad import Question
from electra_tf.finetune.tasks.windows import Window


@dataclasses.dataclass(frozen=True)
class Answer:
    """A possible answer.

    Attributes:
      text: `context[start:end]`.
      start, end: characters.
      score: log P(start) + log P(end | start), the plain head's without "|".
    """

    text: str
    start: int
    end: int
    score: float


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


def answer_questions(
    windows: Sequence[Window],
    outputs: Mapping[str, np.ndarray],
    questions: Sequence[Question],
    max_answer_length: int = 30,
    num_best: int = 20,
) -> Answered:
    """The best answers of each question, over all of its windows.

    A span counts in the window that has the most context for its start. A
    question is as answerable as its most answerable window.

    Args:
      windows: N of `cut_windows`.
      outputs: of `SpanQA` for them: `start_log_probs`, `start_index` [N, K],
        `end_log_probs`, `end_index` [N, K, K], `answerability` [N].
      questions: Q that the windows are of.
      max_answer_length: in tokens.
      num_best: answers to keep, all of different text.
    """
    spans: list[list[tuple[float, int, int]]] = [[] for _ in questions]
    null_odds = np.full(len(questions), np.inf)
    for row, window in enumerate(windows):
        scored = _spans(window, outputs, row, max_answer_length)
        spans[window.question] += scored
        null_odds[window.question] = min(
            null_odds[window.question], outputs["answerability"][row]
        )
    best = [
        _best(question.context, found, num_best)
        for question, found in zip(questions, spans, strict=True)
    ]
    return Answered(best, null_odds)


def _spans(
    window: Window,
    outputs: Mapping[str, np.ndarray],
    row: int,
    max_answer_length: int,
) -> list[tuple[float, int, int]]:
    """(score, first character, end) of a window's allowed spans."""
    scores = outputs["start_log_probs"][row][:, None]  # [K, 1]
    scores = scores + outputs["end_log_probs"][row]  # [K, K]
    start = outputs["start_index"][row][:, None] - window.offset
    end = outputs["end_index"][row] - window.offset
    start = np.broadcast_to(start, end.shape)
    allowed = (
        (start >= 0)
        & (start <= end)
        & (end < window.length)
        & (end - start < max_answer_length)
    )
    scores, start, end = scores[allowed], start[allowed], end[allowed]
    mine = window.owned[start]
    first = window.passage.starts[start[mine] + window.begin]
    last = window.passage.ends[end[mine] + window.begin]
    columns = (scores[mine].tolist(), first.tolist(), last.tolist())
    return list(zip(*columns, strict=True))


def _best(
    context: str, spans: list[tuple[float, int, int]], num_best: int
) -> list[Answer]:
    best: dict[str, Answer] = {}
    # Few texts stand at several places: look a little further than asked.
    for score, start, end in heapq.nlargest(4 * num_best, spans):
        text = context[start:end]
        best.setdefault(text, Answer(text, start, end, score))
    if not best:
        return [Answer("", 0, 0, -np.inf)]
    return list(best.values())[:num_best]
