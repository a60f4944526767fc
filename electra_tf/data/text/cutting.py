"""Where text may be cut: files between documents, lines between sentences."""

import contextlib
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from electra_tf.errors import InputError

_READ_BYTES = 1 << 22
_UTF8_MARK = b"\xef\xbb\xbf"
# First bytes of what is no text as it stands -> its name, what to do.
_OTHER_FORMATS = {
    b"\xff\xfe": ("UTF-16", "convert it"),
    b"\xfe\xff": ("UTF-16", "convert it"),
    b"\x1f\x8b": ("gzip", "unpack it"),
    b"BZh91AY&SY": ("bzip2", "unpack it"),
    b"\xfd7zXZ\0": ("xz", "unpack it"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unpack it"),
    b"\x04\x22\x4d\x18": ("lz4", "unpack it"),
    b"7z\xbc\xaf\x27\x1c": ("7z", "unpack it"),
    b"PK\x03\x04": ("zip", "unpack it, or save a document as text"),
    b"PAR1\x15": ("Parquet", "write its column of text to a file"),
    b"ARROW1\0\0": ("Arrow", "write its column of text to a file"),
    b"%PDF-": ("PDF", "save its text, as pdftotext does"),
}
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
    in order, wherever the borders lie.
    """

    file: str
    start: int = 0
    end: int = sys.maxsize


def cut_files(files: Sequence[str], range_bytes: int) -> list[TextRange]:
    """Ranges of at most `range_bytes`, file by file; at least one a file."""
    return [
        TextRange(file, start, start + range_bytes)
        for file in files
        for start in range(
            0, max(1, tf.io.gfile.stat(file).length), range_bytes
        )
    ]


def check_is_text(file: str) -> None:
    """Refuses a file whose first bytes are those of another format.

    Raises:
      InputError: it is one that is known, with its name; or is missing.
    """
    with _naming_read_errors(file), tf.io.gfile.GFile(file, "rb") as f:
        _refuse_other_formats(file, f.read(max(map(len, _OTHER_FORMATS))))


def _refuse_other_formats(file: str, beginning: bytes) -> None:
    for mark, (name, remedy) in _OTHER_FORMATS.items():
        if beginning.startswith(mark):
            raise InputError(
                f"text must be UTF-8; received {file!r}, which is {name}: "
                f"{remedy}"
            )


def read_range(
    part: TextRange, replaced: Counter[str] | None = None
) -> Iterator[list[str]]:
    """Reads the documents of a range.

    A blank line, or the end of a file, ends a document. Text is UTF-8; bytes
    that are not are replaced by U+FFFD, which the tokenizer leaves out.

    Args:
      part: of a text file.
      replaced: counts, for each file, the lines with replaced bytes.

    Yields:
      the lines of a document, stripped, none empty; no document is empty.

    Raises:
      InputError: the file is missing, or is no text (see `check_is_text`).
    """
    document: list[str] = []
    inside = not part.start  # past the blank line that begins the range
    for place, raw in _read_lines(part.file, part.start):
        line = raw.decode("utf-8", errors="replace").strip()
        if line and inside:
            document.append(line)
            if replaced is not None and "\ufffd" in line and not _is_utf8(raw):
                replaced[part.file] += 1
            continue
        if document:
            yield document
            document = []
        if place >= part.end:
            return
        inside = inside or not line
    if document:
        yield document


def _read_lines(file: str, start: int) -> Iterator[tuple[int, bytes]]:
    """Lines that begin at `start` or later, each with where it begins.

    Only "\\n" ends a line, as in the authors' reader.
    """
    with _naming_read_errors(file), tf.io.gfile.GFile(file, "rb") as f:
        if not start:
            yield from _split_lines(f, 0)
            return
        # From the byte before, to see whether a line begins at `start`.
        f.seek(start - 1)
        lines = _split_lines(f, start - 1)
        next(lines)
        yield from lines


@contextlib.contextmanager
def _naming_read_errors(file: str) -> Iterator[None]:
    try:
        yield
    except tf.errors.NotFoundError:
        raise InputError(
            f"inputs must be files; received {file!r}, which does not exist"
        ) from None
    except tf.errors.OpError as error:
        reason = error.message.splitlines()[0]
        raise InputError(
            f"inputs must be readable; received {file!r}: {reason}"
        ) from None


def _split_lines(
    f: tf.io.gfile.GFile, place: int
) -> Iterator[tuple[int, bytes]]:
    """Lines from `place` on, where the file stands."""
    rest = f.read(_READ_BYTES)
    if not place:
        _refuse_other_formats(f.name, rest)
        place = len(rest) - len(rest.removeprefix(_UTF8_MARK))
        rest = rest[place:]
    while block := f.read(_READ_BYTES):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield place, line
            place += len(line) + 1
    for line in rest.split(b"\n"):
        yield place, line
        place += len(line) + 1


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


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
