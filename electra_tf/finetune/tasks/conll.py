"""Sentences of CoNLL-style files: a word a line, its tag in a column."""

import dataclasses
from collections.abc import Iterator

from electra_tf.errors import InputError
from electra_tf.finetune.tasks.tables import read_lines

_DOCUMENT_MARK = "-DOCSTART-"


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

    Columns are separated by tabs where a line holds one, else by spaces.
    Lines of `-DOCSTART-` are left out.

    Args:
      path: the file.
      word_column, tag_column: counted from 0, or from the end at -1.
      with_tags: whether to read tags.

    Raises:
      InputError: there is no sentence, or a line has another number of
        columns than the first (it is named).
    """
    needed = [word_column, *([tag_column] if with_tags else [])]
    sentences: list[Sentence] = []
    gathered: list[list[str]] = []
    where = path
    for found in (*_cells(path, needed), None):
        if found is not None:
            where = where if gathered else found[0]
            gathered.append(found[1:])
        elif gathered:
            words, *tags = zip(*gathered, strict=True)
            sentences.append(Sentence(words, tags[0] if tags else None, where))
            gathered = []
    if not sentences:
        raise InputError(f"{path} holds no sentences")
    return sentences


def _cells(path: str, needed: list[int]) -> Iterator[list[str] | None]:
    """[where, word, tag if it is needed] of each line; None for a blank one."""
    num_columns = 0
    for line, text in enumerate(read_lines(path), 1):
        if not text.strip(" \t"):
            yield None
            continue
        cells = text.split("\t") if "\t" in text else text.split(" ")
        where = f"{path}, line {line}"
        num_columns = num_columns or _checked(len(cells), needed, where)
        if len(cells) != num_columns:
            raise InputError(
                f"{where}: must have {num_columns} columns, as the first; "
                f"received {len(cells)}"
            )
        found = [cells[column] for column in needed]
        if not all(found):
            raise InputError(f"{where}: the word or its tag is empty")
        if found[0] != _DOCUMENT_MARK:
            yield [where, *found]


def _checked(num_columns: int, needed: list[int], where: str) -> int:
    for column in needed:
        if not -num_columns <= column < num_columns:
            raise InputError(
                f"{where}: has {num_columns} columns, so there is no column "
                f"{column} (--word_column, --tag_column)"
            )
    return num_columns
