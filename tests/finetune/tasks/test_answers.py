"""From scores of spans to answers, with scores written by hand."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.finetune.models.windows import Windows
from electra_tf.finetune.tasks.answers import (
    CutQuestions,
    Passage,
    answer_questions,
)
from electra_tf.finetune.tasks.squad import Question

CONTEXT = "Zoë met  Bob, in Rome"
WORDS = [(0, 3), (4, 7), (9, 12), (12, 13), (14, 16), (17, 21)]
QUESTION = Question("q", "Who?", CONTEXT, ("Bob",), (9, 12))
OFFSET = 3


def passage():
    starts, ends = np.array(WORDS).T
    return Passage(np.arange(6), starts, ends)


def cut(*rows):
    """Windows of (question, first token, tokens) each."""
    rows = rows or [(0, 0, 6)]
    row, first, length = tf.unstack(tf.constant(rows, tf.int32), axis=1)
    passages = [passage()] * (1 + max(row for row, *_ in rows))
    lengths = [len(one.ids) for one in passages]
    begin = tf.fill(tf.shape(row), OFFSET)
    windows = Windows(row, first, length, begin, tf.constant(lengths))
    return CutQuestions(windows, passages, 0)


def outputs(*rows):
    """Each row: {(start token, end token): score}, tokens in the window."""
    size = max(len(row) for row in rows)
    shape = [len(rows), size]
    found = {
        "start_log_probs": np.zeros(shape, np.float32),
        "start_index": np.zeros(shape, np.int32),
        "end_log_probs": np.full([*shape, size], -50.0, np.float32),
        "end_index": np.zeros([*shape, size], np.int32),
        "answerability": np.zeros(len(rows), np.float32),
    }
    for n, row in enumerate(rows):
        for k, ((start, end), score) in enumerate(row.items()):
            found["start_index"][n, k] = start + OFFSET
            found["end_index"][n, k, 0] = end + OFFSET
            found["start_log_probs"][n, k] = score / 2
            found["end_log_probs"][n, k, 0] = score / 2
    return found


def texts(answered):
    return [answer.text for answer in answered.answers[0]]


def test_answers_are_cut_from_the_text():
    scores = outputs({(1, 2): -1.0, (0, 0): -2.0, (5, 5): -1.5})
    answered = answer_questions(cut(), scores, [QUESTION])
    assert texts(answered)[:3] == ["met  Bob", "Rome", "Zoë"]
    best = answered.answers[0][0]
    assert (best.start, best.end, best.score) == (4, 12, -1.0)


@pytest.mark.parametrize(
    "span",
    [
        (2, 1),  # ends before it starts
        (-3, 0),  # [CLS]
        (-1, 1),  # the question's [SEP]
        (4, 6),  # ends at the last [SEP]
        (0, 3),  # four tokens
    ],
)
def test_spans_that_cannot_be(span):
    scores = outputs({span: -0.1, (4, 4): -3.0})
    answered = answer_questions(cut(), scores, [QUESTION], max_answer_length=3)
    assert texts(answered)[0] == "in"


def test_where_no_span_can_be_the_answer_is_empty():
    scores = outputs({(2, 1): -0.1})
    answered = answer_questions(cut(), scores, [QUESTION])
    assert texts(answered) == [""]
    assert answered.texts() == [""]


def test_a_start_counts_in_its_own_window_only():
    windows = cut((0, 0, 4), (0, 2, 4))
    # "Bob" is token 2 in the first, 0 in the second, where it has no context.
    scores = outputs({(2, 2): -5.0}, {(0, 0): -0.1, (3, 3): -4.0})
    answered = answer_questions(windows, scores, [QUESTION])
    assert texts(answered)[:2] == ["Rome", "Bob"]


def test_one_text_stands_once_in_the_list():
    question = Question("q", "?", "a b a", ("a",), (0, 1))
    passage = Passage(np.arange(3), np.array([0, 2, 4]), np.array([1, 3, 5]))
    row = CutQuestions(
        dataclasses.replace(
            cut((0, 0, 3)).windows, passage_lengths=tf.constant([3])
        ),
        [passage],
        0,
    )
    scores = outputs({(0, 0): -2.0, (1, 1): -1.5, (2, 2): -1.0})
    answered = answer_questions(row, scores, [question], num_best=2)
    assert [(a.text, a.start) for a in answered.answers[0]] == [
        ("a", 4),
        ("b", 2),
    ]


def test_a_question_is_as_answerable_as_its_best_window():
    scores = outputs({(0, 0): -1.0}, {(0, 0): -1.0}, {(0, 0): -1.0})
    scores["answerability"] = np.array([2.0, -1.0, 0.5], np.float32)
    windows = cut((0, 0, 6), (0, 0, 6), (1, 0, 6))
    answered = answer_questions(windows, scores, [QUESTION, QUESTION])
    assert answered.null_odds.tolist() == [-1.0, 0.5]
    assert answered.texts(0.0) == ["Zoë", ""]
    assert answered.texts(0.5) == ["Zoë", "Zoë"]  # above, not at
