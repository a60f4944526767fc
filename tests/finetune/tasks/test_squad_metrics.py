"""Exact match, F1 and thresholds against cases worked out by hand, and
against a second writing of the official script's rules."""

import random
import re
import string

import numpy as np
import pytest

from electra_tf.finetune.tasks.metrics import (
    answer_metrics,
    answer_scores,
    best_threshold,
    normalize_answer,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Eiffel Tower", "eiffel tower"),
        ("an apple, a pear; the end.", "apple pear end"),
        ("  two\t\nspaces ", "two spaces"),
        ("U.S.A.", "usa"),
        ("$1,000.50", "100050"),
        ("state-of-the-art", "stateoftheart"),  # "the" is no word by then
        ("A", ""),
        ("theory anthem", "theory anthem"),
        ("“quoted” — text…", "“quoted” — text…"),  # ASCII punctuation alone
        ("Élan the É", "élan é"),
        ("12\u00a0000", "12 000"),
        ("", ""),
    ],
)
def test_the_official_normalisation(text, expected):
    assert normalize_answer(text) == expected


@pytest.mark.parametrize(
    ("gold", "said", "exact", "f1"),
    [
        (["the cat"], "Cat", 1, 1),
        (["black cat"], "the cat sat", 0, 0.5),  # 1 of 2, 1 of 2
        (["a b b c"], "b b b", 0, 2 / 3),  # counts: 2 of 3, 2 of 3
        (["x", "y z"], "z", 0, 2 / 3),  # the best of the answers
        ([], "", 1, 1),
        ([], "cat", 0, 0),
        (["cat"], "", 0, 0),
        (["the", "cat"], "", 0, 0),  # one that normalises to nothing is out
    ],
)
def test_scores_of_one_answer(gold, said, exact, f1):
    found = answer_scores([gold], [said])
    np.testing.assert_allclose(np.ravel(found), [exact, f1])


def reference_scores(gold, said):
    """The official script's rules, word for word, in another writing."""

    def clean(text):
        kept = "".join(c for c in text.lower() if c not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", kept).split()

    best = [0.0, 0.0]
    for answer in [a for a in gold if clean(a)] or [""]:
        a, b = clean(answer), clean(said)
        exact = float(a == b)
        if not a or not b:
            f1 = float(a == b)
        else:
            left, shared = list(a), 0
            for word in b:
                if word in left:
                    left.remove(word)
                    shared += 1
            f1 = 2 * shared / (len(a) + len(b))
        best = [max(best[0], exact), max(best[1], f1)]
    return best


def random_text(rng):
    words = ["the", "a", "cat", "Cat.", "dog", "$5", "x-y", "An", "“q”"]
    return " ".join(rng.choices(words, k=rng.randrange(0, 5)))


def test_random_answers_against_the_second_writing():
    rng = random.Random(0)
    for _ in range(2000):
        gold = [random_text(rng) for _ in range(rng.randrange(0, 4))]
        said = random_text(rng)
        found = np.ravel(answer_scores([gold], [said]))
        np.testing.assert_allclose(found, reference_scores(gold, said))


def worth(threshold, odds, scores, answerable):
    """Sum of the scores if odds above the threshold get no answer."""
    given = np.asarray(odds) <= threshold
    with_answer = np.where(answerable, scores, 0.0)
    return np.where(given, with_answer, ~answerable).sum()


def test_the_best_threshold_by_trying_all():
    rng = np.random.default_rng(1)
    for _ in range(300):
        n = rng.integers(1, 9)
        odds = rng.integers(-3, 4, n).astype(float)  # with equal ones
        answerable = rng.random(n) < 0.6
        scores = rng.random(n)
        chosen = best_threshold(odds, scores, answerable)
        tried = [worth(t, odds, scores, answerable) for t in range(-5, 6)]
        assert worth(chosen, odds, scores, answerable) == pytest.approx(
            max(tried)
        )


def test_the_threshold_lies_between_the_odds():
    chosen = best_threshold(
        [-1.0, 3.0], np.array([1.0, 0.0]), np.array([True, False])
    )
    assert chosen == 1.0


def test_means_over_kinds_of_questions():
    gold = {"a": ["x"], "b": ["y z"], "c": [], "d": []}
    said = {"a": "x", "b": "z", "c": "", "d": "w"}
    found = answer_metrics(gold, said)
    assert found == pytest.approx(
        {
            "exact": 50.0,
            "f1": 100 * (1 + 2 / 3 + 1 + 0) / 4,
            "has_answer_exact": 50.0,
            "has_answer_f1": 100 * (1 + 2 / 3) / 2,
            "no_answer_f1": 50.0,
        }
    )


def test_a_question_without_prediction_is_wrong():
    assert answer_metrics({"a": ["x"], "b": ["x"]}, {"a": "x"})["exact"] == 50.0
    assert answer_metrics({"a": [], "b": []}, {"a": ""})["f1"] == 50.0


def test_only_sets_with_unanswerable_questions_have_their_figures():
    assert set(answer_metrics({"a": ["x"]}, {"a": "x"})) == {
        "exact",
        "f1",
    }
