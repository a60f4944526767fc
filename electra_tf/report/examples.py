"""The corrupted held-out sentences, token by token, for the page."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from electra_tf.report import Run, is_number

MOST_SENTENCES = 16


@dataclasses.dataclass(frozen=True)
class Token:
    """A token as the discriminator saw it.

    `original` is "" where it was not replaced.
    """

    text: str
    probability: float
    is_replaced: bool
    original: str

    @property
    def is_flagged(self) -> bool:
        return self.probability > 0.5

    @property
    def percent(self) -> str:
        return f"{100 * self.probability:.0f} %"


@dataclasses.dataclass(frozen=True)
class Sentence:
    tokens: tuple[Token, ...]

    def count(self, is_replaced: bool, is_flagged: bool) -> int:
        return sum(
            token.is_replaced == is_replaced and token.is_flagged == is_flagged
            for token in self.tokens
        )

    @property
    def summary(self) -> str:
        """What was replaced, found, missed and flagged wrongly."""
        found, missed = self.count(True, True), self.count(True, False)
        wrong = self.count(False, True)
        return (
            f"{found + missed} replaced: {found} found, {missed} missed; "
            f"{wrong} original flagged"
        )


def sentences(run: Run) -> tuple[list[Sentence], str]:
    """The run's sentences, and a sentence about what is wrong with them.

    Returns:
      (sentences, ""), or ([], "") where the run has none, or
      ([], problem) where examples.json does not hold what it should.
    """
    if run.examples is None:
        return [], ""
    try:
        rows = [_sentence(row) for row in run.examples["examples"]]
    except (KeyError, TypeError, ValueError) as error:
        return [], (
            "examples.json: not read, since an example is not four lists of "
            f"one length ({type(error).__name__})."
        )
    return [row for row in rows if row.tokens][:MOST_SENTENCES], ""


def _sentence(row: Mapping[str, Any]) -> Sentence:
    columns: Sequence[Sequence[Any]] = [
        row[key]
        for key in ("tokens", "original", "probabilities", "is_replaced")
    ]
    tokens = []
    for text, original, probability, replaced in zip(*columns, strict=True):
        # A collapsed run may write NaN: shown as 0, the page stays readable.
        is_valid = is_number(probability) and math.isfinite(probability)
        tokens.append(
            Token(
                text=str(text),
                probability=min(1.0, max(0.0, probability)) if is_valid else 0,
                is_replaced=bool(replaced),
                original=str(original) if replaced else "",
            )
        )
    while tokens and tokens[-1].text == "[PAD]":
        tokens.pop()
    return Sentence(tuple(tokens))
