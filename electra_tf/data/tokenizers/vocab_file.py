"""Vocabulary files: one piece a line, the line number is the id."""

from collections.abc import Sequence

import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.files import write_bytes

SPECIAL_PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
UNKNOWN = "[UNK]"
# What marks a piece that goes on a word.
SUFFIX = "##"
# Not all of Unicode's: multilingual files have pieces such as U+3000.
_WHITE_SPACE = " \t\r\n"


def load_vocab(vocab_file: str) -> list[str]:
    """Reads a vocabulary file (UTF-8, one piece a line).

    Raises:
      InputError: the file is missing, or not UTF-8.
    """
    try:
        with tf.io.gfile.GFile(vocab_file, "rb") as f:
            text = f.read().decode("utf-8")
    except tf.errors.NotFoundError:
        raise InputError(
            f"The vocabulary must be a file. Received: {vocab_file!r}, which "
            "does not exist."
        ) from None
    except UnicodeDecodeError as e:
        raise InputError(
            f"The vocabulary must be UTF-8. Received: {vocab_file!r}, which "
            f"is not at byte {e.start}; convert it."
        ) from None
    # Only "\n" ends a line, as in the authors' reader: splitlines() would
    # also break at U+2028 and the like, which multilingual files hold.
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [line.strip(_WHITE_SPACE) for line in lines]


def check_vocab(vocab: Sequence[str]) -> None:
    """Refuses empty or repeated pieces, and a missing special one."""
    if not vocab:
        raise InputError("A vocabulary must have pieces. Received: none.")
    line_of: dict[str, int] = {}
    for number, piece in enumerate(vocab, 1):
        if not piece:
            raise InputError(
                f"A vocabulary must have a piece on each line. Line {number} "
                "is empty; delete it."
            )
        if piece.strip(_WHITE_SPACE) != piece or "\n" in piece:
            raise InputError(
                "A piece must not begin or end with white space. Received: "
                f"{piece!r} on line {number}."
            )
        if piece in line_of:
            raise InputError(
                "The pieces of a vocabulary must be unique. Received: "
                f"{piece!r} on lines {line_of[piece]} and {number}."
            )
        line_of[piece] = number
    missing = [piece for piece in SPECIAL_PIECES if piece not in line_of]
    if missing:
        raise InputError(
            f"A vocabulary must hold {' '.join(SPECIAL_PIECES)}. Missing: "
            f"{' '.join(missing)}."
        )


def save_vocab(vocab: Sequence[str], vocab_file: str) -> None:
    """Writes a vocabulary file, under a temporary name first."""
    write_bytes(vocab_file, vocab_bytes(vocab))


def vocab_bytes(vocab: Sequence[str]) -> bytes:
    """The content of the vocabulary's file."""
    return "".join(piece + "\n" for piece in vocab).encode("utf-8")
