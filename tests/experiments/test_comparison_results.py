"""Table and pictures of a made-up results.json, against hand arithmetic."""

import pytest
from matplotlib.figure import Figure

from electra_tf.experiments import results
from electra_tf.report import comparison_plots as pictures

PNG = b"\x89PNG\r\n\x1a\n"


def system(name, width, final, early=None, flags=None, **described):
    """Scores (probe -> values of one seed, or of several) at steps 5, 10."""
    points = [
        {"seed": seed, "step": step, "train_flops": flops, "scores": scores}
        for step, flops, all_scores in ((5, 2e9, early or []), (10, 4e9, final))
        for seed, scores in enumerate(all_scores)
    ]
    return {
        "name": name,
        "flags": flags or {},
        "objective": "electra",
        "generator": "transformer",
        "generator_width": width,
        "tying": "embeddings",
        "num_train_steps": 10,
        "train_flops": 4e9,
        **described,
        "points": points,
    }


@pytest.fixture
def made():
    """Five systems of two probes; `mlm` has not been probed at its end."""
    quarter = {"generator_hidden_size": 0.25}
    return {
        "budget": "flops",
        "probes": {"sst2": "accuracy", "chunk": "f1"},
        "systems": [
            system(
                "electra",
                32,
                [
                    {"sst2": [80.0, 83.0], "chunk": [90.0, 91.0]},
                    {"sst2": [86.0], "chunk": [92.0]},
                ],
                [{"sst2": [70.0, 72.0]}],
                quarter,
            ),
            system("full", 128, [{"sst2": [79.0], "chunk": [88.0]}]),
            system("none", 32, [{"sst2": [78.0]}], flags=quarter, tying="none"),
            system(
                "unigram",
                None,
                [{"sst2": [75.0, 76.0]}],
                generator="unigram",
                tying="none",
            ),
            system(
                "mlm",
                None,
                [],
                [{"sst2": [60.0]}],
                objective="mlm",
                generator=None,
                tying="none",
            ),
        ],
    }


def test_the_table(made):
    table, note = results.markdown(made).split("\n\n")
    head, rule, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
    )
    assert head[5:] == ["sst2 accuracy", "chunk f1", "average", "n"]
    assert len(rule) == len(head)
    assert [row[0] for row in rows] == [
        "electra", "full", "none", "unigram", "mlm",
    ]  # fmt: skip
    # 80, 83, 86: 83, sqrt((9 + 0 + 9) / 2) = 3; 90, 91, 92: 91, 1;
    # averages 85, 87, 89.
    assert rows[0][1:] == [
        "transformer 32", "embeddings", "10", "4e+09",
        "83.00 ± 3.00", "91.00 ± 1.00", "87.00 ± 2.00", "3",
    ]  # fmt: skip
    assert rows[1][5:] == ["79.00", "88.00", "83.50", "1"]
    assert rows[2][5:] == ["78.00", "–", "–", "0"]
    assert rows[3][1:3] == ["unigram", "none"]
    assert rows[4][1] == "–"
    assert rows[4][5:] == ["–", "–", "–", "0"]
    assert "equal train-FLOPs" in note


def test_one_score_counts_in_each_trials_average(made):
    made["probes"]["pairs"] = "rtd"
    made["without_trials"] = ["pairs"]
    electra = made["systems"][0]
    for point in electra["points"]:
        point["scores"]["pairs"] = [60.0]
    # (80 + 90 + 60) / 3, (83 + 91 + 60) / 3, (86 + 92 + 60) / 3
    found = results.final_values(made, electra, "average")
    assert found == pytest.approx([230 / 3, 78, 238 / 3])
    assert results.final_values(made, electra, "pairs") == [60, 60]


def test_one_probe_has_no_average(made):
    del made["probes"]["chunk"]
    assert results.probe_names(made) == ["sst2"]
    assert "average" not in results.markdown(made)


def test_scores_against_flops(made):
    electra, *_, unigram, mlm = pictures.by_flops(made, "sst2")
    assert electra.label == "electra"
    assert electra.x == (2e9, 4e9)
    assert electra.y == (71, 83)
    assert electra.deviation == (pytest.approx(2**0.5), 3)
    assert (unigram.x, unigram.y) == ((4e9,), (75.5,))
    assert (mlm.x, mlm.y, mlm.deviation) == ((2e9,), (60,), (0,))
    # An average needs all probes.
    electra, full = pictures.by_flops(made, "average")
    assert (electra.x, electra.y) == ((4e9,), (87,))
    assert full.y == (83.5,)


def test_scores_against_the_generators_width(made):
    curve, level = pictures.by_generator_width(made, "sst2")
    assert curve.label == "electra, transformer, embeddings"
    assert (curve.x, curve.y) == ((32, 128), (83, 79))
    assert curve.deviation == (3, 0)
    assert not curve.is_level
    assert level.is_level
    assert level.label == "unigram"
    assert (level.x, level.y) == ((32, 128), (75.5, 75.5))
    # Other flags that differ part them.
    made["systems"][1]["flags"]["learning_rate"] = 1e-3
    assert pictures.by_generator_width(made, "sst2") == []


def test_scores_by_tying(made):
    rows = pictures.by_tying(made, "sst2")
    assert [(row.label, row.mean) for row in rows] == [
        ("embeddings (electra)", 83),
        ("none", 78),
    ]
    made["systems"][2]["generator_width"] = 64
    assert pictures.by_tying(made, "sst2") == []


def test_final_scores(made):
    rows = pictures.by_system(made, "sst2")
    assert [(row.label, row.mean) for row in rows] == [
        ("electra", 83), ("full", 79), ("none", 78), ("unigram", 75.5),
    ]  # fmt: skip
    assert rows[0].deviation == 3


def drawn_marks(figure: Figure) -> list[tuple[list[float], list[float]]]:
    """(x, y) of each line that is no whisker's cap."""
    lines = [container[0] for container in figure.axes[0].containers]
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in lines]


def test_what_is_drawn_is_what_was_selected(made):
    curves = pictures.by_flops(made, "sst2")
    figure = pictures.curves_figure(curves, "sst2 accuracy", "train-FLOPs")
    assert drawn_marks(figure) == [
        (list(curve.x), list(curve.y)) for curve in curves
    ]
    (bars,) = figure.axes[0].containers[0][2]
    lows, highs = zip(*(s[:, 1] for s in bars.get_segments()), strict=True)
    assert lows[1] == 80
    assert highs[1] == 86
    assert figure.axes[0].get_xlabel() == "train-FLOPs"

    rows = pictures.by_system(made, "sst2")
    figure = pictures.rows_figure(rows, "sst2 accuracy")
    assert drawn_marks(figure) == [
        ([row.mean], [index]) for index, row in enumerate(rows)
    ]
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["electra", "full", "none", "unigram"]


def test_pictures_are_there_where_there_is_something_to_draw(made):
    found = pictures.draw_all(made)
    kinds = ("systems", "tying", "train_flops", "generator_size")
    assert set(found) == {
        *(f"{kind}_sst2" for kind in kinds),
        "systems_chunk", "train_flops_chunk", "generator_size_chunk",
        "systems_average", "train_flops_average", "generator_size_average",
        "tying_chunk", "tying_average",
    }  # fmt: skip
    assert all(png.startswith(PNG) for png in found.values())
    assert pictures.draw_all(made) == found
    for each in made["systems"]:
        each["points"] = []
    assert pictures.draw_all(made) == {}
