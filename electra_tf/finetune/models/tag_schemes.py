"""Schemes of tags: spans of words as IOB, BIO (IOB2) or BIOES.

They come as any of these and go as BIO or BIOES. A span's type follows the
first hyphen: B-creative-work.
"""

import re
from collections.abc import Iterable, Sequence

OUTSIDE = "O"
SPAN = re.compile(r"[BIES]-.")
_PREFIXES = ("B", "I", "E", "S")
# L and U are of BILOU, M and W of BMEOW.
_MARKED = re.compile(r"[BIESLUMW]-.")


def are_spans(tags: Iterable[str]) -> bool:
    """Whether the tags are of a scheme of spans, but for mistakes.

    They are where one begins with B- or I-; or with another letter of such a
    scheme, and all others do, too, or are "O".
    """
    tags = set(tags)
    marked = {tag for tag in tags if _MARKED.match(tag)}
    are_sure = any(tag[0] in "BI" for tag in marked) or OUTSIDE in tags
    return bool(marked) and (are_sure or marked == tags)


def spans_of(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """(type, first, last) of each span, found as `conlleval` does.

    I or E after O, after the end of a span, or after another type, begins one.

    Example:
      >>> spans_of(["I-NP", "I-NP", "B-NP", "O"])
      [('NP', 0, 1), ('NP', 2, 2)]
    """
    found: list[tuple[str, int, int]] = []
    before, kind_before = OUTSIDE, ""
    for place, tag in enumerate(tags):
        prefix, _, kind = tag.partition("-")
        goes_on = prefix in "IE" and before in "BI" and kind == kind_before
        if prefix != OUTSIDE and goes_on:
            found[-1] = (kind, found[-1][1], place)
        elif prefix != OUTSIDE:
            found.append((kind, place, place))
        before, kind_before = prefix, kind
    return found


def to_bioes(tags: Sequence[str]) -> list[str]:
    """Begin, inside, end, single.

    Spans are found as `conlleval` does: I after O, or after another type,
    begins one.

    Example:
      >>> to_bioes(["I-NP", "I-NP", "B-NP", "O"])
      ['B-NP', 'E-NP', 'S-NP', 'O']
    """
    written = to_bio(tags)
    for kind, first, last in spans_of(tags):
        if first == last:
            written[last] = f"S-{kind}"
        else:
            written[last] = f"E-{kind}"
    return written


def to_bio(tags: Sequence[str]) -> list[str]:
    """Begin, inside; from any scheme.

    Example:
      >>> to_bio(["B-NP", "E-NP", "S-NP", "O"])
      ['B-NP', 'I-NP', 'B-NP', 'O']
    """
    written = [OUTSIDE] * len(tags)
    for kind, first, last in spans_of(tags):
        written[first : last + 1] = [f"I-{kind}"] * (last + 1 - first)
        written[first] = f"B-{kind}"
    return written


def bioes_labels(tags: Iterable[str]) -> list[str]:
    """ "O" and the four tags of each type that occurs, whether all occur or
    not: a type seen in long spans only can stand in a short one later."""
    kinds = {tag.partition("-")[2] for tag in set(tags) - {OUTSIDE}}
    found = [f"{prefix}-{kind}" for kind in kinds for prefix in _PREFIXES]
    return [OUTSIDE, *sorted(found)]
