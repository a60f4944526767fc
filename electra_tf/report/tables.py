"""The rows of the page's tables: final figures and configuration."""

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from electra_tf.config.objectives import shown_figures
from electra_tf.report.runs import Run, flatten, is_number

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
class FigureGroup:
    title: str
    rows: tuple[FigureRow, ...]


@dataclasses.dataclass(frozen=True)
class SettingRow:
    group: str
    name: str
    values: tuple[str, ...]
    differs: bool


def number_cell(value: Any, show: Callable[[float], str] | None = None) -> Cell:
    """A file's value, to four decimals or as `show` has it."""
    if not is_number(value):
        return Cell(ABSENT)
    if not math.isfinite(value):
        return Cell(str(float(value)), json.dumps(value))
    return Cell((show or decimals)(value), json.dumps(value))


def decimals(value: float) -> str:
    """Four decimals; values under 0.001 keep three digits instead."""
    if value == 0:
        return "0"
    if abs(value) < 0.001:
        return f"{value:.2e}"
    return f"{value:.4f}"


def count(value: float) -> str:
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def figure_groups(runs: Sequence[Run]) -> list[FigureGroup]:
    """The last training and held-out line of every run, side by side."""
    groups = [FigureGroup("Progress", _progress(runs))]
    figures = shown_figures()
    for title in dict.fromkeys(figure.group for figure in figures):
        rows = [
            FigureRow(
                figure.title,
                tuple(
                    number_cell(run.last(kind).get(prefix + figure.name))
                    for run in runs
                    for kind, prefix in (("train", ""), ("evals", "eval_"))
                ),
            )
            for figure in figures
            if figure.group == title
        ]
        groups.append(FigureGroup(title, _with_values(rows)))
    groups.append(FigureGroup("Pace", _pace(runs)))
    return [group for group in groups if group.rows]


def _with_values(rows: Sequence[FigureRow]) -> tuple[FigureRow, ...]:
    return tuple(
        row for row in rows if any(cell.text != ABSENT for cell in row.cells)
    )


def _progress(runs: Sequence[Run]) -> tuple[FigureRow, ...]:
    steps = FigureRow(
        "Step of the last line",
        tuple(
            number_cell(run.last(kind).get("step"), count)
            for run in runs
            for kind in ("train", "evals")
        ),
    )
    return _with_values(
        [
            steps,
            _spanning("Tokens seen", runs, "train", "tokens_seen", count),
            _spanning(
                "Epochs", runs, "train", "epoch", lambda value: f"{value:.4g}"
            ),
            _spanning("Learning rate", runs, "train", "learning_rate"),
        ]
    )


def _pace(runs: Sequence[Run]) -> tuple[FigureRow, ...]:
    def tenths(value: float) -> str:
        return f"{value:.1f}" if value >= 10 else f"{value:.3g}"

    return _with_values(
        [
            _spanning(
                "Sequences a second, last line",
                *(runs, "timing", "sequences_per_second", tenths),
            ),
            _spanning(
                "Steps a second, last line",
                *(runs, "timing", "steps_per_second", tenths),
            ),
            _spanning(
                "Peak memory, MB", runs, "timing", "peak_memory_mb", count
            ),
            FigureRow(
                "Time from first to last line",
                tuple(_elapsed(run) for run in runs),
                spans=True,
            ),
        ]
    )


def _spanning(
    label: str,
    runs: Sequence[Run],
    kind: str,
    key: str,
    show: Callable[[float], str] | None = None,
) -> FigureRow:
    cells = tuple(number_cell(run.last(kind).get(key), show) for run in runs)
    return FigureRow(label, cells, spans=True)


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
