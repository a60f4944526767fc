"""Draws the charts with matplotlib, without a display and without pyplot."""

import dataclasses
import io
import math
import warnings
from collections.abc import Sequence
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator

from electra_tf.report import Run
from electra_tf.report.charts import Chart


@dataclasses.dataclass(frozen=True)
class Theme:
    """Colours of the page and of its pictures, which must agree."""

    background: str
    text: str
    muted: str
    grid: str
    runs: tuple[str, ...]


# After Okabe and Ito's palette for colour-blind readers, each colour moved
# until it stands out from its background by 3 : 1 or more.
LIGHT = Theme(
    background="#ffffff",
    text="#1c2127",
    muted="#59626c",
    grid="#e3e7eb",
    runs=("#0068a8", "#c85200", "#007d5b", "#ad4a86", "#86690a", "#454c54"),
)
DARK = Theme(
    background="#181c21",
    text="#e6e9ec",
    muted="#a3acb5",
    grid="#30363d",
    runs=("#5cb8f0", "#ff9350", "#35c79b", "#ea9cc9", "#e5cf4c", "#c3cad1"),
)
_MARKERS = "os^DvP"
DOTTED = (0, (1.2, 1.8))
_WIDTH, HEIGHT, LEGEND_ROW = 5.0, 3.1, 0.2  # inches
# What a legend's line holds, and what an entry takes beside its label.
_LINE_CHARACTERS, _ENTRY_CHARACTERS = 65, 7
_DOTS_PER_INCH = 170

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    # A run's name may hold a dollar sign: it is text, not a formula.
    "text.parse_math": False,
    "axes.unicode_minus": True,
}

Entry = tuple[Line2D, str]


def draw(chart: Chart, runs: Sequence[Run], theme: Theme) -> bytes | None:
    """The chart as a PNG; None where no run has a point for it."""
    if not any(chart.curves(run) for run in runs):
        return None
    with style.context(STYLE):
        figure, axes = titled_axes(chart.title, theme)
        dress(axes, theme)
        levels = {level for run in runs for level in chart.level(run)[1]}
        shared = len(runs) == 1 or len(levels) == 1
        for index, run in enumerate(runs):
            color = run_color(index, theme)
            _draw_run(axes, chart, run, color, marker(index))
            _draw_level(axes, chart, run, theme.muted if shared else color)
        if chart.from_zero:
            axes.set_ylim(bottom=0)
        entries = _legend_entries(chart, runs, theme)
        rows = legend(figure, entries, theme)
        figure.set_figheight(HEIGHT + LEGEND_ROW * rows)
        return png(figure)


def titled_axes(title: str, theme: Theme) -> tuple[Figure, Axes]:
    """An empty figure of the report's size, its title at the left."""
    figure = Figure(figsize=(_WIDTH, HEIGHT), layout="constrained")
    figure.set_facecolor(theme.background)
    figure.suptitle(
        title, x=0.002, ha="left", color=theme.text, weight="bold", size=12
    )
    return figure, figure.add_subplot()


