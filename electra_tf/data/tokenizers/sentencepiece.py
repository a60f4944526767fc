"""SentencePiece's unigram tokenizer, by TF Text's op inside of the graph."""

import base64
import itertools
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from tensorflow_text.python.ops.sentencepiece_tokenizer import (
    gen_sentencepiece_tokenizer as ops,
)

from electra_tf.config.pretraining import UNICODE_NORMALIZATIONS
from electra_tf.data.tokenizers import normalization, offsets
from electra_tf.data.tokenizers.kinds import register
from electra_tf.data.tokenizers.normalization import NFKC, NONE
from electra_tf.data.tokenizers.sentencepiece_model import (
    CONTROL,
    WORD,
    read_model,
    train_model,
)
from electra_tf.data.tokenizers.tokenizer import Ragged, Tokenizer
from electra_tf.data.tokenizers.vocab_file import read_vocabulary
from electra_tf.errors import InputError, require

CHARACTER_COVERAGE = 0.9995
_BATCH_LINES = 4096
# More text changes little, and the trainer holds all of it.
_MAX_LINES = 1_000_000
# Letters of scripts that put no spaces between words: Thai, Lao, Myanmar,
# Khmer, kana, ideographs.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]"
)
_PRIVATE = range(0xE000, 0xF900)


