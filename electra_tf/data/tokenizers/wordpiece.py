"""BERT's tokenizer: greedy longest-match-first WordPiece."""

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
from tensorflow_text.core.pybinds import (
    pywrap_fast_wordpiece_tokenizer_model_builder as model_builder,
)

from electra_tf.config.pretraining import UNICODE_NORMALIZATIONS, WORD_BORDERS
from electra_tf.data.tokenizers import normalization, offsets
from electra_tf.data.tokenizers.kinds import register
from electra_tf.data.tokenizers.learning import (
    SUFFIX,
    count_words,
    learn_wordpiece,
)
from electra_tf.data.tokenizers.normalization import NFKC
from electra_tf.data.tokenizers.tokenizer import Ragged, Tokenizer
from electra_tf.data.tokenizers.vocab_file import check_words
from electra_tf.data.tokenizers.word_borders import (
    BERT,
    SPACED,
    split_at_borders,
)
from electra_tf.data.tokenizers.word_splitter import NONE, WordSplitter
from electra_tf.errors import InputError, require

UNKNOWN = "[UNK]"
# A word of more characters becomes one [UNK] (`max_input_chars_per_word` of
# the authors' WordpieceTokenizer).
MAX_WORD_CHARS = 200
_MAX_UTF8_BYTES = 4
# In place of a word that is too long; normalised text does not have it.
_ONE_PIECE = "\N{REPLACEMENT CHARACTER}"


