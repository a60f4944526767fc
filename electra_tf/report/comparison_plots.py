"""The pictures of a comparison, after the paper's Figures 1 to 3.

Everything that is drawn comes from results.json, by the functions named by_*.
"""

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from electra_tf.experiments.results import (
    Results,
    final_values,
    probe_names,
    spread,
    values_at,
)
from electra_tf.report import plots

_ROW = 0.3  # inches
_LABEL = 34  # characters
_WIDTH = ("generator_hidden_size", "generator_width")
_KINDS = ("objective", "generator", "tying")


@dataclasses.dataclass(frozen=True)
class Curve:
    """Mean scores over x; deviations are 0 where there is one value.

    A level is the same at every x: it is drawn dotted.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    deviation: tuple[float, ...]
    is_level: bool = False


@dataclasses.dataclass(frozen=True)
class Row:
    """A mean score and its deviation.

    Rows of another kind have another mark.
    """

    label: str
    mean: float
    deviation: float
    kind: int = 0


def draw_all(results: Results) -> dict[str, bytes]:
    """File name without its ending -> PNG, of what there is to draw."""
    found = {}
    for probe in probe_names(results):
        score = f"{probe} {results['probes'].get(probe, 'of all')}"
        tables = {
            "systems": (by_system(results, probe), score),
            "tying": (by_tying(results, probe), f"Tying: {score}"),
        }
        for name, (rows, title) in tables.items():
            if rows:
                found[f"{name}_{probe}"] = rows_figure(rows, title)
        drawings = {
            "train_flops": curves_figure(
                by_flops(results, probe), score, "train-FLOPs"
            ),
            "generator_size": curves_figure(
                by_generator_width(results, probe), score, "generator width"
            ),
        }
        for name, figure in drawings.items():
            if figure is not None:
                found[f"{name}_{probe}"] = figure
    with style.context(plots.STYLE):
        return {name: plots.png(figure) for name, figure in found.items()}


def by_system(results: Results, probe: str) -> list[Row]:
    """Final scores, in the comparison's order (Table 5)."""
    rows = []
    for system in results["systems"]:
        values = final_values(results, system, probe)
        if values:
            rows.append(_row(system["name"], values))
    return rows


def by_flops(results: Results, probe: str) -> list[Curve]:
    """A curve a system: scores at each checkpoint (Figures 1 and 3)."""
    curves = []
    for system in results["systems"]:
        flops = {p["step"]: p["train_flops"] for p in system["points"]}
        scores = {
            flops[step]: values
            for step in sorted(flops)
            if (values := values_at(results, system, step, probe))
        }
        if scores:
            curves.append(_curve(system["name"], scores))
    return curves


def by_generator_width(results: Results, probe: str) -> list[Curve]:
    """Final scores of systems that differ in the generator's width alone
    (Figure 3); untrained generators of the same objective are levels."""
    curves: list[Curve] = []
    objectives: dict[str, list[float]] = {}
    trained = [s for s in results["systems"] if s["generator_width"]]
    for systems in _alike(trained, _WIDTH):
        scores: dict[float, list[float]] = {}
        for system in systems:
            values = final_values(results, system, probe)
            if values:
                scores.setdefault(system["generator_width"], []).extend(values)
        if len(scores) > 1:
            scores = dict(sorted(scores.items()))
            curves.append(_curve(_kind(systems[0]), scores))
            objectives.setdefault(systems[0]["objective"], []).extend(scores)
    for system in results["systems"]:
        widths = objectives.get(system["objective"])
        values = final_values(results, system, probe)
        if widths and values and not system["generator_width"]:
            ends = {min(widths): values, max(widths): values}
            level = _curve(system["name"], ends)
            curves.append(dataclasses.replace(level, is_level=True))
    return curves


