"""Tags of spans: any of IOB, BIO and BIOES in, BIO or BIOES out.

A span's type follows the first hyphen: B-creative-work.
"""

from collections.abc import Iterable, Sequence

from seqeval.metrics.sequence_labeling import get_entities

OUTSIDE = "O"
_PREFIXES = ("B", "I", "E", "S")


def are_spans(tags: Iterable[str]) -> bool:
    """Whether all tags are "O" or have a prefix, and some have one."""
    tags = set(tags) - {OUTSIDE}
    return bool(tags) and all(
        tag.partition("-")[0] in _PREFIXES and tag.partition("-")[2]
        for tag in tags
    )


def to_bioes(tags: Sequence[str]) -> list[str]:
    """Begin, inside, end, single.

    Spans are found as `conlleval` does: I after O, or after another type,
    begins one.

    Example:
      >>> to_bioes(["I-NP", "I-NP", "B-NP", "O"])
      ['B-NP', 'E-NP', 'S-NP', 'O']
    """
    written = [OUTSIDE] * len(tags)
    for kind, first, last in get_entities(list(tags)):
        written[first : last + 1] = [f"I-{kind}"] * (last + 1 - first)
        written[first], written[last] = f"B-{kind}", f"E-{kind}"
        if first == last:
            written[first] = f"S-{kind}"
    return written


def to_bio(tags: Sequence[str]) -> list[str]:
    """Begin, inside; from any scheme.

    Example:
      >>> to_bio(["B-NP", "E-NP", "S-NP", "O"])
      ['B-NP', 'I-NP', 'B-NP', 'O']
    """
    written = [OUTSIDE] * len(tags)
    for kind, first, last in get_entities(list(tags)):
        written[first : last + 1] = [f"I-{kind}"] * (last + 1 - first)
        written[first] = f"B-{kind}"
    return written


def bioes_labels(tags: Iterable[str]) -> list[str]:
    """ "O" and the four tags of each type that occurs, whether all occur or
    not: a type seen in long spans only can stand in a short one later."""
    kinds = {tag.partition("-")[2] for tag in set(tags) - {OUTSIDE}}
    found = [f"{prefix}-{kind}" for kind in kinds for prefix in _PREFIXES]
    return [OUTSIDE, *sorted(found)]
