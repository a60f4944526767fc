"""The tasks' metrics: scikit-learn's, SciPy's, seqeval's, and SQuAD's own.

All are times 100, as the paper prints them. Exact match and F1 of answers are
those of the official SQuAD and MRQA scripts (Rajpurkar et al. 2018,
`evaluate-v2.0.py`).
"""

import collections
import re
import string
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support
from sklearn import metrics as class_metrics

_TOP = 10  # passages that MRR and NDCG look at
_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def classification_metrics(
    gold: Sequence[int], predicted: Sequence[int], num_classes: int
) -> dict[str, float]:
    """Accuracy, F1 and Matthews' correlation of classes 0 .. num_classes - 1.

    F1 is that of class 1 where there are two classes, and the mean over the
    classes ("macro") where there are more. The correlation of constant
    predictions is 0.
    """
    average = "binary" if num_classes == 2 else "macro"
    f1 = class_metrics.f1_score(
        gold, predicted, average=average, zero_division=0
    )
    return {
        "accuracy": 100 * float(class_metrics.accuracy_score(gold, predicted)),
        "f1": 100 * float(f1),
        "mcc": 100 * float(class_metrics.matthews_corrcoef(gold, predicted)),
    }


def multi_label_metrics(
    gold: np.ndarray, predicted: np.ndarray
) -> dict[str, float]:
    """Micro and macro F1, and accuracy: all classes of a text are right.

    Args:
      gold, predicted: which classes hold, 0 or 1, [N, C].
    """
    found = {
        f"{average}_f1": class_metrics.f1_score(
            gold, predicted, average=average, zero_division=0
        )
        for average in ("micro", "macro")
    }
    found["accuracy"] = class_metrics.accuracy_score(gold, predicted)
    return {name: 100 * float(value) for name, value in found.items()}


def regression_metrics(
    gold: Sequence[float], predicted: Sequence[float]
) -> dict[str, float]:
    """Spearman's and Pearson's correlation; of constant values they are 0."""
    # SciPy says NaN there, which no median survives.
    if np.ptp(gold) == 0 or np.ptp(predicted) == 0:
        return {"spearman": 0.0, "pearson": 0.0}
    return {
        "spearman": 100 * float(stats.spearmanr(gold, predicted).statistic),
        "pearson": 100 * float(stats.pearsonr(gold, predicted).statistic),
    }


def ranking_metrics(
    queries: Sequence[str], labels: Sequence[float], scores: Sequence[float]
) -> dict[str, float]:
    """MRR@10 and NDCG@10, means over the queries.

    A query none of whose passages fits counts as 0. Of passages with equal
    scores, those that fit stand last in MRR, so that a constant score gains
    nothing, and NDCG is the mean over their orders.

    Args:
      queries: of each passage.
      labels: 0 where it does not fit; gains of NDCG.
      scores: the higher, the better.
    """
    rows: dict[str, list[int]] = {}
    for row, query in enumerate(queries):
        rows.setdefault(query, []).append(row)
    gains, found = np.asarray(labels, float), np.asarray(scores, float)
    ranks: list[float] = []
    ndcg: list[float] = []
    for places in map(np.array, rows.values()):
        gain, score = gains[places], found[places]
        if not gain.any():
            ranks.append(np.inf)
            ndcg.append(0.0)
            continue
        best = score[gain > 0].max()
        ahead = np.count_nonzero(score[gain == 0] >= best)
        ranks.append(1.0 + ahead)
        # Of one passage scikit-learn refuses to tell.
        alone = len(places) == 1
        one = (
            1.0 if alone else class_metrics.ndcg_score([gain], [score], k=_TOP)
        )
        ndcg.append(float(one))
    return {
        f"mrr@{_TOP}": mean_reciprocal_rank(ranks),
        f"ndcg@{_TOP}": 100 * float(np.mean(ndcg)),
    }


def mean_reciprocal_rank(ranks: Sequence[float]) -> float:
    """MRR@10 of the places, from 1, of the first that fits."""
    places = np.asarray(ranks, float)
    return 100 * float(np.mean(np.where(places <= _TOP, 1 / places, 0.0)))


