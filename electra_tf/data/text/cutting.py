"""Where text may be cut: files between documents, lines between sentences."""

import functools
import itertools
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import tensorflow as tf

from electra_tf.data.text.formats import (
    TEXT,
    Format,
    check_ending,
    find_format,
)
from electra_tf.data.text.reading import OnRead, decode, read_lines
from electra_tf.data.text.rows import check_rows, read_texts

TEXT_FIELD = "text"
FILES_AT_ONCE = 16  # remote ones answer slowly
# Titles and the like: the full stop behind them never ends a sentence.
_ABBREVIATIONS = frozenset(
    "mr mrs ms messrs dr prof rev hon st mt gen col capt maj lt sgt adm gov "
    "sen rep pres no nos vol fig art sec vs cf eg ie e.g i.e".split()
)
# Behind "U.S.", "Jr." or an initial, only a word that commonly begins a
# sentence shows that one has ended.
_STARTERS = frozenset(
    "a after all an and as at because but by each even every finally first "
    "for from he her here his how however i if in it its last let many more "
    "my no nor not now of on or our she since so some that the their then "
    "there these they this those though thus to together today tonight under "
    "we what when where while who why with you your".split()
)
_MAYBE_ABBREVIATION = re.compile(
    r"(?:[^\W\d_]\.)+[^\W\d_]|[^\W\d_]|jr|sr|inc|ltd|co|corp|bros|etc|dept",
    re.IGNORECASE,
)
# "I" is a word (or a numeral, "World War I") far more often than an initial.
_NO_INITIAL = frozenset("iI")
_ITEM_NUMBER = re.compile(r"[(\[]?(?:\d{1,3}|[IVXLC]+|[a-zA-Z])\.")

_CLOSING = r"[\"')\]”’»」』）】]*"
_OPENING = "\"'([{“‘«¿¡—–-*•"
_END = re.compile(rf"[.!?…؟।॥]+{_CLOSING}\s+|[。！？｡]+{_CLOSING}\s*")
_LAST_WORD = re.compile(r"[^\s\"(\[“‘«—–-]*$")
_FIRST_WORD = re.compile(r"\w+")


class TextRange(NamedTuple):
    """Bytes of a file from `start` on, to before `end`.

    Both borders stand for the first blank line that begins there or later. So
    ranges that cover the bytes of a file share out its documents whole, and
    in order, wherever the borders lie. Rows of JSON lines and Parquet have
    their text in `text_field`.
    """

    file: str
    start: int = 0
    end: int = sys.maxsize
    text_field: str = TEXT_FIELD


def cut_files(
    files: Sequence[str], range_bytes: int, text_field: str = TEXT_FIELD
) -> list[TextRange]:
    """Ranges that cover files, in order; at least one a file.

    Args:
      files: paths, as `expand_inputs` returns them.
      range_bytes: the most of a range of text. What is packed, and rows, are
        read from the beginning only: they are one range a file.
      text_field: see `TextRange`.
    """
    cut = functools.partial(
        _cut, range_bytes=range_bytes, text_field=text_field
    )
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        return list(itertools.chain.from_iterable(pool.map(cut, files)))


def _cut(file: str, range_bytes: int, text_field: str) -> list[TextRange]:
    if find_format(file) != Format(TEXT):
        return [TextRange(file, text_field=text_field)]
    length = tf.io.gfile.stat(file).length
    return [
        TextRange(file, start, start + range_bytes, text_field)
        for start in range(0, max(1, length), range_bytes)
    ]


def check_file(file: str, text_field: str = TEXT_FIELD) -> None:
    """Refuses a file that has no documents, as far as that shows at once.

    Raises:
      InputError: it is of another format, with its name; is missing, or seen
        to be damaged; or its rows lack the field.
    """
    form = find_format(file)
    check_ending(file, form.packing)
    if form.content != TEXT:
        check_rows(file, form, text_field)


