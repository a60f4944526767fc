"""The 5-gram against the formula, counted and summed in plain Python."""

import collections
import itertools
import math

import numpy as np
import pytest

from electra_tf.experiments.acceptability.kneser_ney import KneserNey

TEXTS = [[0, 1, 2, 1, 0], [1, 2, 2], [0, 1, 2, 3], [3], [0, 1, 1, 2, 1, 2]]
V = 5  # 4 stands nowhere


class ByTheFormula:
    """Dictionaries and recursion."""

    def __init__(self, texts, order):
        seen = collections.Counter()
        for text in texts:
            padded = ["<"] * (order - 1) + text
            for i in range(order - 1, len(padded)):
                seen[tuple(padded[i - order + 1 : i + 1])] += 1
        self.counts = {order: seen}
        for k in range(order - 1, 0, -1):
            before = collections.defaultdict(set)
            for gram in self.counts[k + 1]:
                before[gram[1:]].add(gram[0])
            self.counts[k] = {g: len(firsts) for g, firsts in before.items()}

    def probability(self, context, token):
        k = len(context) + 1
        counts = self.counts[k]
        once, twice = (list(counts.values()).count(n) for n in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.5
        lower = 1 / V
        if context:
            lower = self.probability(context[1:], token)
        after = [c for gram, c in counts.items() if gram[:-1] == context]
        if not after:
            return lower
        kept = max(counts.get((*context, token), 0) - discount, 0)
        return (kept + discount * len(after) * lower) / sum(after)

    def log_prob(self, text, order):
        padded = ["<"] * (order - 1) + text
        return sum(
            math.log(self.probability(tuple(padded[i : i + order - 1]), token))
            for i, token in enumerate(text)
        )


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_every_text_of_three_tokens(order):
    model = KneserNey(map(np.array, TEXTS), V, order)
    plain = ByTheFormula(TEXTS, order)
    assert model.num_tokens == sum(map(len, TEXTS))
    texts = [list(ids) for ids in itertools.product(range(V), repeat=3)]
    texts.append([])
    found = model.log_probs([np.array(text, int) for text in texts])
    expected = [plain.log_prob(text, order) for text in texts]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # Of texts of one length the probabilities sum to 1.
    assert np.exp(found[:-1]).sum() == pytest.approx(1)
