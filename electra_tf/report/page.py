"""The report: one HTML page that needs nothing else, and PNGs beside it."""

import base64
import dataclasses
import os
import struct
from collections.abc import Sequence

from electra_tf.errors import InputError, require_packages
from electra_tf.files import (
    check_path,
    remove_quietly,
    write_bytes,
    write_text,
)
from electra_tf.locks import locked
from electra_tf.report import Run, load_runs
from electra_tf.report.charts import Chart, charts
from electra_tf.report.notes import notes, sentences
from electra_tf.report.tables import (
    by_group,
    decimals,
    figure_groups,
    setting_rows,
)

_KINDS = {"train": " in training", "evals": " held-out", "timing": ""}


@dataclasses.dataclass(frozen=True)
class Picture:
    """A chart drawn twice, for a light and for a dark page."""

    chart: Chart
    light: bytes
    dark: bytes

    @property
    def light_uri(self) -> str:
        return _data_uri(self.light)

    @property
    def dark_uri(self) -> str:
        return _data_uri(self.dark)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, from the PNG's header."""
        return struct.unpack(">II", self.light[16:24])

    def alt(self, runs: Sequence[Run]) -> str:
        """The picture in words: where every run's lines end."""
        ends = [
            f"{run.name}{_KINDS[kind]} ends at {decimals(values[-1])} "
            f"(step {steps[-1]})"
            for run in runs
            for kind, (steps, values) in self.chart.curves(run).items()
        ]
        return f"{self.chart.title}: {'; '.join(ends)}."


def write_report(model_dirs: Sequence[str], output_dir: str) -> str:
    """Writes `index.html` and a PNG a chart; several runs share the charts.

    Args:
      model_dirs: run folders (`pretrain.py --model_dir`), of finished runs
        or of runs still going.
      output_dir: folder to write to, made where missing.

    Returns:
      The path of the page. It has all pictures inside and loads nothing.

    Raises:
      InputError: a folder that is no run, an output folder that cannot be
        written, or the `report` extra not installed.
    """
    require_packages("the report needs", ("jinja2", "matplotlib"), "report")
    if not output_dir:
        raise InputError("output_dir must name a folder; received ''")
    runs = load_runs(model_dirs)
    with locked(check_path("output_dir", output_dir)):
        pictures = _draw_all(runs)
        page = render(runs, pictures)
        drawn = {picture.chart.name: picture.light for picture in pictures}
        for chart in charts():
            path = os.path.join(output_dir, f"{chart.name}.png")
            if chart.name in drawn:
                write_bytes(path, drawn[chart.name])
            else:
                remove_quietly(path)  # of an earlier report, about other runs
        index = os.path.join(output_dir, "index.html")
        write_text(index, page)
    return index


def _draw_all(runs: Sequence[Run]) -> list[Picture]:
    from electra_tf.report import plots

    pictures = []
    for chart in charts():
        light = plots.draw(chart, runs, plots.LIGHT)
        dark = plots.draw(chart, runs, plots.DARK)
        if light and dark:
            pictures.append(Picture(chart, light, dark))
    return pictures


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def render(runs: Sequence[Run], pictures: Sequence[Picture]) -> str:
    """The page as text; every string from a run's files is escaped."""
    import jinja2

    from electra_tf.report import plots

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("electra_tf.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections: dict[str, list[Picture]] = {}
    for picture in pictures:
        sections.setdefault(picture.chart.section, []).append(picture)
    return environment.get_template("page.html.jinja").render(
        runs=runs,
        notes=[notes(run) for run in runs],
        sections=sections,
        figures=figure_groups(runs),
        settings=setting_rows(runs),
        by_group=by_group,
        examples=[(run, sentences(run)[0]) for run in runs],
        light=plots.LIGHT,
        dark=plots.DARK,
    )