def read_range(
    part: TextRange,
    replaced: Counter[str] | None = None,
    on_read: OnRead | None = None,
) -> Iterator[list[str]]:
    """Reads the documents of a range.

    A blank line, or the end of a file, ends a document of text; of JSON lines
    and Parquet each row is a document. Text is UTF-8; bytes that are not are
    replaced by U+FFFD, which the tokenizer leaves out.

    Args:
      part: of a file.
      replaced: counts, for each file, the lines with replaced bytes.
      on_read: told the bytes of the file as they are read.

    Yields:
      the lines of a document, stripped, none empty; no document is empty.

    Raises:
      InputError: the file is missing, damaged or has no documents (see
        `check_file`, `read_texts`).
    """
    # A range that begins further on is of text that is not packed.
    form = Format(TEXT) if part.start else find_format(part.file)
    if form.content == TEXT:
        yield from _read_text(part, form.packing, replaced, on_read)
        return
    for text in read_texts(
        part.file, form, part.text_field, replaced, on_read=on_read
    ):
        if lines := lines_of(text):
            yield lines


def _read_text(
    part: TextRange,
    packing: str,
    replaced: Counter[str] | None,
    on_read: OnRead | None,
) -> Iterator[list[str]]:
    document: list[str] = []
    inside = not part.start  # past the blank line that begins the range
    for place, raw in read_lines(
        part.file, packing, part.start, on_read=on_read
    ):
        line = decode(raw, part.file, replaced if inside else None).strip()
        if line and inside:
            document.append(line)
            continue
        if document:
            yield document
            document = []
        if place >= part.end:
            return
        inside = inside or not line
    if document:
        yield document


def lines_of(text: str) -> list[str]:
    """The lines of a document given as one text: stripped, none empty."""
    lines = (line.strip() for line in text.split("\n"))
    return [line for line in lines if line]


def split_sentences(text: str) -> list[str]:
    """Splits a paragraph into sentences.

    A sentence ends at `.`, `!`, `?` or their like, with the closing quotes
    and brackets behind them, where white space follows and then anything but
    a small letter; at the full stops of Chinese and Japanese white space need
    not follow. A full stop does not count behind a title ("Mr."), behind an
    item's number ("2. Reform"), inside a number ("3.5"), and behind initials
    or acronyms ("John F. Kennedy", "U.S. Army"), unless the next word is one
    that commonly begins a sentence ("in the U.S. The").

    Args:
      text: any text; line breaks count as spaces.

    Returns:
      the sentences in order, stripped, none empty. Joined by spaces they are
      the text, but for its white space.
    """
    text = " ".join(text.split())
    sentences = []
    begin = 0
    for match in _END.finditer(text):
        if _ends_sentence(text, begin, match):
            sentences.append(text[begin : match.end()].strip())
            begin = match.end()
    if begin < len(text):
        sentences.append(text[begin:].strip())
    return sentences


def cut_behind(sentences: Sequence[str], line: str) -> list[str]:
    """A line's parts, each up to the end of one of its sentences."""
    parts, begin = [], 0
    for sentence in sentences:
        end = line.index(sentence, begin) + len(sentence)
        parts.append(line[begin:end])
        begin = end
    return parts


def _ends_sentence(text: str, begin: int, match: re.Match[str]) -> bool:
    following = text[match.end() : match.end() + 40].lstrip(_OPENING)
    if match.end() == len(text) or following.startswith("."):
        return False  # the last one, or an ellipsis of spaced stops
    if match.group()[0] in "。！？｡":
        return True
    if following[:1].islower() and following[1:2] != ")":  # but "(a) One"
        return False
    if match.group().rstrip() != ".":
        return True
    before = text[max(begin, match.start() - 40) : match.start()]
    word = _LAST_WORD.search(before).group().lstrip("'")
    if word.lower() in _ABBREVIATIONS:
        # "No." is also an answer: it is one unless a number follows.
        return word.lower() in ("no", "art") and not following[:1].isdigit()
    if _ITEM_NUMBER.fullmatch(text[begin : match.start() + 1]):
        return False
    if _MAYBE_ABBREVIATION.fullmatch(word) and word not in _NO_INITIAL:
        first = _FIRST_WORD.match(following)
        return first is not None and first.group().lower() in _STARTERS
    return True