def entity_metrics(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Entity precision, recall and F1 as `conlleval` counts them.

    Args:
      gold, predicted: for each sentence its words' tags, BIO or BIOES.
    """
    precision, recall, f1, _ = precision_recall_fscore_support(
        gold, predicted, average="micro", zero_division=0
    )
    found = {"f1": f1, "precision": precision, "recall": recall}
    return {name: 100 * float(value) for name, value in found.items()}


def normalize_answer(text: str) -> str:
    """Lower case, no ASCII punctuation, no articles, single spaces.

    Example:
      >>> normalize_answer("The  U.S.-based “cat”, a cat")
      'usbased “cat” cat'
    """
    text = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", text).split())


def exact_match(gold: str, predicted: str) -> float:
    """1.0 where the normalised texts are equal, else 0.0."""
    return float(normalize_answer(gold) == normalize_answer(predicted))


def token_f1(gold: str, predicted: str) -> float:
    """F1 of the bags of words of the normalised texts.

    If either is empty ("no answer"), 1.0 where both are, else 0.0.
    """
    gold_words = normalize_answer(gold).split()
    words = normalize_answer(predicted).split()
    if not gold_words or not words:
        return float(gold_words == words)
    shared = collections.Counter(gold_words) & collections.Counter(words)
    num_shared = shared.total()
    if not num_shared:
        return 0.0
    precision = num_shared / len(words)
    recall = num_shared / len(gold_words)
    return 2 * precision * recall / (precision + recall)


def answer_scores(
    gold: Sequence[Sequence[str]], predicted: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """(exact match, F1) of each question, against its best gold answer.

    Args:
      gold: the answers of each question; none for "no answer". Answers that
        normalise to nothing are left out, unless none is left.
      predicted: the answers given; "" for "no answer".

    Returns:
      two float arrays [N] in [0, 1].
    """
    exact, f1 = [], []
    for answers, answer in zip(gold, predicted, strict=True):
        answers = [a for a in answers if normalize_answer(a)] or [""]
        exact.append(max(exact_match(a, answer) for a in answers))
        f1.append(max(token_f1(a, answer) for a in answers))
    return np.array(exact), np.array(f1)


def best_threshold(
    null_odds: Sequence[float], scores: np.ndarray, is_answerable: np.ndarray
) -> float:
    """The threshold above which "no answer" gives the best mean score.

    Args:
      null_odds: [N], the higher, the likelier there is no answer.
      scores: [N], what each answer is worth if it is given; 0 .. 1.
      is_answerable: bool [N]; without an answer, "no answer" is worth 1.

    Returns:
      t: questions with null_odds > t get no answer. Halfway between two
      odds, as odds on other data fall on either side.
    """
    odds = np.asarray(null_odds, np.float64)
    order = np.argsort(odds, kind="stable")
    # gains[k]: score if just the k questions with the least odds are answered.
    gain = np.where(is_answerable, scores, -1.0)[order]
    gains = np.concatenate([[0.0], np.cumsum(gain)])
    odds = odds[order]
    # Equal odds cannot be told apart: a cut lies where they change.
    can_cut = np.concatenate([[True], odds[1:] > odds[:-1], [True]])
    best = int(np.argmax(np.where(can_cut, gains, -np.inf)))
    if best == 0:
        return float(odds[0] - 1.0)
    if best == len(odds):
        return float(odds[-1] + 1.0)
    return float((odds[best - 1] + odds[best]) / 2)


def answer_metrics(
    gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str]
) -> dict[str, float]:
    """Means over all questions and over those with and without an answer.

    Args:
      gold: question id -> its answers; none for "no answer".
      predicted: question id -> the answer given; a question that is missing
        counts as wrong.

    Returns:
      `exact`, `f1`; where some questions have no answer also
      `has_answer_exact`, `has_answer_f1` and `no_answer_f1`.
    """
    ids = list(gold)
    exact, f1 = answer_scores(
        [gold[i] for i in ids], [predicted.get(i, "") for i in ids]
    )
    given = np.array([i in predicted for i in ids])
    exact, f1 = exact * given, f1 * given
    answerable = np.array([bool(gold[i]) for i in ids])
    found = {"exact": exact.mean(), "f1": f1.mean()}
    if not answerable.all():
        found["no_answer_f1"] = f1[~answerable].mean()
        if answerable.any():
            found["has_answer_exact"] = exact[answerable].mean()
            found["has_answer_f1"] = f1[answerable].mean()
    return {name: 100 * float(value) for name, value in found.items()}
