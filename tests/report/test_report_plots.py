"""Colours and legends of the pictures."""

import io

import pytest
from matplotlib import colors, image
from synthetic_runs import PNG, eval_line, write_run

from electra_tf.report import load_runs, page, plots


def test_every_run_gets_a_colour_and_a_legend_entry(tmp_path):
    folders = [write_run(tmp_path / name) for name in ("_a", "$b$", "c")]
    runs = load_runs(folders)
    chart = next(c for c in page.charts() if c.name == "loss")
    named, kinds = plots._legend_entries(chart, runs, plots.LIGHT)
    assert [label for _, label in named] == ["_a", "$b$", "c"]
    assert len({line.get_color() for line, _ in named}) == 3
    assert [label for _, label in kinds] == ["training", "held-out"]
    png = plots.draw(chart, runs, plots.LIGHT)
    assert png.startswith(PNG)
    assert png == plots.draw(chart, runs, plots.LIGHT)


@pytest.mark.parametrize("theme", [plots.LIGHT, plots.DARK])
def test_every_run_is_drawn_in_its_colour(tmp_path, theme):
    runs = load_runs(
        [
            write_run(
                tmp_path / name,
                [
                    eval_line(s) | {"eval_disc_recall": high * s}
                    for s in (10, 40)
                ],
            )
            for name, high in (("a", 0.01), ("b", 0.015), ("c", 0.02))
        ]
    )
    chart = next(c for c in page.charts() if c.name == "disc_recall")
    pixels = image.imread(io.BytesIO(plots.draw(chart, runs, theme)))
    above_legend = pixels[: len(pixels) * 3 // 4, :, :3]
    for color in theme.runs[:3]:
        close = abs(above_legend - colors.to_rgb(color)).max(axis=-1) < 0.02
        assert close.sum() > 300, color
    for color in theme.runs[3:]:
        close = abs(above_legend - colors.to_rgb(color)).max(axis=-1) < 0.02
        assert close.sum() < 30, color


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
