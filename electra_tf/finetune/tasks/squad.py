"""Questions of SQuAD 1.1 and 2.0 (JSON) and of MRQA 2019 (JSON lines)."""

import dataclasses
import reprlib
from collections.abc import Callable, Iterator
from typing import Any

from electra_tf.errors import require
from electra_tf.finetune.tasks.json_values import (
    of_type,
    parse_json,
    value_of,
    value_or,
)
from electra_tf.finetune.tasks.lines import read_text
from electra_tf.finetune.tasks.metrics import normalize_answer
from electra_tf.finetune.tasks.tables import json_records


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
    records = _squad_records(path, parse_json(read_text(path), path))
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
    where = f"{path} (SQuAD's format)"
    for article in value_of(content, "data", list, where):
        of_type(article, dict, f"{where}: an article")
        title = reprlib.repr(article.get("title", ""))
        where = f"{path}, {title}"
        paragraphs = value_of(article, "paragraphs", list, where)
        for number, paragraph in enumerate(paragraphs):
            where = f"{path}, {title}, paragraph {number}"
            context = value_of(paragraph, "context", str, where)
            for record in value_of(paragraph, "qas", list, where):
                yield _squad_question(context, record, path, where)


def _squad_question(
    context: str, record: Any, path: str, where: str
) -> Question:
    id_ = _id(record, "id", where)
    where = f"{path}, question {id_!r}"
    # A test file has no answers; 2.0 has none for impossible questions.
    is_impossible = value_or(record, "is_impossible", False, where)
    answers = value_or(record, "answers", [], where)
    texts = [value_of(answer, "text", str, where) for answer in answers]
    span = None
    if is_impossible:
        texts = []
    elif answers:
        start = value_of(answers[0], "answer_start", int, where)
        span = _span(context, start, start + len(texts[0]), where)
    question = value_of(record, "question", str, where)
    return Question(id_, question, context, tuple(texts), span)


def _mrqa_records(path: str) -> Iterator[Question]:
    for line, record in json_records(path):
        where = f"{line} (MRQA's format)"
        if "header" in record:
            continue
        context = value_of(record, "context", str, where)
        for qa in value_of(record, "qas", list, where):
            yield _mrqa_question(context, qa, path, where)


def _mrqa_question(
    context: str, record: Any, path: str, where: str
) -> Question:
    of_type(record, dict, f"{where}: a question")
    id_ = _id(record, "qid" if record.get("qid") else "id", where)
    where = f"{path}, question {id_!r}"
    detected = value_or(record, "detected_answers", [], where)
    texts = [value_of(answer, "text", str, where) for answer in detected]
    span = None
    if detected:
        spans = value_of(detected[0], "char_spans", list, where)
        rule = f"{where}: char_spans must begin with [first, last]"
        is_pair = spans and isinstance(spans[0], list) and len(spans[0]) == 2
        require(bool(is_pair), rule, spans)
        first, last = (
            of_type(place, int, f"{where}: places in char_spans")
            for place in spans[0]
        )
        span = _span(context, first, last + 1, where)  # last is included
    for answer in value_or(record, "answers", [], where):
        of_type(answer, str, f"{where}: an answer")
    texts = record.get("answers") or texts
    question = value_of(record, "question", str, where)
    return Question(id_, question, context, tuple(texts), span)


def _id(record: Any, name: str, where: str) -> str:
    """A question's id. Numbers are taken, too: in files of predictions both
    1 and "1" are the key "1", so here they are one id."""
    id_ = of_type(record, dict, f"{where}: a question").get(name)
    if isinstance(id_, int) and not isinstance(id_, bool):
        return str(id_)
    return value_of(record, name, str, f"{where}: a question")


def _span(context: str, start: int, end: int, where: str) -> tuple[int, int]:
    is_inside = 0 <= start < end <= len(context)
    rule = f"{where}: an answer must stand in its context"
    found = f"characters {start} to {end} of {len(context)}"
    require(is_inside, rule, found)
    return start, end
