"""Words of text that is written without spaces: MeCab's, Sudachi's.

A splitter is Python, which a graph that is exported cannot hold: there the
text must have been split before. Everywhere else it is called by itself.
"""

import functools
import re
import threading
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from electra_tf.config.pretraining import WORD_BORDERS, WORD_SPLITTERS
from electra_tf.data.tokenizers.tokenizer import Tokenizer
from electra_tf.errors import require, require_packages

NONE = WORD_SPLITTERS[0]
_PACKAGES = {
    "mecab": ("fugashi", "unidic_lite"),
    "sudachi": ("sudachipy", "sudachidict_core"),
}
# Sudachi takes 49,149 bytes at once; a sentence rarely has as many.
_PARTS = re.compile(r"[^。\n]{1,8000}。*|[。\n]+")
# Characters of scripts that have no spaces: kana, Chinese ones, Thai.
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]+")
# Of split text a run of them is a word; of other text, what commas leave.
_ENOUGH, _LONGEST = 100, 8  # characters
_lock = threading.Lock()  # neither is made for several threads


class WordSplitter:
    """Puts a space between words.

    Args:
      name: one of `WORD_SPLITTERS`; "none" leaves texts as they are.

    Raises:
      InputError: another name, or its packages are not installed.
    """

    def __init__(self, name: str):
        rule = f"word_splitter must be one of {', '.join(WORD_SPLITTERS)}"
        require(name in WORD_SPLITTERS, rule, name)
        self.name = name
        if name != NONE:
            purpose = f"word_splitter={name} needs"
            require_packages(purpose, _PACKAGES[name], "ja")

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """The words of each text with spaces between; string [B]."""
        if self.name == NONE:
            return texts

        def spaced(values: np.ndarray) -> np.ndarray:
            rows = (" ".join(self.words(_decoded(v))) for v in values)
            return np.array([row.encode() for row in rows], object)

        found = tf.numpy_function(spaced, [texts], tf.string)
        return tf.ensure_shape(found, texts.shape)

    def words(self, text: str) -> list[str]:
        """The words of a text, none with white space in it."""
        cut = _cutter(self.name)
        with _lock:
            parts = [cut(part) for part in _PARTS.findall(text)]
        return " ".join(word for part in parts for word in part).split()

    def to_original(
        self,
        texts: tf.Tensor,
        spaced: tf.Tensor,
        starts: tf.RaggedTensor,
        ends: tf.RaggedTensor,
    ) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Maps byte ranges of what `__call__` gave to those of the texts.

        Args:
          texts, spaced: string [B], what it was given and what it gave.
          starts, ends: int32 [B, (ranges)], none of the ranges empty.
        """
        if self.name == NONE:
            return starts, ends
        found = tf.numpy_function(
            _places,
            [texts, spaced, starts.row_splits, starts.values, ends.values],
            [tf.int32, tf.int32],
        )
        begins, stops = (tf.ensure_shape(x, [None]) for x in found)
        return starts.with_values(begins), ends.with_values(stops)


def without_splitter(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer for text that was split before, as exports have it."""
    config = tokenizer.get_config()
    if config.pop("word_splitter", NONE) == NONE:
        return tokenizer
    return Tokenizer.from_config(config)


def check_is_split(tokenizer: Tokenizer, texts: Iterable[str | bytes]) -> None:
    """Refuses text that is not split, where the tokenizer takes that alone.

    Args:
      tokenizer: of any kind.
      texts: some of them.

    Raises:
      InputError: runs of characters without spaces are too long for words.
    """
    options = tokenizer.options
    splitter = options.get("word_splitter", NONE)
    if options.get("word_borders") != WORD_BORDERS[-1] or splitter != NONE:
        return
    lines = (_decoded(x) if isinstance(x, bytes) else x for x in texts)
    runs = [len(run) for line in lines for run in _UNSPACED.findall(line)]
    mean = sum(n * n for n in runs) / max(sum(runs), 1)
    rule = "text for word_borders=spaces must be split into words, or "
    rule += f"--word_splitter given, one of {', '.join(WORD_SPLITTERS[1:])}"
    is_split = sum(runs) < _ENOUGH or mean <= _LONGEST
    require(is_split, rule, f"runs of {mean:.0f} characters without a space")


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "ignore")


@functools.cache
def _cutter(name: str) -> Callable[[str], list[str]]:
    """What cuts a sentence into words; dictionaries are read once."""
    if name == "mecab":
        import fugashi
        import unidic_lite

        tagger = fugashi.Tagger(f'-d "{unidic_lite.DICDIR}"')
        return lambda text: [word.surface for word in tagger(text)]
    import sudachipy

    tokenizer = sudachipy.Dictionary(dict="core").tokenizer()
    return lambda text: [word.surface() for word in tokenizer.tokenize(text)]


def _places(
    texts: np.ndarray,
    spaced: np.ndarray,
    row_splits: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """`WordSplitter.to_original` on arrays."""
    starts, ends = starts.copy(), ends.copy()
    for row, (text, words) in enumerate(zip(texts, spaced, strict=True)):
        here = slice(row_splits[row], row_splits[row + 1])
        places = _byte_places(text, words)
        starts[here] = places[starts[here]]
        # The last byte's place, since a space may follow it in one of them.
        ends[here] = places[ends[here] - 1] + 1
    return starts, ends


def _byte_places(text: bytes, spaced: bytes) -> np.ndarray:
    """Place in the text of each byte of its words; int32 [bytes of spaced]."""
    places = np.zeros(len(spaced), np.int32)
    here = there = 0
    for word in spaced.split(b" "):
        there = text.find(word, there)
        length = len(word)
        places[here : here + length] = np.arange(there, there + length)
        here, there = here + length + 1, there + length
    return places
