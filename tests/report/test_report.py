"""The page's tables, pictures and examples, read back from the page."""

import base64
import os
import re
import struct

import pytest
from synthetic_runs import (
    DISC_CHARTS,
    OTHER_CHARTS,
    PNG,
    eval_line,
    example,
    lines,
    read,
    report,
    train_line,
    write_run,
)

from electra_tf.report.page import write_report


@pytest.mark.usefixtures("no_pictures")
def test_the_tables_figures_are_those_of_the_last_lines(tmp_path):
    result = report(tmp_path, write_run(tmp_path / "run"))
    train, held_out = train_line(40), eval_line(40)
    for label, key in {
        "Total loss": "loss",
        "Masked-LM loss, all used slots": "mlm_loss",
        "Accuracy of the best guess": "mlm_accuracy",
        "Accuracy of the samples drawn": "sampled_accuracy",
        "Detection loss": "disc_loss",
        "AUC": "disc_auc",
        "Accuracy": "disc_accuracy",
        "Base rate (tokens not replaced)": "disc_base_rate",
        "Precision at 0.5": "disc_precision",
        "Recall at 0.5": "disc_recall",
    }.items():
        texts, values = result.row(label)
        assert values == [train[key], held_out[f"eval_{key}"]], label
        assert texts == [f"{value:.4f}" for value in values]
    assert result.row("Masked-LM loss, slots that show [MASK]") == (
        ["–", "8.1000"],
        [held_out["eval_mlm_loss_masked"]],
    )
    assert result.row("Unigram level of those slots")[1] == [7.0625]
    assert result.row("Tokens seen")[1] == [40_000]
    assert result.row("Learning rate") == (["5.00e-04"], [5e-4])
    assert result.row("Sequences a second, last line")[1] == [240.0]
    assert result.row("Time from first to last line")[0] == ["30 min"]
    assert result.row("hidden_size")[0] == ["256"]


def test_writes_every_chart_beside_and_inside_the_page(tmp_path):
    result = report(tmp_path, write_run(tmp_path / "run"))
    files = {f for f in os.listdir(tmp_path / "out") if f.endswith(".png")}
    assert files == {f"{name}.png" for name in DISC_CHARTS | OTHER_CHARTS}
    beside = {(tmp_path / "out" / name).read_bytes() for name in files}
    inside = {
        base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))
        for image in result.all("img")
    }
    assert inside == beside
    for png in inside:
        assert png.startswith(PNG)
        assert len(png) > 5000
    image = result.all("img")[0]
    data = base64.b64decode(image["src"].split(",")[1])
    size = struct.unpack(">II", data[16:24])
    assert (int(image["width"]), int(image["height"])) == size
    assert all(image["alt"] for image in result.all("img"))
    dark = [source["srcset"] for source in result.all("source")]
    assert len(dark) == len(files)
    assert not {image["src"] for image in result.all("img")} & set(dark)


def test_the_page_loads_nothing_and_runs_nothing(tmp_path):
    result = report(tmp_path, write_run(tmp_path / "run"))
    assert not result.all("script")
    assert not result.all("link")
    for _, attributes in result.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "srcset"):
            assert attributes.get(name, "data:").startswith("data:")
    assert not re.search(r"url\(|@import|https?://", result.text)


@pytest.mark.parametrize("quote", ['"', "'"])
def test_escapes_what_comes_from_a_runs_files(tmp_path, quote):
    evil = f"<script>alert(1)</script>{quote} onmouseover={quote}x &lt;"
    run = write_run(
        tmp_path / f"a<img src=x onerror=y>&{quote} onerror={quote}",
        examples=[example([evil, "b"], ["a", evil], [0.9, 0.2])],
        config={"<b>": {evil: evil}},
    )
    result = report(tmp_path, run)
    assert not result.all("script")
    assert all("onmouseover" not in tag for _, tag in result.tags)
    assert all("onerror" not in tag for _, tag in result.tags)
    assert len(result.all("img")) == len(DISC_CHARTS | OTHER_CHARTS)
    assert evil in result.row(evil)[0]
    titles = [tag["title"] for tag in result.all("span") if "title" in tag]
    assert f"P(replaced) 20 %, original: {evil}" in titles


