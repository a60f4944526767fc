"""What a run says while it works: a bar, log lines, notes."""

import math
import sys
from collections.abc import Mapping

from tqdm import tqdm

from electra_tf.config.objectives import shown_figures
from electra_tf.config.optimization import OptimizerConfig

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

    def __init__(self, optimizer: OptimizerConfig, step: int, length: int):
        self.optimizer, self.length = optimizer, length
        self.total = optimizer.num_train_steps
        self.is_terminal = sys.stderr.isatty() and not _is_muted
        self.bar = tqdm(
            total=self.total,
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
        seen = self.optimizer.examples_before(step)
        tokens = f"{tqdm.format_sizeof(seen * self.length)} tokens"
        text = f"{shown(values)} | {speed:.1f} seq/s | {tokens}"
        if self.is_terminal:
            self.bar.set_postfix_str(text)
        else:
            sequences = self.optimizer.examples_before(self.total) - seen
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


# A guesser's AUC is 0.5; a generator that knows frequencies alone leaves the
# discriminator 0.58, which is slow but no collapse.
COLLAPSED_AUC = 0.53
_LOSS_MARGIN = 0.002
_UNIGRAM_MARGIN = 0.1


def collapse_warning(
    values: Mapping[str, float],
    step: int,
    num_warmup_steps: int,
    num_train_steps: int,
) -> str | None:
    """A warning where the discriminator tells no token from another.

    Few tokens are replaced, so that few reach a probability of 0.5 for long:
    that recall is 0 says nothing. A collapsed discriminator is a constant: its
    AUC is a guesser's, and its loss no lower than that of the base rate. This
    counts well after the warm-up (twice its steps, and half of the run).
    """
    late = step >= max(2 * num_warmup_steps, num_train_steps // 2)
    names = ("disc_auc", "disc_loss", "disc_base_rate")
    auc, loss, base = (values.get(name, math.nan) for name in names)
    chance = _entropy(base)
    is_constant = auc < COLLAPSED_AUC and loss > chance - _LOSS_MARGIN
    if not late or not is_constant:
        return None
    return (
        f"warning: at step {step:,} the discriminator tells replaced tokens "
        f"no better than a guesser: its AUC is {auc:.3f}, its loss {loss:.3f} "
        f"(the base rate of {base:.3f} alone gives {chance:.3f}): it may have "
        f"collapsed; a lower learning_rate often helps{_plateau(values)}"
    )


def _entropy(rate: float) -> float:
    """The loss of a constant guess at the base rate."""
    shares = (share for share in (rate, 1 - rate) if share > 0)
    return sum(-share * math.log(share) for share in shares)


def _plateau(values: Mapping[str, float]) -> str:
    """What else it may be, where the generator has learned nothing, either."""
    loss, level = (values.get(n) for n in ("mlm_loss_masked", "unigram_loss"))
    if loss is None or level is None or loss < level - _UNIGRAM_MARGIN:
        return ""
    return (
        f". Or it waits for the generator, whose loss of {loss:.3f} is at the "
        f"unigram level ({level:.3f}), as a small model's on little text is "
        "for a while: position_init=sinusoidal shortens that"
    )
