"""Metrics against their formulas, written out a second time."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from electra_tf.finetune.tasks.metrics import (
    classification_metrics,
    entity_metrics,
    multi_label_metrics,
    regression_metrics,
)


def test_binary_metrics_from_the_table_of_counts():
    rng = np.random.default_rng(0)
    for _ in range(200):
        gold = rng.integers(0, 2, 40)
        said = np.where(rng.random(40) < 0.3, 1 - gold, gold)
        found = classification_metrics(gold, said, 2)
        tp = ((gold == 1) & (said == 1)).sum()
        tn = ((gold == 0) & (said == 0)).sum()
        fp = ((gold == 0) & (said == 1)).sum()
        fn = ((gold == 1) & (said == 0)).sum()
        root = np.sqrt(
            float((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) or 1.0
        )
        assert found["mcc"] == pytest.approx(100 * (tp * tn - fp * fn) / root)
        assert found["f1"] == pytest.approx(200 * tp / (2 * tp + fp + fn))
        assert found["accuracy"] == pytest.approx(100 * (tp + tn) / 40)


def test_metrics_of_several_classes():
    rng = np.random.default_rng(1)
    gold, said = rng.integers(0, 3, 60), rng.integers(0, 3, 60)
    found = classification_metrics(gold, said, 3)
    f1 = sklearn_metrics.f1_score(gold, said, average="macro")
    assert found["f1"] == pytest.approx(100 * f1)
    # Gorodkin's correlation, from indicator matrices.
    a, b = np.eye(3)[gold], np.eye(3)[said]
    a, b = a - a.mean(0), b - b.mean(0)
    expected = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
    assert found["mcc"] == pytest.approx(100 * expected)


def ranks(values):
    """Average ranks, by counting."""
    values = np.asarray(values)[:, None]
    below = (values > values.T).sum(1)
    equal = (values == values.T).sum(1)
    return below + (equal + 1) / 2


def test_correlations_with_ties():
    rng = np.random.default_rng(2)
    for _ in range(100):
        gold = rng.integers(0, 6, 30).astype(float)
        said = gold + rng.normal(size=30).round(1)
        found = regression_metrics(gold, said)
        pearson = np.corrcoef(gold, said)[0, 1]
        spearman = np.corrcoef(ranks(gold), ranks(said))[0, 1]
        assert found["pearson"] == pytest.approx(100 * pearson)
        assert found["spearman"] == pytest.approx(100 * spearman)


def test_constant_predictions_have_no_correlation():
    assert classification_metrics([0, 1, 1], [1, 1, 1], 2)["mcc"] == 0
    found = regression_metrics([0.0, 1.0, 2.0], [3.0, 3.0, 3.0])
    assert found == {"spearman": 0.0, "pearson": 0.0}


def conlleval_spans(tags):
    """Spans by the table of `conlleval`'s endOfChunk and startOfChunk."""
    found, begin = set(), None
    previous, previous_kind = "O", ""
    for place, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        ends = (
            (previous in "BI" and prefix in "BSO")
            or previous in ("E", "S")
            or (previous != "O" and previous_kind != kind)
        )
        starts = (
            prefix in ("B", "S")
            or (previous in ("E", "S", "O") and prefix in "EI")
            or (prefix != "O" and previous_kind != kind)
        )
        if ends and begin is not None:
            found.add((previous_kind, begin, place - 1))
            begin = None
        if starts:
            begin = place
        previous, previous_kind = prefix, kind
    return found


def test_entity_f1_as_conlleval_counts():
    rng = np.random.default_rng(3)
    tags = ["O", *(f"{p}-{k}" for p in "BIES" for k in ("PER", "a-b"))]
    for _ in range(300):
        gold = [list(rng.choice(tags, rng.integers(1, 9))) for _ in range(4)]
        said = [
            [t if rng.random() < 0.6 else rng.choice(tags) for t in row]
            for row in gold
        ]
        found = entity_metrics(gold, said)
        spans = [
            {
                (row, *s)
                for row, t in enumerate(rows)
                for s in conlleval_spans(t)
            }
            for rows in (gold, said)
        ]
        right = len(spans[0] & spans[1])
        precision = right / len(spans[1]) if spans[1] else 0
        recall = right / len(spans[0]) if spans[0] else 0
        f1 = 2 * right / (len(spans[0]) + len(spans[1]) or 1)
        assert found == pytest.approx(
            {
                "f1": 100 * f1,
                "precision": 100 * precision,
                "recall": 100 * recall,
            }
        )


def test_f1_of_several_classes_by_counting():
    rng = np.random.default_rng(4)
    for _ in range(50):
        shape = (int(rng.integers(1, 12)), int(rng.integers(2, 5)))
        gold, said = rng.integers(0, 2, (2, *shape))
        right, wrong = (gold & said).sum(0), (gold ^ said).sum(0)
        # F1 = 2 TP / (2 TP + FP + FN), of each class or of all at once.
        each = 2 * right / np.maximum(2 * right + wrong, 1)
        total = 2 * right.sum() / max(2 * right.sum() + wrong.sum(), 1)
        assert multi_label_metrics(gold, said) == pytest.approx(
            {
                "micro_f1": 100 * total,
                "macro_f1": 100 * each.mean(),
                "accuracy": 100 * (gold == said).all(1).mean(),
            }
        )
