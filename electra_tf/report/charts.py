"""What the report draws: one measure a chart, and how to read it."""

import dataclasses
from collections.abc import Callable

from electra_tf.config.objectives import shown_figures
from electra_tf.report import Run, Series


@dataclasses.dataclass(frozen=True)
class Chart:
    """One picture.

    Attributes:
      name: the PNG's file name without its ending.
      section: the heading of the page that it stands under.
      train, held_out, timing: keys of the lines drawn; "" draws none.
      reference: gives the level to compare with, dotted; per run.
      reference_label: its name in the legend.
      from_zero: the vertical axis starts at 0.
    """

    name: str
    section: str
    title: str
    caption: str
    train: str = ""
    held_out: str = ""
    timing: str = ""
    reference: Callable[[Run], Series] | None = None
    reference_label: str = ""
    from_zero: bool = False

    def curves(self, run: Run) -> dict[str, Series]:
        """Kind of line -> (steps, values), of those that hold a point."""
        keys = {
            "train": self.train,
            "evals": self.held_out,
            "timing": self.timing,
        }
        found = {
            kind: run.series(kind, key) for kind, key in keys.items() if key
        }
        return {kind: series for kind, series in found.items() if series[0]}

    def level(self, run: Run) -> Series:
        """(steps, values) of the reference, empty where there is none."""
        if self.reference is None or not self.curves(run):
            return (), ()
        return self.reference(run)


def _unigram(run: Run) -> Series:
    held_out = run.series("evals", "eval_unigram_loss")
    return held_out if held_out[0] else run.series("train", "unigram_loss")


def base_rate(run: Run) -> Series:
    """Fraction of real tokens that are not replaced: held-out, else train."""
    held_out = run.series("evals", "eval_disc_base_rate")
    return held_out if held_out[0] else run.series("train", "disc_base_rate")


def _replaced_rate(run: Run) -> Series:
    steps, values = base_rate(run)
    return steps, tuple(1 - value for value in values)


def _flat(level: float) -> Callable[[Run], Series]:
    """The same level from a run's first step to its last."""

    def of(run: Run) -> Series:
        steps = [line["step"] for line in (*run.train, *run.evals)]
        return (min(steps), max(steps)), (level, level)

    return of


LOSSES, DETECTION, PACE = "Losses", "Finding the replaced tokens", "Pace"
PAIRS = "Minimal pairs"


_FIRST = (
    Chart(
        "loss",
        LOSSES,
        "Total loss",
        "Masked-LM loss plus the weighted detection loss. Falls fast at "
        "first, then for as long as the run lasts.",
        train="loss",
        held_out="eval_loss",
    ),
    Chart(
        "mlm_loss",
        LOSSES,
        "Masked-LM loss, all used slots",
        "Cross-entropy in nats. Includes the slots that kept their token, "
        "which are easier.",
        train="mlm_loss",
        held_out="eval_mlm_loss",
    ),
    Chart(
        "disc_loss",
        LOSSES,
        "Detection loss",
        "Binary cross-entropy over the real tokens, before its weight. "
        "It can rise while the generator gets better at fooling.",
        train="disc_loss",
        held_out="eval_disc_loss",
    ),
    Chart(
        "mlm_loss_masked",
        LOSSES,
        "Masked-LM loss against the unigram level",
        "Slots that show [MASK]. Below the dotted line the model uses "
        "context; at the line it knows word frequencies only.",
        train="mlm_loss_masked",
        held_out="eval_mlm_loss_masked",
        reference=_unigram,
        reference_label="unigram level",
    ),
)
_LAST = (
    Chart(
        "disc_auc",
        DETECTION,
        "AUC",
        "Chance that a replaced token ranks above an original one. 0.5 is "
        "guessing; padding is left out.",
        train="disc_auc",
        held_out="eval_disc_auc",
        reference=_flat(0.5),
        reference_label="guessing",
    ),
    Chart(
        "disc_accuracy",
        DETECTION,
        "Accuracy against the base rate",
        "The dotted line is what answering “original” everywhere scores. "
        "Only what lies above it was learned.",
        train="disc_accuracy",
        held_out="eval_disc_accuracy",
        reference=base_rate,
        reference_label="base rate",
    ),
    Chart(
        "disc_precision",
        DETECTION,
        "Precision at 0.5",
        "Of the tokens flagged, the share that was replaced. Dotted: the "
        "share that flagging at random would hit.",
        train="disc_precision",
        held_out="eval_disc_precision",
        reference=_replaced_rate,
        reference_label="share replaced",
        from_zero=True,
    ),
    Chart(
        "disc_recall",
        DETECTION,
        "Recall at 0.5",
        "Of the replaced tokens, the share flagged. Starts near 0 and rises "
        "late; 0 beside an AUC of 0.5 is a collapse.",
        train="disc_recall",
        held_out="eval_disc_recall",
        from_zero=True,
    ),
    Chart(
        "acceptability",
        PAIRS,
        "Minimal pairs, right in percent",
        "How often the acceptable one of two texts has the higher score, mean "
        "over paradigms. 50 is guessing; equal scores count as wrong.",
        held_out="eval_acceptability",
        reference=_flat(50),
        reference_label="guessing",
    ),
    Chart(
        "learning_rate",
        PACE,
        "Learning rate",
        "Warm-up, then decay to zero at the last step.",
        train="learning_rate",
        from_zero=True,
    ),
    Chart(
        "sequences_per_second",
        PACE,
        "Sequences a second",
        "Between log lines, over all devices.",
        timing="sequences_per_second",
        from_zero=True,
    ),
)


def charts() -> list[Chart]:
    """Those of every run, and between them what single objectives measure."""
    own = [
        Chart(
            figure.name,
            LOSSES,
            figure.title,
            figure.caption,
            train=figure.name,
            held_out=f"eval_{figure.name}",
            from_zero=not figure.name.endswith("loss"),
        )
        for figure in shown_figures()  # now: plugins may have added some
        if figure.caption
    ]
    return [*_FIRST, *own, *_LAST]