@register
class WordPieceTokenizer(Tokenizer):
    """BERT's: clean, lower-case, split at punctuation, then into pieces.

    Ids equal those of the authors' `FullTokenizer` (google-research/electra,
    model/tokenization.py). A "[MASK]" in the text is ordinary text, as there.

    The vocabulary is compiled once; inside a graph the compiled model is a
    constant of that graph, so exports need no file or resource for it.

    Args: as `Tokenizer`, and
      word_borders: "bert": white space, punctuation and Chinese characters;
        "punctuation": those without Chinese characters; "spaces": white space
        alone, for text that was split already.
      word_splitter: "mecab" or "sudachi" split texts first, at Python's side;
        such a text must not have been split already.
      unicode_normalization: "none" or "NFKC", behind casing and accents; None
        means none.

    Raises:
      InputError: as `Tokenizer`; a rule for borders, a normalisation or a
        splitter that there is not, is not installed, or does not go with the
        other.
    """

    kind, file_name = "wordpiece", "vocab.txt"
    OPTIONS: ClassVar[Mapping[str, type]] = {
        **Tokenizer.OPTIONS,
        "word_borders": str,
        "word_splitter": str,
        "unicode_normalization": str,
    }
    DEFAULTS: ClassVar[dict[str, Any]] = {
        "word_borders": BERT,
        "word_splitter": NONE,
        "unicode_normalization": normalization.NONE,
    }

    def __init__(
        self,
        vocab: Sequence[str],
        do_lower_case: bool = True,
        strip_accents: bool | None = None,
        word_borders: str = BERT,
        word_splitter: str = NONE,
        unicode_normalization: str | None = None,
    ):
        super().__init__(vocab, do_lower_case, strip_accents)
        rule = f"word_borders must be one of {', '.join(WORD_BORDERS)}"
        require(word_borders in WORD_BORDERS, rule, word_borders)
        self.word_borders, self.word_splitter = word_borders, word_splitter
        self._spaced = WordSplitter(word_splitter)
        rule = f"word_borders must be {SPACED} with word_splitter="
        fits = word_splitter == NONE or word_borders == SPACED
        require(fits, rule + word_splitter, word_borders)
        forms = UNICODE_NORMALIZATIONS
        form = unicode_normalization or normalization.NONE
        rule = f"unicode_normalization must be one of {', '.join(forms)}"
        require(form in forms, rule, form)
        self.unicode_normalization = form
        check_words(self.vocab)
        goes_on = [piece.startswith(SUFFIX) for piece in self.vocab]
        self.starts_word = ~np.array(goes_on)
        # TF Text's limit is in bytes: 800 never cuts a word of 200 characters,
        # and _join_long_words finds the longer words among what it lets pass.
        try:
            buffer = model_builder.build_fast_wordpiece_model(
                list(self.vocab),
                MAX_WORD_CHARS * _MAX_UTF8_BYTES,
                SUFFIX,
                UNKNOWN,
                word_borders != BERT,  # no_pretokenization
                False,  # support_detokenization
            )
        except (RuntimeError, ValueError) as error:
            raise InputError(
                "a vocabulary must be what TensorFlow Text compiles; received "
                f"one of which it says: {error}"
            ) from None
        self._model = np.frombuffer(bytes(buffer), np.uint8)
        # For TF Text, "##" by itself begins a word.
        is_suffix = [p.startswith(SUFFIX) and p != SUFFIX for p in self.vocab]
        self._begins_word = ~np.array(is_suffix)
        self._num_chars = np.array(
            [len(p) for p in self.vocab], np.int32
        ) - np.where(is_suffix, len(SUFFIX), 0).astype(np.int32)
        with tf.init_scope():
            self._eager_model = tf.constant(self._model)

    def normalize(self, texts: tf.Tensor) -> tf.Tensor:
        return normalization.normalize(
            texts,
            self.do_lower_case,
            self.strip_accents,
            self.unicode_normalization,
        )

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return super().tokenize(self._spaced(texts))

    def tokenize_with_offsets(self, texts: tf.Tensor) -> Ragged:
        spaced = self._spaced(texts)
        ids, starts, ends = self.split(self.normalize(spaced))
        joins = self.unicode_normalization == NFKC
        places = offsets.to_original(
            spaced, self.normalize, starts, ends, joins
        )
        return ids, *self._spaced.to_original(texts, spaced, *places)

    def split(self, texts: tf.Tensor) -> Ragged:
        if tf.executing_eagerly():
            model = self._eager_model
        else:
            model = tf.constant(self._model)
        if self.word_borders != BERT:
            return self._split_words(texts, model)
        ids, starts, ends = tf_text.FastWordpieceTokenizer(
            model_buffer=model, token_out_type=tf.int32
        ).tokenize_with_offsets(texts)
        values, splits = tf.cond(
            _may_have_long_words(texts),
            lambda: self._join_long_words(ids, starts, ends),
            lambda: (_stack(ids, starts, ends), ids.row_splits),
        )
        return tuple(
            tf.RaggedTensor.from_row_splits(values[i], splits, validate=False)
            for i in range(3)
        )

    def text_of(self, piece: str) -> str:
        return piece.removeprefix(SUFFIX)

    def _split_words(self, texts: tf.Tensor, model: tf.Tensor) -> Ragged:
        """`split` by borders that are not BERT's."""
        words, word_starts = split_at_borders(texts, self.word_borders)
        flat = words.values  # [W]
        is_long = tf.strings.length(flat, unit="UTF8_CHAR") > MAX_WORD_CHARS
        ids, starts, ends = tf_text.FastWordpieceTokenizer(
            model_buffer=model, token_out_type=tf.int32, no_pretokenization=True
        ).tokenize_with_offsets(tf.where(is_long, _ONE_PIECE, flat))
        word = ids.value_rowids()
        is_long = tf.gather(is_long, word)
        ends = tf.where(
            is_long,
            tf.gather(tf.strings.length(flat), word),
            tf.cast(ends.values, tf.int32),
        )
        begin = tf.gather(word_starts.values, word)
        return tuple(
            words.with_values(ids.with_values(values)).merge_dims(1, 2)
            for values in (
                tf.where(is_long, self.unk_id, ids.values),
                begin + tf.cast(starts.values, tf.int32),
                begin + ends,
            )
        )

    @classmethod
    def learn(
        cls,
        lines: Iterable[str],
        vocab_size: int,
        do_lower_case: bool = True,
        strip_accents: bool | None = None,
        log: Callable[[str], None] | None = None,
        **options: Any,
    ) -> "tuple[Tokenizer, collections.Counter[str]]":
        words = count_words(lines, do_lower_case, strip_accents, **options)
        if log:
            log(f"{words.total()} words, {len(words)} different ones")
        vocab = learn_wordpiece(words, vocab_size, log)
        return cls(vocab, do_lower_case, strip_accents, **options), words

    def _join_long_words(
        self,
        ids: tf.RaggedTensor,
        starts: tf.RaggedTensor,
        ends: tf.RaggedTensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Puts one [UNK] for the pieces of each word that is too long."""
        begins = tf.gather(self._begins_word, ids.values)
        word = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        num_chars = tf.math.segment_sum(
            tf.gather(self._num_chars, ids.values), word
        )
        is_long = tf.gather(num_chars > MAX_WORD_CHARS, word)
        word_ends = tf.gather(tf.math.segment_max(ends.values, word), word)
        values = _stack(
            ids.with_values(tf.where(is_long, self.unk_id, ids.values)),
            starts,
            ends.with_values(tf.where(is_long, word_ends, ends.values)),
        )
        keep = begins | ~is_long
        splits = tf.ragged.boolean_mask(ids, ids.with_values(keep)).row_splits
        return tf.boolean_mask(values, keep, axis=1), splits


def _stack(*ragged: tf.RaggedTensor) -> tf.Tensor:
    return tf.stack([tf.cast(r.values, tf.int32) for r in ragged])


def _may_have_long_words(texts: tf.Tensor) -> tf.Tensor:
    """Whether a long word is possible; a cheap test that is mostly False."""
    pattern = rf"(?s).*\S{{{MAX_WORD_CHARS + 1}}}.*"
    return tf.reduce_any(tf.strings.regex_full_match(texts, pattern))
