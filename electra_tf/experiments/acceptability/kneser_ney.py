"""An n-gram model of token ids: the yardstick that knows no grammar.

NLTK's language models count in Python's dictionaries, which is slow and large
for ten million tokens and five orders; KenLM estimates only by a program in
C++ that its Python package does not bring. Sorted arrays do it in NumPy.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class _Order:
    """The n-grams of one length k; their numbers are places in `keys`.

    Attributes:
      keys: int64 [G], sorted: number of the first k - 1 tokens, last token.
      counts: float64 [G], c_k.
      totals, types: float64 by the number of the first k - 1 tokens: c_k
        summed over the tokens that may follow them, and how many these are.
      discount: D_k.
    """

    keys: np.ndarray
    counts: np.ndarray
    totals: np.ndarray
    types: np.ndarray
    discount: float

    def number(self, keys: np.ndarray) -> np.ndarray:
        """Numbers of n-grams by their keys; -1 for those never seen."""
        places = np.searchsorted(self.keys, keys)
        places = np.minimum(places, len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, -1)


class KneserNey:
    """Interpolated Kneser-Ney:

    P_k(w | h) = (max(c_k(h w) - D_k, 0) + D_k n_k(h) P_{k-1}(w | h')) / c_k(h)

    for k - 1 tokens h, without their first h'. c_n counts what was seen; c_k
    below counts the different tokens seen before an n-gram. n_k(h) is the
    number of different tokens after h, c_k(h) the sum of c_k over them;
    D_k = n1 / (n1 + 2 n2) of n-grams with c_k = 1 and 2. After an h that was
    never seen P_k is P_{k-1}; P_0 is 1 / V. In front of each text stand n - 1
    borders, and the ends of texts are not predicted.

    Args:
      texts: int arrays of ids below `vocab_size`.
      vocab_size: V.
      order: n.

    Reference: Chen and Goodman, An Empirical Study of Smoothing Techniques
    for Language Modeling, 1999 (with one discount an order).
    """

    def __init__(
        self, texts: Iterable[np.ndarray], vocab_size: int, order: int = 5
    ):
        self.vocab_size, self.order = vocab_size, order
        self._border = vocab_size
        tokens = self._joined(texts)
        self.num_tokens = int((tokens != self._border).sum())
        numbers = np.zeros(len(tokens), np.int64)  # of the n-gram ending there
        found = []
        for _ in range(order):
            keys = self._keys(numbers, tokens)
            unique, first, inverse, counts = np.unique(
                keys, return_index=True, return_inverse=True, return_counts=True
            )
            # Without its first token it is the shorter n-gram that ends there.
            found.append((unique, counts, numbers[first]))
            numbers = inverse
        self._orders = []
        for k, (keys, counts, _) in enumerate(found):
            if k + 1 < order:
                shorter = found[k + 1][2]
                counts = np.bincount(shorter, minlength=len(keys))
            counts = np.where(self._is_text(keys), counts, 0)
            num_prefixes = len(found[k - 1][0]) if k else 1
            self._orders.append(self._made(keys, counts, num_prefixes))

    def _joined(self, texts: Iterable[np.ndarray]) -> np.ndarray:
        edge = np.full(self.order - 1, self._border)
        parts = [part for text in texts for part in (edge, text)]
        return np.concatenate([*parts, edge]).astype(np.int64)

    def _keys(self, numbers: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        before = np.concatenate([[0], numbers[:-1]])
        return before * (self.vocab_size + 1) + tokens

    def _is_text(self, keys: np.ndarray) -> np.ndarray:
        return keys % (self.vocab_size + 1) != self._border

    def _made(
        self, keys: np.ndarray, counts: np.ndarray, num_prefixes: int
    ) -> _Order:
        prefix = keys // (self.vocab_size + 1)
        once, twice = (counts == 1).sum(), (counts == 2).sum()
        return _Order(
            keys,
            counts.astype(np.float64),
            np.bincount(prefix, counts, num_prefixes),
            np.bincount(prefix, counts > 0, num_prefixes),
            once / (once + 2 * twice) if once else 0.5,
        )

    def log_probs(self, texts: Sequence[np.ndarray]) -> np.ndarray:
        """The log of the probability of each text's tokens, float64 [N]."""
        tokens = self._joined(texts)
        probability = np.full(len(tokens), 1 / self.vocab_size)
        numbers = np.zeros(len(tokens), np.int64)
        for each in self._orders:
            before = np.concatenate([[0], numbers[:-1]])
            keys = self._keys(numbers, tokens)
            numbers = np.where(before < 0, -1, each.number(keys))
            total = np.where(before < 0, 0.0, each.totals[before])
            count = np.where(numbers < 0, 0.0, each.counts[numbers])
            rest = each.discount * each.types[before] * probability
            kept = np.maximum(count - each.discount, 0)
            with np.errstate(divide="ignore", invalid="ignore"):
                better = (kept + rest) / total
            probability = np.where(total > 0, better, probability)
        logs = np.log(probability)[tokens != self._border]
        text = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
        return np.bincount(text, logs, len(texts))
