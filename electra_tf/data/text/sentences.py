"""A small rule for where sentences end."""

import re

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
