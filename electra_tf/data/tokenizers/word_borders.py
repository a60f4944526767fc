"""Where words end, for WordPiece; BERT's rule is inside TF Text's own op."""

import tensorflow as tf
import tensorflow_text as tf_text

from electra_tf.config.pretraining import WORD_BORDERS
from electra_tf.data.tokenizers.normalization import PUNCTUATION

BERT, PUNCTUATED, SPACED = WORD_BORDERS
_SPACE = r"[\t\n\r\p{Z}]+"
_SIGN = f"[{PUNCTUATION}]"
# What parts words, and of it what is a word by itself.
_PATTERNS = {PUNCTUATED: (f"{_SPACE}|{_SIGN}", _SIGN), SPACED: (_SPACE, "")}


def split_at_borders(
    texts: tf.Tensor, word_borders: str
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """The words of texts.

    Args:
      texts: string [B], normalised.
      word_borders: "punctuation" parts at white space and around punctuation,
        as BERT without `tokenize_chinese_chars`; "spaces" at white space
        alone.

    Returns:
      (words, starts): string and int32 [B, (words)], the starts in bytes.
    """
    delimiters, kept = _PATTERNS[word_borders]
    words, starts, _ = tf_text.regex_split_with_offsets(texts, delimiters, kept)
    return words, tf.cast(starts, tf.int32)