def by_tying(results: Results, probe: str) -> list[Row]:
    """Final scores of systems that differ in tying alone (section 3.2)."""
    rows = []
    # The flag of the width is none of them: tying=all has its own default.
    unlike = ("tying", "generator_hidden_size")
    for systems in _alike(results["systems"], unlike):
        if len({system["tying"] for system in systems}) < 2:
            continue
        for system in systems:
            values = final_values(results, system, probe)
            if values:
                name, tying = system["name"], system["tying"]
                label = tying if name == tying else f"{tying} ({name})"
                rows.append(_row(label, values))
    return rows


def _alike(
    systems: Sequence[Mapping[str, Any]], apart_from: Sequence[str]
) -> list[list[Mapping[str, Any]]]:
    """Groups of systems that agree in all else, in order."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for system in systems:
        resolved = (*_KINDS, "generator_width")
        values = {**system["flags"], **{n: system[n] for n in resolved}}
        kept = {n: v for n, v in values.items() if n not in apart_from}
        key = json.dumps(kept, sort_keys=True)
        groups.setdefault(key, []).append(system)
    return list(groups.values())


def _kind(system: Mapping[str, Any]) -> str:
    return ", ".join(system[name] for name in _KINDS)


def _row(label: str, values: Sequence[float]) -> Row:
    return Row(label, statistics.fmean(values), spread(values) or 0.0)


def _curve(label: str, scores: Mapping[float, Sequence[float]]) -> Curve:
    rows = [_row(label, values) for values in scores.values()]
    return Curve(
        label,
        tuple(scores),
        tuple(row.mean for row in rows),
        tuple(row.deviation for row in rows),
    )


def curves_figure(
    curves: Sequence[Curve], score: str, x_label: str
) -> Figure | None:
    """Lines with whiskers; None where there is none."""
    if not curves:
        return None
    theme = plots.LIGHT
    with style.context(plots.STYLE):
        figure, axes = plots.titled_axes(f"{score}, by {x_label}", theme)
        plots.dress(axes, theme)
        axes.set_xlabel(x_label, color=theme.muted)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        entries = []
        for index, curve in enumerate(curves):
            look: dict[str, Any] = {
                "color": plots.run_color(index, theme),
                "marker": None if curve.is_level else plots.marker(index),
                "markersize": 4.5,
                "linestyle": plots.DOTTED if curve.is_level else "-",
                "linewidth": 1.7,
            }
            whiskers = None if curve.is_level else curve.deviation
            axes.errorbar(curve.x, curve.y, whiskers, capsize=3, **look)
            entries.append(
                (Line2D([], [], **look), plots.printable(curve.label, _LABEL))
            )
        rows = plots.legend(figure, [entries], theme)
        figure.set_figheight(plots.HEIGHT + plots.LEGEND_ROW * rows)
    return figure


def rows_figure(
    rows: Sequence[Row],
    score: str,
    note: str = "",
    level: float | None = None,
) -> Figure:
    """A mark with whiskers for each row, the first at the top.

    A note stands below, and a dotted line at a level to compare with.
    """
    theme = plots.LIGHT
    with style.context(plots.STYLE):
        figure, axes = plots.titled_axes(score, theme)
        plots.dress(axes, theme)
        axes.grid(visible=False, axis="y")
        axes.grid(axis="x", color=theme.grid, linewidth=0.9)
        axes.set_xlabel("", color=theme.muted)
        figure.supxlabel(note, x=0.002, ha="left", size=8, color=theme.muted)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        for index, row in enumerate(rows):
            axes.errorbar(
                row.mean,
                index,
                xerr=row.deviation or None,
                color=plots.run_color(row.kind, theme),
                marker=plots.marker(row.kind),
                markersize=5.5,
                capsize=3,
            )
        if level is not None:
            axes.axvline(
                level, color=theme.muted, linestyle=plots.DOTTED, zorder=0
            )
        labels = [plots.printable(row.label, _LABEL) for row in rows]
        axes.set_yticks(range(len(rows)), labels, color=theme.text)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.margins(x=0.08)
        figure.set_figheight(1.0 + _ROW * len(rows))
    return figure