@register
class SentencePieceTokenizer(Tokenizer):
    """Kudo 2018: the most probable pieces; white space is a character, "▁".

    Ids equal those of the `sentencepiece` package, given the same text;
    lower-casing and stripping come before. NFKC is the model's own rule, which
    its op follows. Control symbols are never found in text: a "[MASK]" in it
    is ordinary text.

    Inside a graph the model is an attribute of an op of that graph, so exports
    need no file or resource for it.

    Args:
      model: the file's content, or that in base64, as JSON holds it.
      do_lower_case, strip_accents: as `Tokenizer`.
      unicode_normalization: what the model does, "none" or "NFKC"; None asks
        it.

    Raises:
      InputError: the model is damaged, lacks control symbols, or does not
        normalise so.
    """

    kind, file_name = "sentencepiece", "spiece.model"
    OPTIONS: ClassVar[Mapping[str, type]] = {
        **Tokenizer.OPTIONS,
        "unicode_normalization": str,
    }
    DEFAULTS: ClassVar[dict[str, Any]] = {"unicode_normalization": NFKC}
    IN_CONTEXT = True

    def __init__(
        self,
        model: bytes | str,
        do_lower_case: bool = True,
        strip_accents: bool | None = None,
        unicode_normalization: str | None = None,
    ):
        self.model = (
            base64.b64decode(model) if isinstance(model, str) else model
        )
        found = read_model(self.model)
        super().__init__(found.pieces, do_lower_case, strip_accents)
        form = found.unicode_normalization
        rule = f"unicode_normalization must be {form}, which the SentencePiece "
        rule += "model does itself (train_vocab.py makes one of the other)"
        require(
            unicode_normalization in (None, form), rule, unicode_normalization
        )
        self.unicode_normalization = form
        kinds = np.array(found.kinds)
        marked = np.array([piece.startswith(WORD) for piece in self.vocab])
        self.starts_word = marked | (kinds == CONTROL)
        unspaced = np.array([_is_unspaced(piece) for piece in self.vocab])
        self._may_cut = self.starts_word | unspaced
        self.words = tuple(
            piece.removeprefix(WORD)
            if may and piece.removeprefix(WORD).isalpha()
            else ""
            for piece, may in zip(self.vocab, self._may_cut, strict=True)
        )
        used = set("".join(self.vocab))
        self._stranger = next(c for c in map(chr, _PRIVATE) if c not in used)
        # In a graph of its own, of which exports hold one. Eagerly, too: a
        # resource made by an op that runs by itself is gone when TensorFlow
        # clears its caches, as tf.random.set_seed does.
        texts = tf.TensorSpec([None], tf.string)
        split = tf.function(self._split, input_signature=[texts])
        with tf.init_scope():
            self._split_in_graph = split.get_concrete_function()
        try:
            self._split_in_graph(tf.constant([""]))
        except tf.errors.OpError as error:
            raise InputError(
                "a SentencePiece model must be one that TensorFlow Text reads; "
                f"received one of which it says: {error.message}"
            ) from None

    @property
    def may_cut(self) -> np.ndarray:
        return self._may_cut

    def normalize(self, texts: tf.Tensor) -> tf.Tensor:
        """Casing and accents; the rest is the model's, in `split`."""
        texts = normalization.valid_utf8(texts)
        if self.unicode_normalization == NONE:
            texts = normalization.one_space(texts)
        if self.do_lower_case:
            # TensorFlow's lower-casing ends a text at a NUL.
            texts = tf.strings.regex_replace(texts, r"\x00+", "")
        return normalization.fold(texts, self.do_lower_case, self.strip_accents)

    def split(self, texts: tf.Tensor) -> Ragged:
        return self._split_in_graph(texts)

    def _split(self, texts: tf.Tensor) -> Ragged:
        model = ops.sentencepiece_op(model=self.model)
        ids, splits, *places = ops.sentencepiece_tokenize_with_offsets_op(
            model,
            texts,
            nbest_size=0,
            alpha=1.0,
            add_bos=False,
            add_eos=False,
            reverse=False,
            out_type=tf.int32,
        )
        ids, starts, ends = (
            tf.RaggedTensor.from_row_splits(
                tf.cast(values, tf.int32), splits, validate=False
            )
            for values in (ids, *places)
        )
        return ids, starts, ends

    def tokenize_with_offsets(self, texts: tf.Tensor) -> Ragged:
        """As of any kind, but a character that becomes several belongs to its
        last piece; pieces without any, such as a lone "▁", are empty.
        """
        ids, starts, ends = self.split(self.normalize(texts))
        return ids, *offsets.borders_in_original(
            texts, self.normalize, starts, ends
        )

    def tokenize_after(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Without the "▁" that stands for the beginning of a text."""
        stranger = tf.constant(self._stranger)  # no piece has it
        texts = tf.strings.join([stranger, texts])
        ids, _, ends = self.split(self.normalize(texts))
        return tf.ragged.boolean_mask(ids, ends > tf.strings.length(stranger))

    def text_of(self, piece: str) -> str:
        return piece.replace(WORD, " ").lstrip()

    def content(self) -> bytes:
        return self.model

    @classmethod
    def read(cls, path: str, *options: Any, **named: Any) -> "Tokenizer":
        content = read_vocabulary(path)
        try:
            return cls(content, *options, **named)
        except InputError as error:
            raise InputError(f"{path!r}: {error}") from None

    @classmethod
    def is_file(cls, path: str) -> bool:
        return path.endswith(".model")

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["vocab"]
        return config | {"model": base64.b64encode(self.model).decode()}

    @classmethod
    def learn(
        cls,
        lines: Iterable[str],
        vocab_size: int,
        do_lower_case: bool = True,
        strip_accents: bool | None = None,
        log: Callable[[str], None] | None = None,
        unicode_normalization: str | None = None,
        character_coverage: float = CHARACTER_COVERAGE,
        **options: Any,
    ) -> "tuple[Tokenizer, Counter[str]]":
        form = unicode_normalization or NFKC
        rule = "unicode_normalization must be one of "
        rule += ", ".join(UNICODE_NORMALIZATIONS)
        require(form in UNICODE_NORMALIZATIONS, rule, form)
        accents = do_lower_case if strip_accents is None else strip_accents
        chosen = _sample(lines, _MAX_LINES)
        texts = list(_folded(chosen, do_lower_case, accents, form))
        if log:
            log(f"{len(texts)} lines, chosen at random if there were more")
        model = train_model(texts, vocab_size, character_coverage, form)
        words = Counter(word for text in texts for word in text.split())
        return cls(model, do_lower_case, accents), words


def _is_unspaced(piece: str) -> bool:
    first = piece[:1]
    is_letter = _UNSPACED.fullmatch(first) is not None
    return is_letter and not unicodedata.category(first).startswith("M")


def _sample(lines: Iterable[str], count: int) -> list[str]:
    """Lines in their order, at most `count` of them, all as likely."""
    rng = random.Random(0)
    chosen: dict[int, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        place = number if number < count else rng.randrange(number + 1)
        if place < count:
            chosen[place] = number, line
    return [line for _, line in sorted(chosen.values())]


def _folded(
    lines: Iterable[str], do_lower_case: bool, strip_accents: bool, form: str
) -> Iterator[str]:
    lines = iter(lines)
    while batch := list(itertools.islice(lines, _BATCH_LINES)):
        texts = tf.constant([line.encode("utf-8") for line in batch])
        if form == NONE:
            texts = normalization.one_space(texts)
        texts = normalization.fold(texts, do_lower_case, strip_accents)
        yield from (text.decode("utf-8") for text in texts.numpy())
