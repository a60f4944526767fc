"""What a run says while it works: a bar, log lines, notes."""

import sys
from collections.abc import Mapping

from tqdm import tqdm

from electra_tf.config.objectives import shown_figures

_is_muted = False


def mute() -> None:
    """From now on this process tells of errors alone.

    Of several workers the chief speaks.
    """
    global _is_muted
    _is_muted = True


def say(text: str) -> None:
    """A line of the run's own, on standard error, above the bar."""
    if not _is_muted:
        tqdm.write(text, file=sys.stderr)


class Progress:
    """A bar with losses, speed, tokens seen and time left.

    Where standard error is no terminal, a plain line at each log step.
    """

    def __init__(
        self, num_train_steps: int, step: int, batch_size: int, length: int
    ):
        self.batch_size = batch_size
        self.tokens_a_step = batch_size * length
        self.total = num_train_steps
        self.is_terminal = sys.stderr.isatty() and not _is_muted
        self.bar = tqdm(
            total=num_train_steps,
            initial=step,
            unit="step",
            disable=not self.is_terminal,
            dynamic_ncols=True,
            smoothing=0.05,
        )

    def advance(self, steps: int) -> None:
        """Moves the bar."""
        self.bar.update(steps)

    def show(
        self, step: int, values: Mapping[str, float], speed: float
    ) -> None:
        """Shows the values since the last log step."""
        seen = step * self.tokens_a_step
        tokens = f"{tqdm.format_sizeof(seen)} tokens"
        text = f"{shown(values)} | {speed:.1f} seq/s | {tokens}"
        if self.is_terminal:
            self.bar.set_postfix_str(text)
        else:
            sequences = (self.total - step) * self.batch_size
            left = tqdm.format_interval(sequences / max(speed, 1e-9))
            say(f"step {step:,}/{self.total:,} | {text} | {left} left")

    def close(self) -> None:
        """Leaves the bar as it is."""
        self.bar.close()


def shown(values: Mapping[str, float], prefix: str = "") -> str:
    """The main values in one short text."""
    return " ".join(
        f"{figure.label} {values[prefix + figure.name]:{figure.form}}"
        for figure in shown_figures()
        if figure.label and prefix + figure.name in values
    )


COLLAPSED_RECALL = 0.01
# A discriminator that ranks replaced tokens higher has learned something,
# however few it puts above 0.5; a collapsed one is constant.
COLLAPSED_AUC = 0.6


def collapse_warning(
    values: Mapping[str, float],
    step: int,
    num_warmup_steps: int,
    num_train_steps: int,
) -> str | None:
    """A warning where the discriminator calls every token original.

    Early on that is as it should be: few tokens are replaced, so few reach a
    probability of 0.5. Well after the warm-up (twice its steps, and half of
    the run), with an AUC of a guesser's, it hints at a collapse.
    """
    late = step >= max(2 * num_warmup_steps, num_train_steps // 2)
    recall = values.get("disc_recall", 1.0)
    learned = values.get("disc_auc", 0.5) >= COLLAPSED_AUC
    if not late or recall >= COLLAPSED_RECALL or learned:
        return None
    return (
        f"warning: at step {step:,} the discriminator finds {recall:.1%} of "
        "the replaced tokens: it calls nearly all original. Its accuracy "
        f"({values['disc_accuracy']:.3f}) is then the base rate "
        f"({values['disc_base_rate']:.3f}), its AUC {values['disc_auc']:.3f}: "
        "it may have collapsed; a lower learning_rate often helps"
    )
