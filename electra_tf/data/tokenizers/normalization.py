"""BERT's text normalisation as TensorFlow ops; `offsets` is the way back.

What the authors' `BasicTokenizer` does to characters (google-research/electra,
model/tokenization.py), but with casing and accents as separate switches. TF
Text's own lower-casing is not used: it folds compatibility characters ("…",
"½", "ﬁ") and ß, which BERT's does not.
"""

import tensorflow as tf
import tensorflow_text as tf_text

from electra_tf.config.pretraining import UNICODE_NORMALIZATIONS

# All of Unicode's category C (control, format, private, unassigned), but the
# three that count as white space; and the replacement character. RE2 has no
# name for "unassigned", so the class is the complement of all the others.
_DELETED = r"[^\t\n\r\p{L}\p{M}\p{N}\p{P}\p{S}\p{Z}]+|\x{FFFD}+"
MARK = r"\p{Mn}"
NONE, NFKC = UNICODE_NORMALIZATIONS
SPACE = r"[\s\p{Z}]"
# Punctuation, with all of ASCII that is neither letter nor digit.
PUNCTUATION = r"!-/:-@\[-`{-~\p{P}"
_IDEOGRAPHS = (
    r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}"
    r"\x{20000}-\x{2A6DF}\x{2A700}-\x{2CEAF}\x{2F800}-\x{2FA1F}"
)


def normalize(
    texts: tf.Tensor,
    do_lower_case: bool,
    strip_accents: bool,
    unicode_normalization: str = NONE,
) -> tf.Tensor:
    """Cleans texts, and on demand `fold`s and normalises them.

    Args:
      texts: string [B]; invalid UTF-8 is left out, as in the authors' code.
      do_lower_case, strip_accents: see `fold`, which comes first.
      unicode_normalization: "NFKC" makes one of full-width and half-width
        forms, ligatures and the like; "none" leaves them.

    Returns:
      string [B], valid UTF-8.
    """
    texts = tf.strings.regex_replace(valid_utf8(texts), _DELETED, "")
    texts = fold(texts, do_lower_case, strip_accents)
    if unicode_normalization == NFKC:
        texts = tf_text.normalize_utf8(texts, NFKC)
    return texts


def fold(
    texts: tf.Tensor, do_lower_case: bool, strip_accents: bool
) -> tf.Tensor:
    """Lower-cases texts and strips their accents, on demand.

    Args:
      texts: string [B], valid UTF-8.
      do_lower_case: full Unicode lower-casing, nothing folded.
      strip_accents: NFD, then non-spacing marks (category Mn) are deleted.
    """
    if do_lower_case:
        texts = tf.strings.lower(texts, encoding="utf-8")
    if strip_accents:
        texts = tf_text.normalize_utf8(texts, "NFD")
        texts = tf.strings.regex_replace(texts, MARK + "+", "")
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


def valid_utf8(texts: tf.Tensor) -> tf.Tensor:
    """Puts U+FFFD for invalid bytes."""
    # RE2's "." matches whole characters only. Transcoding is three times as
    # slow as all the rest, so the valid texts are kept from it.
    is_valid = tf.strings.regex_full_match(texts, r"(?s).*")
    repaired = tf.strings.unicode_transcode(
        tf.where(is_valid, "", texts), "UTF-8", "UTF-8", errors="replace"
    )
    return tf.where(is_valid, texts, repaired)


def one_space(texts: tf.Tensor) -> tf.Tensor:
    """Puts a plain space for each character of white space."""
    return tf.strings.regex_replace(texts, SPACE, " ")
