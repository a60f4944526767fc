"""BERT's text normalisation as TensorFlow ops, and the way back from it.

What the authors' `BasicTokenizer` does to characters (google-research/electra,
model/tokenization.py), but with casing and accents as separate switches. TF
Text's own lower-casing is not used: it folds compatibility characters ("…",
"½", "ﬁ") and ß, which BERT's does not.
"""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_text as tf_text

# All of Unicode's category C (control, format, private, unassigned), but the
# three that count as white space; and the replacement character. RE2 has no
# name for "unassigned", so the class is the complement of all the others.
_DELETED = r"[^\t\n\r\p{L}\p{M}\p{N}\p{P}\p{S}\p{Z}]+|\x{FFFD}+"
_MARK = r"\p{Mn}"
# Punctuation, with all of ASCII that is neither letter nor digit.
PUNCTUATION = r"!-/:-@\[-`{-~\p{P}"
_IDEOGRAPHS = (
    r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}"
    r"\x{20000}-\x{2A6DF}\x{2A700}-\x{2CEAF}\x{2F800}-\x{2FA1F}"
)


def normalize(
    texts: tf.Tensor, do_lower_case: bool, strip_accents: bool
) -> tf.Tensor:
    """Cleans texts, and on demand lower-cases them and strips accents.

    Args:
      texts: string [B]; invalid UTF-8 is left out, as in the authors' code.
      do_lower_case: full Unicode lower-casing, nothing folded.
      strip_accents: NFD, then non-spacing marks (category Mn) are deleted.

    Returns:
      string [B], valid UTF-8.
    """
    texts = tf.strings.regex_replace(_valid_utf8(texts), _DELETED, "")
    if do_lower_case:
        texts = tf.strings.lower(texts, encoding="utf-8")
    if strip_accents:
        texts = tf_text.normalize_utf8(texts, "NFD")
        texts = tf.strings.regex_replace(texts, _MARK + "+", "")
    return texts


def split_words(texts: tf.Tensor, ideographs: bool = True) -> tf.Tensor:
    """Puts spaces around the characters that are words by themselves.

    White space then separates the words that WordPiece sees. (`WordPiece`
    splits so by itself; this is for those who count words.)

    Args:
      texts: string [B], normalised.
      ideographs: whether CJK ideographs are such as punctuation is.

    Returns:
      string [B].
    """
    alone = PUNCTUATION + (_IDEOGRAPHS if ideographs else "")
    return tf.strings.regex_replace(texts, f"([{alone}])", r" \1 ")


def _valid_utf8(texts: tf.Tensor) -> tf.Tensor:
    """Puts U+FFFD for invalid bytes."""
    # RE2's "." matches whole characters only. Transcoding is three times as
    # slow as all the rest, so the valid texts are kept from it.
    is_valid = tf.strings.regex_full_match(texts, r"(?s).*")
    repaired = tf.strings.unicode_transcode(
        tf.where(is_valid, "", texts), "UTF-8", "UTF-8", errors="replace"
    )
    return tf.where(is_valid, texts, repaired)


def to_original(
    texts: tf.Tensor,
    normalize: Callable[[tf.Tensor], tf.Tensor],
    starts: tf.RaggedTensor,
    ends: tf.RaggedTensor,
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Maps byte ranges of `normalize(texts)` to byte ranges of `texts`.

    Each character is normalised on its own; the lengths give the map. A whole
    text may come out differently (sigma at a word's end, the order of marks),
    but as long. A stripped mark goes with the character in front of it.

    Args:
      texts: string [B].
      normalize: string [N] -> string [N].
      starts, ends: int32 [B, (ranges)], none of the ranges empty.

    Returns:
      (starts, ends): int32 [B, (ranges)].
    """
    # All positions below are in the texts joined to one.
    lengths = tf.strings.length(texts)
    text_begin = _begins(lengths)
    rows, char_starts, num_bytes = _characters(texts, normalize)
    char_starts += tf.gather(text_begin, rows)
    char_ends = tf.concat([char_starts[1:], [tf.reduce_sum(lengths)]], axis=0)
    byte_ends = tf.cumsum(num_bytes)
    row_bytes = tf.math.unsorted_segment_sum(num_bytes, rows, tf.size(texts))
    byte_begin = _begins(row_bytes)
    row = starts.value_rowids()
    begin = tf.gather(text_begin, row)
    shift = tf.gather(byte_begin, row)
    # The character that a byte is of: the first one that ends behind it.
    first = tf.searchsorted(byte_ends, starts.values + shift, side="right")
    last = tf.searchsorted(byte_ends, ends.values + shift - 1, side="right")
    return (
        starts.with_values(tf.gather(char_starts, first) - begin),
        ends.with_values(tf.gather(char_ends, last) - begin),
    )


def _begins(lengths: tf.Tensor) -> tf.Tensor:
    return tf.cumsum(lengths, exclusive=True)


def _characters(
    texts: tf.Tensor, normalize: Callable[[tf.Tensor], tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Row, first byte and normalised length of the characters; each [C].

    A stripped mark is no character of its own, unless it begins the text.
    """
    codes, starts = tf.strings.unicode_decode_with_offsets(
        texts, "UTF-8", errors="replace"
    )
    rows = codes.value_rowids()
    starts = tf.cast(starts.values, tf.int32)
    # A text has few different characters: each is normalised once.
    unique, index = tf.unique(codes.values)
    chars = tf.strings.unicode_encode(unique[:, tf.newaxis], "UTF-8")
    lengths = tf.strings.length(normalize(chars))
    is_stripped_mark = tf.strings.regex_full_match(chars, _MARK) & (
        lengths == 0
    )
    keep = ~tf.gather(is_stripped_mark, index) | (starts == 0)
    return (
        tf.boolean_mask(rows, keep),
        tf.boolean_mask(starts, keep),
        tf.boolean_mask(tf.gather(lengths, index), keep),
    )
