"""CoNLL-style files, a word a line and its tag in a column."""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator

from electra_tf.errors import require
from electra_tf.finetune.models.tag_schemes import OUTSIDE, SPAN
from electra_tf.finetune.tasks.lines import read_lines

_MARK = re.compile(r"-DOCSTART-([ \t]|$)")


@dataclasses.dataclass(frozen=True)
class Sentence:
    """Words and their tags.

    Attributes:
      words: none is empty.
      tags: as many; None where they are not known.
      where: "path, line 7" of the first word, for messages.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...] | None
    where: str = dataclasses.field(repr=False)


def read_conll(
    path: str,
    word_column: int = 0,
    tag_column: int = -1,
    with_tags: bool = True,
) -> list[Sentence]:
    """Reads a file of sentences with blank lines between.

    Columns are separated by tabs where the first line holds one, else by
    spaces. A line of `-DOCSTART-` ends a sentence, as a blank one does.

    Args:
      path: the file.
      word_column, tag_column: counted from 0, or from the end at -1.
      with_tags: whether to read tags.

    Raises:
      InputError: there is no sentence, or a line has another number of
        columns than the first (it is named).
    """
    needed = [word_column, *([tag_column] if with_tags else [])]
    sentences = []
    # Blank lines are None.
    for is_sentence, lines in itertools.groupby(_cells(path, needed), bool):
        if is_sentence:
            where, words, *rest = zip(*lines, strict=True)
            tags = rest[0] if with_tags else None
            sentences.append(Sentence(words, tags, where[0]))
    require(bool(sentences), f"{path} must hold sentences", sentences)
    return sentences


def _cells(path: str, needed: list[int]) -> Iterator[list[str] | None]:
    """[where, word, tag if it is needed] of each line; None for a blank one."""
    num_columns, separator = 0, " "
    for line, text in enumerate(read_lines(path), 1):
        # Marks of documents have columns of their own.
        if not text.strip(" \t") or _MARK.match(text):
            yield None
            continue
        if not num_columns:
            separator = "\t" if "\t" in text else " "
            num_columns = text.count(separator) + 1
        cells = text.split(separator)
        where = f"{path}, line {line}"
        rule = (
            f"{where}: must have {num_columns} columns with "
            f"{'tabs' if separator != ' ' else 'spaces'} between, as the first"
        )
        require(len(cells) == num_columns, rule, text[:80])
        for column in needed:
            rule = (
                f"{where}: must have a column {column} (--word_column, "
                "--tag_column)"
            )
            require(-num_columns <= column < num_columns, rule, cells)
        found = [cells[column] for column in needed]
        require(
            all(found), f"{where}: a word and its tag must not be empty", text
        )
        yield [where, *found]


def require_spans(sentences: Iterable[Sentence]) -> None:
    """Raises an InputError unless all tags are of IOB, BIO or BIOES.

    One other tag among them would be a type of its own, or none.
    """
    for sentence in sentences:
        for number, tag in enumerate(sentence.tags or ()):
            is_tag = tag == OUTSIDE or SPAN.match(tag)
            word = sentence.words[number]
            rule = (
                f"{sentence.where} on, word {number + 1}, {word!r}: among tags "
                "of spans each must be O, or B-, I-, E- or S- with a type"
            )
            require(bool(is_tag), rule, tag)
