"""BERT's tokenizer once more, in plain Python: what ours is held against.

Derived from the rules (clean, CJK apart, lower-case, strip accents, split at
punctuation, greedy longest match), with `unicodedata` and no TensorFlow.
"""

import unicodedata

MAX_WORD_CHARS = 200
_IDEOGRAPHS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


def is_stable(char: str) -> bool:
    """Whether all Unicode versions since 3.2 have this character alike."""
    old = unicodedata.ucd_3_2_0.category(char)
    return old == unicodedata.category(char) and old not in ("Cn", "Cs")


def fold(text: str, lower: bool, strip: bool) -> str:
    if lower:
        text = text.lower()
    if strip:
        text = unicodedata.normalize("NFD", text)
        text = "".join(c for c in text if unicodedata.category(c) != "Mn")
    return text


def clean(text: str) -> str:
    kept = []
    for char in text:
        kind = unicodedata.category(char)
        if char in "\t\n\r" or kind == "Zs":
            kept.append(" ")
        elif kind[0] != "C" and char != "\ufffd":
            kept.append(char)
    return "".join(kept)


def words(
    text: str, lower: bool = True, strip: bool = True, borders: str = "bert"
) -> list[str]:
    if borders == "spaces":
        return fold(clean(text), lower, strip).split()
    ideographs = _IDEOGRAPHS if borders == "bert" else ()
    spaced = "".join(
        f" {c} " if any(a <= ord(c) <= b for a, b in ideographs) else c
        for c in clean(text)
    )
    found: list[str] = []
    for chunk in spaced.split():
        word = ""
        for char in fold(chunk, lower, strip):
            is_ascii_sign = "!" <= char <= "~" and not char.isalnum()
            if is_ascii_sign or unicodedata.category(char)[0] == "P":
                found += [word, char]
                word = ""
            else:
                word += char
        found.append(word)
    return " ".join(found).split()


def pieces(word: str, vocab: dict[str, int]) -> list[str]:
    if len(word) > MAX_WORD_CHARS:
        return ["[UNK]"]
    found: list[str] = []
    begin = 0
    while begin < len(word):
        prefix = "##" if begin else ""
        for end in range(len(word), begin, -1):
            if prefix + word[begin:end] in vocab:
                break
        else:
            return ["[UNK]"]
        found.append(prefix + word[begin:end])
        begin = end
    return found


def ids(
    text: str,
    vocab: dict[str, int],
    lower: bool = True,
    strip: bool = True,
    borders: str = "bert",
) -> list[int]:
    return [
        vocab[piece]
        for word in words(text, lower, strip, borders)
        for piece in pieces(word, vocab)
    ]
