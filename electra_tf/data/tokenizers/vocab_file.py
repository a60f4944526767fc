"""Vocabulary files: one piece a line, the line number is the id."""

from collections.abc import Sequence

import tensorflow as tf

from electra_tf.data.columns import SURROGATE, is_column
from electra_tf.errors import InputError, require

SPECIAL_PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Not all of Unicode's: multilingual files have pieces such as U+3000.
_WHITE_SPACE = " \t\r\n"


def load_vocab(vocab_file: str) -> list[str]:
    """Reads a vocabulary file (UTF-8, one piece a line).

    Raises:
      InputError: the file is missing, or not UTF-8.
    """
    content = read_vocabulary(vocab_file)
    try:
        # Some editors put a byte-order mark in front.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"the vocabulary must be UTF-8; received {vocab_file!r}, which is "
            f"not at byte {error.start}: convert it"
        ) from None
    # Only "\n" ends a line, as in the authors' reader: splitlines() would
    # also break at U+2028 and the like, which multilingual files hold.
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [line.strip(_WHITE_SPACE) for line in lines]


def read_vocabulary(path: str) -> bytes:
    """The content of a file with a vocabulary, of whatever kind.

    Raises:
      InputError: there is no such file.
    """
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read()
    except tf.errors.NotFoundError:
        reason = ", which does not exist"
    except tf.errors.OpError as error:
        reason = f" ({error.message.splitlines()[0]})"
    raise InputError(
        f"the vocabulary must be a file; received {path!r}{reason}"
    )


def check_vocab(vocab: Sequence[str]) -> None:
    """Refuses pieces that cannot be, are there twice, or are missing."""
    rule = "a vocabulary must be a list of texts, in the order of their ids"
    require(is_column(vocab), rule, type(vocab).__name__)
    line_of: dict[str, int] = {}
    for number, piece in enumerate(vocab, 1):
        require(
            isinstance(piece, str) and not SURROGATE.search(piece),
            f"the piece on line {number} of a vocabulary must be text",
            piece,
        )
        if not piece:
            raise InputError(
                "a vocabulary must have a piece on each line; received an "
                f"empty line {number}: delete it"
            )
        if piece.strip(_WHITE_SPACE) != piece or "\n" in piece:
            raise InputError(
                "a piece must not begin or end with white space; received "
                f"{piece!r} on line {number}"
            )
        if piece in line_of:
            raise InputError(
                "the pieces of a vocabulary must be unique; received "
                f"{piece!r} on lines {line_of[piece]} and {number}"
            )
        line_of[piece] = number
    missing = [piece for piece in SPECIAL_PIECES if piece not in line_of]
    if missing:
        raise InputError(
            f"a vocabulary must hold {' '.join(SPECIAL_PIECES)}; received one "
            f"of {len(vocab)} pieces without {' '.join(missing)}"
        )


def vocab_bytes(vocab: Sequence[str]) -> bytes:
    """The content of the vocabulary's file."""
    return "".join(piece + "\n" for piece in vocab).encode("utf-8")


def check_words(vocab: Sequence[str]) -> None:
    """Refuses white space inside of pieces.

    TF Text would match such a piece across words. A piece that is nothing but
    one (multilingual files have U+3000) is never matched.
    """
    for number, piece in enumerate(vocab, 1):
        has_space = any(map(str.isspace, piece))
        require(
            len(piece) == 1 or not has_space,
            "a WordPiece must not hold white space",
            f"{piece} on line {number}",
        )
