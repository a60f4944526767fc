"""Questions of SQuAD 1.1 and 2.0 (JSON) and of MRQA 2019 (JSON lines)."""

import contextlib
import dataclasses
import json
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from electra_tf.errors import InputError, require
from electra_tf.finetune.tasks.metrics import normalize_answer
from electra_tf.finetune.tasks.tables import json_records, read_text


@dataclasses.dataclass(frozen=True)
class Question:
    """A question about a passage.

    Attributes:
      id: unique within its file.
      question, context: texts.
      answers: the gold answers; none where there is no answer.
      span: characters [start, end) of `context` to learn from: the first
        answer's; None where there is no answer.
    """

    id: str
    question: str
    context: str
    answers: tuple[str, ...]
    span: tuple[int, int] | None


@dataclasses.dataclass(frozen=True)
class Questions:
    """What a file holds.

    Attributes:
      questions: in the file's order.
      num_left_out: of those there is nothing to learn from: their answer
        does not stand in the context where the file says.
    """

    questions: list[Question]
    num_left_out: int


def read_squad(path: str, is_training: bool = False) -> Questions:
    """Reads SQuAD's JSON, 1.1 or 2.0.

    Args:
      path: the file.
      is_training: leave out questions whose first answer is not at its place.

    Raises:
      InputError: it is none; a context or question is empty; an id stands
        twice; a place is outside of its context.
    """
    try:
        content = json.loads(read_text(path))
    except ValueError as error:
        raise InputError(f"{path} must be JSON; received {error}") from None
    records = _squad_records(path, content)
    return _questions(path, records, is_training, _is_in_place)


def read_mrqa(path: str, is_training: bool = False) -> Questions:
    """Reads MRQA's JSON lines, as they are or packed (.gz).

    Its answers were found in the contexts by other people's rules, so that
    the characters there need not read like them.

    Args, raises: as `read_squad`.
    """
    records = _mrqa_records(path)
    return _questions(path, records, is_training, lambda q: q.span is not None)


def _questions(
    path: str,
    records: Iterator[Question],
    is_training: bool,
    is_learnable: Callable[[Question], bool],
) -> Questions:
    found: dict[str, Question] = {}
    num_left_out = 0
    for question in records:
        is_new = question.id not in found
        require(is_new, f"{path}: ids must differ", question.id)
        for name in ("context", "question"):
            text = getattr(question, name)
            rule = f"{path}: the {name} of {question.id!r} must not be empty"
            require(text.strip() != "", rule, text)
        if is_training and not is_learnable(question):
            num_left_out += 1
        else:
            found[question.id] = question
    questions = list(found.values())
    require(bool(found), f"{path} must hold questions", questions)
    return Questions(questions, num_left_out)


def _is_in_place(question: Question) -> bool:
    """Whether the characters that an answer names read like one."""
    if question.span is None:
        return not question.answers
    start, end = question.span
    text = normalize_answer(question.context[start:end])
    return text in map(normalize_answer, question.answers)


def _squad_records(path: str, content: Any) -> Iterator[Question]:
    with _format_of("SQuAD", path) as place:
        for article in content["data"]:
            for number, paragraph in enumerate(article["paragraphs"]):
                title = article.get("title", "")
                place.where = f"{path}, {title!r}, paragraph {number}"
                for record in paragraph["qas"]:
                    place.where = f"{path}, question {record['id']!r}"
                    yield _squad_question(paragraph["context"], record)


def _squad_question(context: str, record: Mapping[str, Any]) -> Question:
    # A test file has no answers; 2.0 has none for impossible questions.
    is_impossible = record.get("is_impossible", False)
    answers = [] if is_impossible else record.get("answers", [])
    span = None
    if answers:
        start, text = answers[0]["answer_start"], answers[0]["text"]
        span = _span(context, start, start + len(text))
    texts = tuple(answer["text"] for answer in answers)
    question = record["question"]
    return Question(record["id"], question, context, texts, span)


def _mrqa_records(path: str) -> Iterator[Question]:
    with _format_of("MRQA", path) as place:
        for where, record in json_records(path):
            place.where = where
            if "header" in record:
                continue
            for qa in record["qas"]:
                yield _mrqa_question(record["context"], qa)


def _mrqa_question(context: str, record: Mapping[str, Any]) -> Question:
    detected = record.get("detected_answers", [])
    span = None
    if detected:
        first, last = detected[0]["char_spans"][0]  # the last is included
        span = _span(context, first, last + 1)
    answers = record.get("answers") or [d["text"] for d in detected]
    id_ = record.get("qid") or record["id"]
    return Question(id_, record["question"], context, tuple(answers), span)


def _span(context: str, start: int, end: int) -> tuple[int, int]:
    if not 0 <= start < end <= len(context):
        raise IndexError(
            f"an answer at characters {start} to {end} of {len(context)}"
        )
    return start, end


@contextlib.contextmanager
def _format_of(name: str, path: str) -> Iterator[types.SimpleNamespace]:
    """Names the format and the place, `where`, of what is missing."""
    place = types.SimpleNamespace(where=path)
    try:
        yield place
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        found = f"no {error}" if isinstance(error, KeyError) else error
        raise InputError(
            f"{place.where}: must be in {name}'s format; received {found}"
        ) from None
