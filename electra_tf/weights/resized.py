"""A checkpoint's tables for another vocabulary, or for longer texts."""

import collections
import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from electra_tf.data.tokenizers import Tokenizer
from electra_tf.modeling.tying import DELTA
from electra_tf.weights.record import LazyArrays

# Last names of the variables whose first dimension is the vocabulary's size.
_WORDS, _BIAS = "word_embeddings", "output_bias"
_PLACES = "position_embeddings"
# This head chooses among a few given words: no softmax over the vocabulary.
_CHOOSES = "selector_predictions/"
# What all new tokens together may take of any predicted distribution.
SHARE = 1e-5


class MatchedRows:
    """Where a vocabulary's rows come from in the tables of another one.

    A token of both keeps its row to the last bit. A new one gets the mean of
    the rows of its old pieces: of its text as the old tokenizer splits it,
    [UNK] left out; where none is left, the mean of all rows.

    In a softmax over the vocabulary, new tokens take probability from the old
    ones. So their output bias is the mean of their pieces', plus ln(SHARE / c),
    where c is the most new tokens that lean on one old piece (a token of n
    pieces leans on each by 1 / n). As exp is convex, the sum of exp(logit)
    over the new tokens then is at most SHARE times that over the old pieces: no
    masked-LM loss on text without new tokens rises by more than SHARE.

    Args:
      old: the tokenizer of the tables.
      new: the one that they are for.

    Attributes:
      told: how many rows are of which kind, for the user.
    """

    def __init__(self, old: Tokenizer, new: Tokenizer):
        places = {piece: row for row, piece in enumerate(old.vocab)}
        rows = [places.get(piece, -1) for piece in new.vocab]
        self._rows = np.array(rows, np.int64)  # [V'], -1 of a new token
        added = np.flatnonzero(self._rows < 0)
        texts = [new.text_of(new.vocab[i]).encode() for i in added]
        pieces = old.tokenize(tf.constant(texts, tf.string)).to_list()
        known = [[p for p in row if p != old.unk_id] for row in pieces]
        self._pieces = {i: p for i, p in zip(added, known, strict=True) if p}
        self._unknown = [i for i, p in zip(added, known, strict=True) if not p]
        self._offset = np.zeros(new.vocab_size)  # [V']
        if len(added):
            leaning = self._leaning(old.vocab_size)
            self._offset[added] = math.log(SHARE / leaning)
        carried = len(rows) - len(added)
        self.told = (
            f"{carried:,} of {len(rows):,} rows by their token, "
            f"{len(self._pieces):,} new ones as the mean of their old pieces, "
            f"{len(self._unknown):,} as the mean of all (no piece known); "
            f"{old.vocab_size - carried:,} old rows left out"
        )

    def _leaning(self, num_old: int) -> float:
        """The c of the class's rule."""
        numbers: dict[int, float] = collections.defaultdict(float)
        for pieces in self._pieces.values():
            for piece in pieces:
                numbers[piece] += 1 / len(pieces)
        return max(numbers.values(), default=0) + len(self._unknown) / num_old

    def __call__(self, table: np.ndarray) -> np.ndarray:
        """The table of the new vocabulary: [V, ...] -> [V', ...]."""
        found = table[self._rows]
        for place, pieces in self._pieces.items():
            found[place] = table[pieces].mean(0, dtype=np.float64)
        if self._unknown:
            found[self._unknown] = table.mean(0, dtype=np.float64)
        return found

    def bias(self, name: str, table: np.ndarray) -> np.ndarray:
        """The same of the output bias of that name, [V] -> [V']."""
        offset = 0 if name.startswith(_CHOOSES) else self._offset
        return (self(table) + offset).astype(table.dtype)


def resized(
    arrays: Mapping[str, np.ndarray],
    num_positions: int,
    match: MatchedRows | None = None,
    are_weights: bool = True,
) -> LazyArrays:
    """Arrays by variable name, those that depend on a size at the new one.

    Args:
      arrays: weights, or Adam's moments of them.
      num_positions: rows of the position table; where it had fewer they are
        repeated: row p is the old row p mod P.
      match: for another vocabulary.
      are_weights: whether new tokens get a bias of their own; moments do not.
    """

    def read(name: str) -> np.ndarray:
        array = arrays[name]
        kind = name.rpartition("/")[2].removesuffix(DELTA)
        if kind == _PLACES and num_positions > len(array):
            return np.resize(array, (num_positions, *array.shape[1:]))
        if match is None or kind not in (_WORDS, _BIAS):
            return array
        if kind == _BIAS and are_weights:
            return match.bias(name, array)
        return match(array)

    return LazyArrays(arrays, read)
