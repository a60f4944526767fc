"""results.json of a comparison, made anew from what is on disk; its table.

Table and plots are made of results.json alone.
"""

import json
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from electra_tf.config.objectives import describe
from electra_tf.config.sizes import generator_sizes
from electra_tf.experiments import Comparison, Point, System
from electra_tf.files import write_bytes, write_text
from electra_tf.training.cost.flops import train_flops

RESULTS, TABLE = "results.json", "results.md"
AVERAGE = "average"
ABSENT = "–"
Results = Mapping[str, Any]
Draw = Callable[[Results], Mapping[str, bytes]]


def write(
    comparison: Comparison, metrics: Mapping[str, str], draw: Draw
) -> str:
    """Writes results.json, results.md and the plots; returns the table.

    Args:
      comparison: what is compared.
      metrics: probe -> the metric that is its score.
      draw: gives the plots, a PNG by its file name without the ending.
    """
    results = collect(comparison, metrics)
    folder = comparison.output_dir
    text = json.dumps(results, indent=2, ensure_ascii=False) + "\n"
    write_text(os.path.join(folder, RESULTS), text)
    table = markdown(results)
    write_text(os.path.join(folder, TABLE), table)
    for name, png in draw(results).items():
        write_bytes(os.path.join(folder, f"{name}.png"), png)
    return table


def collect(comparison: Comparison, metrics: Mapping[str, str]) -> Results:
    """What the folder holds, as results.json has it."""
    points: dict[str, list[dict[str, Any]]] = {}
    for point in comparison.points():
        scores = _scores(comparison, metrics, point)
        if scores:
            points.setdefault(point.system.name, []).append(
                {
                    "seed": point.seed,
                    "step": point.step,
                    "train_flops": point.train_flops,
                    "scores": scores,
                }
            )
    return {
        "budget": comparison.budget,
        "probes": dict(metrics),
        "without_trials": [
            probe.name for probe in comparison.probes if not probe.has_trials
        ],
        "systems": [
            {**_described(system), "points": points.get(system.name, [])}
            for system in comparison.systems
        ],
    }


def _scores(
    comparison: Comparison, metrics: Mapping[str, str], point: Point
) -> dict[str, list[float]]:
    """Probe -> the score of each trial; probes without a trial are left out."""
    scores = {}
    for probe in comparison.probes:
        values = probe.scores(point, metrics[probe.name])
        if values:
            scores[probe.name] = values[: comparison.trials(probe)]
    return scores


def _described(system: System) -> dict[str, Any]:
    model, options = system.config.model, system.config.objective
    description = describe(options.objective)
    has_width = description.trains_generator(model.generator)
    width = generator_sizes(model).hidden_size if has_width else None
    generator = model.generator if description.has_generator else None
    return {
        "name": system.name,
        "flags": dict(system.flags),
        "objective": options.objective,
        "generator": generator,
        "generator_width": width,
        "tying": model.tying,
        "num_train_steps": system.config.optimizer.num_train_steps,
        "train_flops": train_flops(system.config),
    }


def probe_names(results: Results) -> list[str]:
    """The probes, and their average where there are several."""
    names = list(results["probes"])
    return [*names, AVERAGE] if len(names) > 1 else names


def values_at(
    results: Results, system: Mapping[str, Any], step: int, probe: str
) -> list[float]:
    """Scores of all seeds and trials at a step.

    The average of trial t is over the probes' trials t, and the one score of
    a probe without trials; it is there where all probes are.
    """
    single = results.get("without_trials", [])
    found: list[float] = []
    for point in system["points"]:
        scores = point["scores"]
        if point["step"] != step:
            continue
        if probe != AVERAGE:
            found += scores.get(probe, [])
        elif all(name in scores for name in results["probes"]):
            trials = [len(v) for n, v in scores.items() if n not in single]
            columns = [
                scores[name] * min(trials, default=1)
                if name in single
                else scores[name]
                for name in results["probes"]
            ]
            found += map(statistics.fmean, zip(*columns, strict=False))
    return found


def final_values(
    results: Results, system: Mapping[str, Any], probe: str
) -> list[float]:
    """Scores of all seeds and trials at the end of the runs."""
    return values_at(results, system, system["num_train_steps"], probe)


def spread(values: Sequence[float]) -> float | None:
    """The sample's standard deviation (n - 1); None for one value."""
    return statistics.stdev(values) if len(values) > 1 else None


def markdown(results: Results) -> str:
    """The scores at the end of each run, a row a system (as Table 5)."""
    probes = probe_names(results)
    heads = [
        f"{name} {results['probes'].get(name, '')}".rstrip() for name in probes
    ]
    heads = ["system", "generator", "tying", "steps", "train-FLOPs", *heads]
    lines = [table_row([*heads, "n"]), table_row(["---"] * (len(heads) + 1))]
    for system in results["systems"]:
        columns = [final_values(results, system, name) for name in probes]
        width = system["generator_width"]
        generator = " ".join(
            str(part) for part in (system["generator"], width) if part
        )
        cells = [
            system["name"],
            generator or ABSENT,
            system["tying"],
            f"{system['num_train_steps']:,}",
            f"{system['train_flops']:.4g}",
            *map(_shown, columns),
            str(len(columns[-1])),
        ]
        lines.append(table_row(cells))
    return "\n".join(lines) + "\n\n" + _legend(results) + "\n"


def _legend(results: Results) -> str:
    equal = {"steps": "training steps", "flops": "train-FLOPs"}
    once = ", ".join(results.get("without_trials", []))
    return (
        f"Budget: equal {equal[results['budget']]}. Scores on the dev sets, "
        "times 100: mean ± the sample's deviation over n fine-tuning runs "
        f"(seeds x trials{f'; {once}: seeds alone' if once else ''}). "
        "Generator: kind and width."
    )


def _shown(values: Sequence[float]) -> str:
    if not values:
        return ABSENT
    text, deviation = f"{statistics.fmean(values):.2f}", spread(values)
    return text if deviation is None else f"{text} ± {deviation:.2f}"


def table_row(cells: Sequence[str]) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"
