"""The scripts of examples/, at a few steps each."""

import pathlib
import runpy

import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
SAYS = {
    "classify": ["held out: loss", "it predicts the same: True"],
    "answer": ["Who built the", "(true: Stone)"],
    "tag": ["Governor ", "Monroe "],
}


def test_every_example_is_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAYS)
def test_it_runs(name, capsys):
    runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"](5)
    out = capsys.readouterr().out
    assert "loss" in out
    for text in SAYS[name]:
        assert text in out


@pytest.mark.parametrize("name", SAYS)
def test_it_is_short(name):
    lines = (EXAMPLES / f"{name}.py").read_text().splitlines()
    assert len(lines) <= 60
