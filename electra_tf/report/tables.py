"""The rows of the page's tables: final figures and configuration."""

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from electra_tf.config.objectives import shown_figures
from electra_tf.report import Run, flatten, is_number

ABSENT = "–"


@dataclasses.dataclass(frozen=True)
class Cell:
    """A figure: `text` to read, `value` exactly as the file has it."""

    text: str
    value: str = ""


@dataclasses.dataclass(frozen=True)
class FigureRow:
    """A measure; `cells` are (training, held-out) of every run in turn.

    With `spans`, one cell a run stands for both.
    """

    label: str
    cells: tuple[Cell, ...]
    spans: bool = False


@dataclasses.dataclass(frozen=True)
class SettingRow:
    group: str
    name: str
    values: tuple[str, ...]
    differs: bool


def decimals(value: float) -> str:
    """Four decimals; values under 0.001 keep three digits instead."""
    if value == 0:
        return "0"
    return f"{value:.2e}" if abs(value) < 0.001 else f"{value:.4f}"


def _count(value: float) -> str:
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _tenths(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


_PROGRESS = (
    ("Tokens seen", "train", "tokens_seen", _count),
    ("Epochs", "train", "epoch", "{:.4g}".format),
    ("Learning rate", "train", "learning_rate", decimals),
)
_PACE = (
    (
        "Sequences a second, last line",
        *("timing", "sequences_per_second", _tenths),
    ),
    ("Steps a second, last line", "timing", "steps_per_second", _tenths),
    ("Peak memory, MB", "timing", "peak_memory_mb", _count),
)


def figure_groups(runs: Sequence[Run]) -> dict[str, list[FigureRow]]:
    """The last training and held-out line of every run, side by side."""
    groups = {
        "Progress": [
            _both(runs, "Step of the last line", "step", "step", _count),
            *(_spanning(runs, *row) for row in _PROGRESS),
        ]
    }
    for figure in shown_figures():
        name = figure.name
        groups.setdefault(figure.group, []).append(
            _both(runs, figure.title, name, f"eval_{name}", decimals)
        )
    times = tuple(map(_elapsed, runs))
    groups["Pace"] = [
        *(_spanning(runs, *row) for row in _PACE),
        FigureRow("Time from first to last line", times, spans=True),
    ]
    found = {
        title: [r for r in rows if any(c.text != ABSENT for c in r.cells)]
        for title, rows in groups.items()
    }
    return {title: rows for title, rows in found.items() if rows}


def _both(
    runs: Sequence[Run],
    label: str,
    train: str,
    held_out: str,
    show: Callable[[float], str],
) -> FigureRow:
    keys = (("train", train), ("evals", held_out))
    cells = [_cell(run, kind, key, show) for run in runs for kind, key in keys]
    return FigureRow(label, tuple(cells))


def _spanning(
    runs: Sequence[Run],
    label: str,
    kind: str,
    key: str,
    show: Callable[[float], str],
) -> FigureRow:
    cells = tuple(_cell(run, kind, key, show) for run in runs)
    return FigureRow(label, cells, spans=True)


def _cell(run: Run, kind: str, key: str, show: Callable[[float], str]) -> Cell:
    value = run.last(kind).get(key)
    if not is_number(value):
        return Cell(ABSENT)
    if not math.isfinite(value):
        return Cell(str(float(value)), json.dumps(value))
    return Cell(show(value), json.dumps(value))


def _elapsed(run: Run) -> Cell:
    """Between the timing lines, stops of the run included."""
    _, times = run.series("timing", "time")
    if len(times) < 2:
        return Cell(ABSENT)
    seconds = round(times[-1] - times[0])
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    text = f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
    return Cell(text if seconds >= 60 else f"{seconds} s", str(seconds))


def setting_rows(runs: Sequence[Run]) -> list[SettingRow]:
    """Every configuration value, in the file's order; a row has all runs'."""
    flat = [dict(flatten(run.config)) for run in runs]
    rows = []
    for key in dict.fromkeys(key for values in flat for key in values):
        texts = tuple(_setting(values.get(key)) for values in flat)
        group, _, name = key.rpartition(".")
        rows.append(SettingRow(group, name, texts, len(set(texts)) > 1))
    return rows


def by_group(
    rows: Sequence[SettingRow],
) -> list[tuple[str, list[SettingRow]]]:
    """(group, its rows), groups in the order in which they first come."""
    groups: dict[str, list[SettingRow]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return list(groups.items())


def _setting(value: Any) -> str:
    if value is None or value == "":
        return ABSENT
    return value if isinstance(value, str) else json.dumps(value)
