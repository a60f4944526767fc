"""What a run says while it works: a bar, log lines, notes."""

import math
import os
import sys
from collections.abc import Mapping

import tensorflow as tf
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
        text = f"{shown(values)} | {speed:.1f} seq/s | {compact(seen)} tokens"
        if self.is_terminal:
            self.bar.set_postfix_str(text)
        else:
            sequences = (self.total - step) * self.batch_size
            left = duration(sequences / max(speed, 1e-9))
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


def compact(number: float) -> str:
    """1234567 -> 1.2M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.1f}{unit}"
    return f"{number:.0f}"


def duration(seconds: float) -> str:
    """3725 -> 1h02m."""
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def gpu_note() -> str:
    """Says where a GPU is there but not usable; else nothing."""
    driver = os.path.exists("/proc/driver/nvidia/version")
    if driver and not tf.config.list_logical_devices("GPU"):
        return (
            " (an NVIDIA driver is there, but TensorFlow sees no GPU: "
            'pip install -e ".[gpu]")'
        )
    return ""
