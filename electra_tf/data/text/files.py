"""Text files: the ones in the package, finding the user's, reading them."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from electra_tf.data.text.ranges import TextRange, read_range
from electra_tf.errors import InputError

_ASSETS = Path(__file__).resolve().parents[2] / "assets"


def embedded_corpus_path() -> str:
    """The State of the Union addresses 1961 - 2021, a sentence a line."""
    return str(_ASSETS / "sotu" / "sotu.txt")


def embedded_vocab_path() -> str:
    """BERT's uncased English vocabulary, 30,522 pieces."""
    return str(_ASSETS / "bert_uncased" / "vocab.txt")


def expand_inputs(patterns: Sequence[str]) -> list[str]:
    """Finds the files that patterns stand for.

    Args:
      patterns: files, globs, or directories (all files in and below them, but
        for names that begin with a dot).

    Returns:
      the paths, sorted, each once.

    Raises:
      InputError: there is no pattern, or one of them matches no file.
    """
    if isinstance(patterns, str):
        raise InputError(
            f"Inputs must be a list of paths. Received: the text {patterns!r}."
        )
    patterns = [pattern.strip() for pattern in patterns]
    if not any(patterns):
        raise InputError(
            "Inputs must name a file, a glob or a directory. Received: nothing."
        )
    files: set[str] = set()
    for pattern in filter(None, patterns):
        found = _matches(pattern)
        if not found:
            raise InputError(
                "Each input must match a file. Received: "
                f"{pattern!r}, which matches none."
            )
        files.update(found)
    return sorted(files)


def _matches(pattern: str) -> list[str]:
    # A file may have a name that reads as a glob.
    if tf.io.gfile.exists(pattern):
        if not tf.io.gfile.isdir(pattern):
            return [pattern]
        return _files_below(pattern)
    found: list[str] = []
    for path in tf.io.gfile.glob(pattern):
        # As in shells, "*" does not find hidden names; TensorFlow's does.
        if _is_hidden(os.path.basename(path)) and not _is_hidden(
            os.path.basename(pattern)
        ):
            continue
        found += _files_below(path) if tf.io.gfile.isdir(path) else [path]
    return found


def _files_below(folder: str) -> list[str]:
    return [
        os.path.join(parent, name)
        for parent, _, names in tf.io.gfile.walk(folder)
        for name in names
        if not _is_hidden(os.path.relpath(os.path.join(parent, name), folder))
    ]


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split(os.sep))


def read_documents(
    files: Sequence[str], replaced: Counter[str] | None = None
) -> Iterator[list[str]]:
    """Reads text files as documents; see `read_range`.

    Args:
      files: paths, as `expand_inputs` returns them.
      replaced: counts, for each file, the lines with replaced bytes.
    """
    for file in files:
        yield from read_range(TextRange(file), replaced)
