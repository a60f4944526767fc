"""Does a model prefer the acceptable one of two texts?

What the pairs are is read in `pairs`; here is what a score makes of them.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from electra_tf.experiments.acceptability.pairs import Pair

SHORTER = "the shorter one"
Scores = Callable[[Sequence[str]], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """Pairs and what they were scored with.

    Attributes:
      good, bad: float64 [N], of each pair's texts.
    """

    pairs: Sequence[Pair]
    good: np.ndarray
    bad: np.ndarray

    def where(self, chosen: np.ndarray) -> "Scored":
        """Some of them, by bool [N]."""
        pairs = list(itertools.compress(self.pairs, chosen))
        return Scored(pairs, self.good[chosen], self.bad[chosen])


def score_pairs(pairs: Sequence[Pair], scores: Scores) -> Scored:
    """Scores each text of the pairs."""
    texts = [text for pair in pairs for text in (pair.good, pair.bad)]
    found = np.asarray(scores(texts), np.float64).reshape(-1, 2)
    return Scored(pairs, found[:, 0], found[:, 1])


def summary(scored: Scored) -> dict[str, Any]:
    """Accuracies in percent; a pair is right where good is strictly above bad.

    `mean` is over paradigms, whatever their number of pairs; that of a term
    is over its own. `standard_error` is that of drawing other pairs of the
    same paradigms, sqrt(sum over paradigms of p (1 - p) / n) / paradigms.
    """
    names = np.array([pair.paradigm for pair in scored.pairs])
    is_right, is_tie = scored.good > scored.bad, scored.good == scored.bad
    terms = {pair.paradigm: pair.term for pair in scored.pairs}
    paradigms: dict[str, dict[str, Any]] = {}
    for name, term in terms.items():
        members = names == name
        accuracy = float(is_right[members].mean())
        count = int(members.sum())
        paradigms[name] = {
            "term": term,
            **_in_percent(accuracy, accuracy * (1 - accuracy) / count),
            "pairs": count,
            "ties": int(is_tie[members].sum()),
        }
    return {
        **_mean(list(paradigms.values())),
        "pairs": len(scored.pairs),
        "ties": int(is_tie.sum()),
        "terms": {
            term: _mean([p for p in paradigms.values() if p["term"] == term])
            for term in dict.fromkeys(terms.values())
            if term
        },
        "paradigms": paradigms,
    }


def _in_percent(mean: float, variance: float) -> dict[str, float]:
    error = math.sqrt(variance)
    return {"mean": 100 * mean, "standard_error": 100 * error}


def _mean(parts: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The mean of independent figures; empty of none."""
    if not parts:
        return {}
    count = len(parts)
    errors = sum(part["standard_error"] ** 2 for part in parts)
    return {
        "mean": sum(part["mean"] for part in parts) / count,
        "standard_error": math.sqrt(errors) / count,
    }


def evaluate(
    pairs: Sequence[Pair],
    scores: Scores,
    num_tokens: Scores,
    baselines: Mapping[str, Scores],
) -> tuple[dict[str, Any], Scored]:
    """What a model and baselines make of pairs.

    Args:
      pairs: one or more.
      scores: the model's, of texts.
      num_tokens: of texts, in the model's tokens.
      baselines: name -> scores; the shorter text is added as one.

    Returns:
      the model's `summary`, with `equal_tokens`, the summary of those pairs
      whose texts have the same number of tokens, and `baselines`, the same of
      each; and the model's scores.
    """
    scored = score_pairs(pairs, scores)
    lengths = score_pairs(pairs, num_tokens)
    is_equal = lengths.good == lengths.bad

    def judged(each: Scored) -> dict[str, Any]:
        return {**summary(each), "equal_tokens": summary(each.where(is_equal))}

    others = {SHORTER: summary(Scored(pairs, -lengths.good, -lengths.bad))}
    for name, of_texts in baselines.items():
        others[name] = judged(score_pairs(pairs, of_texts))
    return {**judged(scored), "baselines": others}, scored
