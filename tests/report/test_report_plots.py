"""Colours and legends of the pictures."""

import pytest
from synthetic_runs import PNG, write_run

from electra_tf.report import page, plots
from electra_tf.report.runs import load_runs


def test_every_run_gets_a_colour_and_a_legend_entry(tmp_path):
    folders = [write_run(tmp_path / name) for name in ("_a", "$b$", "c")]
    runs = load_runs(folders)
    chart = next(c for c in page.CHARTS if c.name == "loss")
    named, kinds = plots._legend_entries(chart, runs, plots.LIGHT)
    assert [label for _, label in named] == ["_a", "$b$", "c"]
    assert len({line.get_color() for line, _ in named}) == 3
    assert [label for _, label in kinds] == ["training", "held-out"]
    assert plots.draw(chart, runs, plots.LIGHT).startswith(PNG)


@pytest.mark.parametrize("theme", ["LIGHT", "DARK"])
def test_colours_stand_out_from_the_background(theme):
    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in parts
        ]
        return sum(
            w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
        )

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(one), luminance(other)))
        return (high + 0.05) / (low + 0.05)

    theme = getattr(plots, theme)
    assert contrast(theme.text, theme.background) >= 7
    assert contrast(theme.muted, theme.background) >= 4.5
    for color in theme.runs:
        assert contrast(color, theme.background) >= 3