def png(figure: Figure) -> bytes:
    """The file's content: equal figures give equal bytes."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        # A run's name in a script the font lacks shows boxes here; the page
        # has the name as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        # No version inside, so that equal runs give equal files.
        figure.savefig(buffer, dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def dress(axes: Axes, theme: Theme) -> None:
    """Colours, grid and ticks; steps run along x."""
    axes.set_facecolor(theme.background)
    axes.set_xlabel("step", color=theme.muted)
    axes.grid(axis="y", color=theme.grid, linewidth=0.9)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.muted)
    axes.tick_params(colors=theme.muted, length=0, axis="y")
    axes.tick_params(colors=theme.muted, length=3, axis="x")
    axes.xaxis.set_major_locator(
        MaxNLocator(6, integer=True, steps=[1, 2, 2.5, 5, 10])
    )
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.4g}"))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.margins(x=0.02)


def _draw_run(
    axes: Axes, chart: Chart, run: Run, color: str, marker: str
) -> None:
    for kind, (steps, values) in chart.curves(run).items():
        thin = kind == "train" and bool(chart.held_out)
        marks = kind == "evals" or len(steps) == 1
        axes.plot(
            steps,
            values,
            color=color,
            solid_capstyle="round",
            linewidth=1.2 if thin else 2.0,
            alpha=0.6 if thin else 1.0,
            marker=marker if marks else None,
            markersize=4.5,
            # At most about 16 marks, so that a long run stays a line.
            markevery=max(1, math.ceil(len(steps) / 16)),
            zorder=4 if kind == "evals" else 3,
        )


def _draw_level(axes: Axes, chart: Chart, run: Run, color: str) -> None:
    steps, values = chart.level(run)
    axes.plot(
        steps,
        values,
        color=color,
        linestyle=DOTTED,
        linewidth=1.7,
        # One evaluation gives one point, which no line would show.
        marker="_" if len(steps) == 1 else None,
        markersize=14,
        zorder=2,
    )


def _legend_entries(
    chart: Chart, runs: Sequence[Run], theme: Theme
) -> tuple[list[Entry], list[Entry]]:
    """(entries of the runs, entries of the kinds of line)."""
    several = len(runs) > 1
    named, kinds = [], []
    for index, run in enumerate(runs):
        if several and chart.curves(run):
            line = Line2D([], [], color=run_color(index, theme), linewidth=2.0)
            if chart.held_out:
                line.set(marker=marker(index), markersize=4.5)
            named.append(
                (line, printable(run.name, 44 if len(runs) < 4 else 24))
            )
    present = {kind for run in runs for kind in chart.curves(run)}
    color = theme.muted if several else run_color(0, theme)
    both = {"train", "evals"} <= present
    if both or ("train" in present and not several and chart.held_out):
        line = Line2D([], [], color=color, linewidth=1.2, alpha=0.6)
        kinds.append((line, "training"))
    # On a chart of one kind of line, the runs' own entries say it all.
    if "evals" in present and (both or not several):
        line = Line2D([], [], color=color, linewidth=2.0, markersize=4.5)
        line.set_marker(marker(0))
        kinds.append((line, "held-out"))
    if any(chart.level(run)[0] for run in runs):
        line = Line2D([], [], color=theme.muted, linestyle=DOTTED, lw=1.7)
        kinds.append((line, chart.reference_label))
    return named, kinds


def legend_columns(*groups: Sequence[str]) -> int:
    """The most columns whose labels fit side by side."""
    for columns in range(max(map(len, groups)), 1, -1):
        widths = [
            max(len(x) for group in groups for x in group[i::columns])
            for i in range(columns)
        ]
        if sum(widths) + _ENTRY_CHARACTERS * columns <= _LINE_CHARACTERS:
            return columns
    return 1


def legend(
    figure: Figure, entries: Sequence[Sequence[Entry]], theme: Theme
) -> int:
    """Below the axes, each group on rows of its own; returns their number."""
    groups = [group for group in entries if group]
    if not groups:
        return 0
    columns = legend_columns(*[[label for _, label in g] for g in groups])
    blank = (Line2D([], [], alpha=0), "")
    cells: list[Entry] = []
    for group in groups:
        cells += [*group, *[blank] * (-len(group) % columns)]
    # matplotlib fills columns first; rows are read first.
    ordered = [cell for i in range(columns) for cell in cells[i::columns]]
    legend = figure.legend(
        [line for line, _ in ordered],
        # Set below: matplotlib drops a label that begins with "_".
        [f" {label}" for _, label in ordered],
        loc="outside lower left",
        ncols=columns,
        frameon=False,
        fontsize=9.5,
        handlelength=1.9,
        columnspacing=1.6,
        labelcolor=theme.text,
    )
    for text, (_, label) in zip(legend.get_texts(), ordered, strict=True):
        text.set_text(label)
    return len(cells) // columns


def run_color(index: int, theme: Theme) -> str:
    return theme.runs[index % len(theme.runs)]


def marker(index: int) -> str:
    # Shifted at every round of the colours: 36 runs look different.
    return _MARKERS[(index + index // len(_MARKERS)) % len(_MARKERS)]


def printable(name: str, longest: int) -> str:
    """A name as one short line: its middle gives way, not its ends."""
    name = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name
    )
    if len(name) <= longest:
        return name
    half = (longest - 1) // 2
    return f"{name[:half]}…{name[-half:]}"
