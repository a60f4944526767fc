"""The picture of an evaluation on minimal pairs: who is right how often."""

from collections.abc import Mapping
from typing import Any

from matplotlib import style

from electra_tf.experiments.acceptability.page import described
from electra_tf.report import plots
from electra_tf.report.comparison_plots import Row, rows_figure

_MODEL, _BASELINE, _PUBLISHED = range(3)
_GUESSING = 50


def rows_of(found: Mapping[str, Any]) -> list[Row]:
    """The model, the baselines, those published, of acceptability.json."""
    ours = [(found["method"], found, _MODEL)]
    ours += [(n, each, _BASELINE) for n, each in found["baselines"].items()]
    rows = [
        Row(name, each["mean"], each["standard_error"], kind)
        for name, each, kind in ours
    ]
    for name, each in found["published"]["systems"].items():
        rows.append(Row(described(name), each["mean"], 0.0, _PUBLISHED))
    return rows


def draw(found: Mapping[str, Any]) -> bytes:
    """The PNG."""
    source = found["published"]["source"].partition(";")[0]
    note = f"Published: {source}" if source else ""
    title = f"{found['pairs']:,} minimal pairs: right, in percent"
    with style.context(plots.STYLE):
        return plots.png(rows_figure(rows_of(found), title, note, _GUESSING))
