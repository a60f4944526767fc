"""What stands out in a run's figures, and the held-out sentences beside them.

The thresholds are this project's own (docs/expected.md), not published ones.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from electra_tf.config.objectives import OBJECTIVES
from electra_tf.config.pretraining import all_fields
from electra_tf.report import Run, is_number
from electra_tf.training.console import collapse_warning

FIRST_LOSS_RANGE = 4.0
MOST_SENTENCES = 16


@dataclasses.dataclass(frozen=True)
class Note:
    text: str
    is_warning: bool


def notes(run: Run) -> list[Note]:
    """Warnings first, then what is worth a glance."""
    found = [
        Note(text, True)
        for text in (
            *run.problems,
            sentences(run)[1],
            _not_finite(run),
            _collapse(run),
            _first_loss(run),
        )
        if text
    ]
    return found + [
        Note(text, False)
        for text in (_nothing_yet(run), _against_unigram(run), _auc(run))
        if text
    ]


def _nothing_yet(run: Run) -> str:
    if not run.train and not run.evals:
        return "Nothing has been logged yet."
    if not run.evals:
        return "No evaluation yet: held-out figures are missing."
    return ""


def _not_finite(run: Run) -> str:
    # Losses only: precision without a token flagged is undefined, not wrong.
    for line in sorted((*run.train, *run.evals), key=lambda x: x["step"]):
        for key, value in line.items():
            is_loss = key.endswith("loss") and isinstance(value, float)
            if is_loss and not math.isfinite(value):
                return f"{key} is {value} at step {line['step']}."
    return ""


def _collapse(run: Run) -> str:
    """The trainer's own rule, on the held-out figures."""
    line = run.last("evals")
    values = {
        key.removeprefix("eval_"): value
        for key, value in line.items()
        if is_number(value)
    }
    steps = [run.setting(f"num_{kind}_steps") for kind in ("warmup", "train")]
    needed = ("disc_loss", "disc_base_rate", "disc_auc")
    known = all(key in values for key in needed)
    if not known or not all(is_number(count) for count in steps):
        return ""
    text = collapse_warning(values, line["step"], *steps) or ""
    text = text.removeprefix("warning: ")
    return text and f"Held-out: {text}."


def _first_loss(run: Run) -> str:
    """The first step's loss against that of fresh networks."""
    line = run.train[0] if run.train else {}
    if line.get("step") != 1 or run.setting("init_checkpoint"):
        return ""
    expected = _loss_at_start(run)
    if expected is None:
        return ""
    loss = line.get("loss", math.nan)
    if not abs(loss - expected) > FIRST_LOSS_RANGE:
        return ""
    return (
        f"The loss of step 1 is {loss:.2f}; a fresh model starts within "
        f"{FIRST_LOSS_RANGE:g} of {expected:.2f}. Look at the initialisation "
        "and at the weights of the losses."
    )


def _loss_at_start(run: Run) -> float | None:
    fields = all_fields()
    values = {name: run.setting(name) for name in fields}
    description = OBJECTIVES.get(values["objective"])
    if description is None or not values["vocab_size"]:
        return None
    for name, value in values.items():
        values[name] = fields[name].default if value is None else value
    return description.loss_at_start(values)


def _against_unigram(run: Run) -> str:
    line = run.last("evals")
    loss = line.get("eval_mlm_loss_masked")
    level = line.get("eval_unigram_loss")
    if loss is None or level is None:
        return ""
    gap = level - loss
    if gap <= 0:
        return (
            f"Masked-LM loss is {-gap:.2f} above the unigram level: context "
            "is not used yet."
        )
    return f"Masked-LM loss is {gap:.2f} below the unigram level."


def _auc(run: Run) -> str:
    line = run.last("evals")
    auc, accuracy = line.get("eval_disc_auc"), line.get("eval_disc_accuracy")
    rate = line.get("eval_disc_base_rate")
    if auc is None or accuracy is None or rate is None:
        return ""
    points = round(100 * (accuracy - rate), 1)
    side = f"{abs(points)} points {'above' if points > 0 else 'below'}"
    return (
        f"Held-out AUC is {auc:.3f}; accuracy is {side if points else 'at'} "
        "the base rate."
    )


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