def test_runs_are_laid_over_one_another(tmp_path):
    folders = [write_run(tmp_path / x / "run") for x in ("a", "b")]
    other = [train_line(40) | {"loss": 7.5}, eval_line(40)]
    folders.append(write_run(tmp_path / "c" / "run", other))
    result = report(tmp_path, *folders)
    assert result.row("Total loss")[1] == [
        41.0,
        41.001,
        41,
        41.001,
        7.5,
        41.001,
    ]
    assert len(result.all("img")) == len(DISC_CHARTS | OTHER_CHARTS)
    alt = result.all("img")[0]["alt"]
    assert "a/run in training ends at 41.0000 (step 40)" in alt
    assert "c/run in training ends at 7.5000 (step 40)" in alt
    alone = tmp_path / "alone"
    write_report(folders[:1], str(alone))
    both = (tmp_path / "out" / "loss.png").read_bytes()
    assert both != (alone / "loss.png").read_bytes()


def test_a_masked_lm_run_has_no_discriminator_figures(tmp_path):
    run = write_run(tmp_path / "mlm", objective="mlm")
    result = report(tmp_path, run)
    files = {f for f in os.listdir(tmp_path / "out") if f.endswith(".png")}
    assert files == {f"{name}.png" for name in OTHER_CHARTS}
    labels = [row[0] for row in result.rows if row]
    assert "Total loss" in labels
    assert not {"AUC", "Recall at 0.5", "Detection loss"} & set(labels)


@pytest.mark.parametrize("name", ["main_loss", "mws_loss", "reward"])
def test_measures_of_one_objective_have_their_chart(tmp_path, name):
    metrics = [
        *(line | {name: 2.5} for line in lines("mlm")[:4]),
        *(line | {f"eval_{name}": 2.625} for line in lines("mlm")[4:]),
    ]
    result = report(tmp_path, write_run(tmp_path / "run", metrics))
    files = {f for f in os.listdir(tmp_path / "out") if f.endswith(".png")}
    assert files == {f"{chart}.png" for chart in OTHER_CHARTS | {name}}
    assert [i for i in result.all("img") if "ends at 2.6250" in i["alt"]]


def test_pictures_of_an_earlier_report_do_not_stay(tmp_path):
    report(tmp_path, write_run(tmp_path / "run"))
    assert (tmp_path / "out" / "disc_auc.png").exists()
    report(tmp_path, write_run(tmp_path / "mlm", objective="mlm"))
    assert not (tmp_path / "out" / "disc_auc.png").exists()


def test_a_run_without_evaluations(tmp_path):
    metrics = [train_line(10), train_line(20)]
    result = report(tmp_path, write_run(tmp_path / "run", metrics))
    assert result.row("AUC") == (["0.8989", "–"], [0.898912345])
    assert "No evaluation yet" in result.text
    assert not (tmp_path / "out" / "mlm_loss_masked.png").exists()


@pytest.mark.usefixtures("no_pictures")
def test_examples_show_probability_and_original(tmp_path):
    tokens = ["[CLS]", "the", "river", "ran", "[SEP]", "[PAD]"]
    original = ["[CLS]", "the", "boats", "sang", "[SEP]", "[PAD]"]
    run = write_run(
        tmp_path / "run",
        examples=[example(tokens, original, [0.01, 0.6, 0.934, 0.2, 0.0, 0])],
    )
    result = report(tmp_path, run)
    shown = [tag for tag in result.all("span") if "title" in tag]
    assert [tag["title"] for tag in shown] == [
        "P(replaced) 1 %",
        "P(replaced) 60 %",
        "P(replaced) 93 %, original: boats",
        "P(replaced) 20 %, original: sang",
        "P(replaced) 0 %",
    ]
    assert [tag["class"] for tag in shown] == [
        *("token", "token", "token replaced", "token replaced", "token")
    ]
    assert shown[2]["style"] == "--p:0.934"
    assert "riverboats 93 %" in result.text  # also without hovering
    assert "ransang 20 %" in result.text
    assert "the60 %" in result.text
    assert "2 replaced: 1 found, 1 missed; 1 original flagged" in result.text


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize(
    "examples",
    [
        [{"tokens": ["a"]}],
        [{**example(["a"], ["a"], [0.1]), "probabilities": [0.1, 0.2]}],
        ["text"],
        3,
    ],
)
def test_examples_of_another_form_are_named_not_fatal(tmp_path, examples):
    run = write_run(tmp_path / "run", examples=examples)
    result = report(tmp_path, run)
    assert "examples.json: not read" in result.text
    assert result.row("Total loss")


@pytest.mark.usefixtures("no_pictures")
def test_equal_runs_give_equal_pages(tmp_path):
    run = write_run(tmp_path / "run")
    first = read(write_report([run], str(tmp_path / "one")))
    assert first == read(write_report([run], str(tmp_path / "two")))
