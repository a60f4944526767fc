"""Minimal pairs at the evaluations of a run, and in its report."""

import json

import numpy as np
import pytest
import tiny

from electra_tf.pretrained import from_pretrained
from electra_tf.report import load_runs
from electra_tf.report.charts import charts

PAIRS = [
    ("union the of state the", "the state of the union"),
    ("strong are we", "we are strong"),
    ("the the people", "the people of"),
    ("and and", "and and"),
]


@pytest.fixture(scope="module")
def pairs_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("pairs") / "pairs.txt"
    path.write_text("".join(f"{bad}\n{good}\n" for bad, good in PAIRS))
    return str(path)


def test_each_evaluation_of_a_run_scores_them(
    tmp_path, pairs_file, records_dir
):
    run = str(tmp_path / "run")
    flags = {
        "model_dir": run,
        "data_dir": records_dir,
        "num_train_steps": 6,
        "eval_every_steps": 3,
        "eval_pairs": pairs_file,
        "objective": "mlm",
    }
    finished = tiny.pretrain(**flags)
    assert finished.code == 0, finished.err
    lines = [x for x in tiny.metrics(run) if "eval_loss" in x]
    assert [line["step"] for line in lines] == [3, 6]
    texts = [text for pair in PAIRS for text in pair]
    model = from_pretrained(run)
    scores = model.pseudo_log_likelihood(texts).reshape(-1, 2)
    expected = 100 * np.mean(scores[:, 1] > scores[:, 0])
    assert lines[-1]["eval_acceptability"] == expected
    assert f" pairs {expected:.1f}" in finished.err

    [chart] = [each for each in charts() if each.name == "acceptability"]
    [loaded] = load_runs([run])
    steps, values = chart.curves(loaded)["evals"]
    assert (steps, values[-1]) == ((3, 6), expected)
    assert chart.level(loaded)[1] == (50, 50)

    again = tiny.command(
        "evaluate_pretraining",
        f"--model_dir={run}",
        "--eval_pairs_method=pll_word",
    )
    scores = model.pseudo_log_likelihood(texts, method="pll_word").reshape(
        -1, 2
    )
    found = json.loads(again.out)["eval_acceptability"]
    assert found == 100 * np.mean(scores[:, 1] > scores[:, 0])
    # Where they lie is not the weights' to tell.
    out = tmp_path / "out"
    tiny.command("convert_weights", f"--input={run}", f"--output={out}")
    assert pairs_file not in (out / "config.json").read_text()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"eval_pairs": "{}/none"}, "a file must exist"),
        ({"eval_pairs": "{}/long.txt"}, "texts must have at most 30 tokens"),
        (
            {"eval_pairs": "{}/long.txt", "eval_pairs_method": "electric"},
            "needs a run with the network energy; received 'objective=electra'",
        ),
    ],
)
def test_what_is_refused_before_the_first_step(
    tmp_path, records_dir, flags, told
):
    (tmp_path / "long.txt").write_text("we\n" + "we " * 31 + "\n")
    flags = {name: value.format(tmp_path) for name, value in flags.items()}
    run = tmp_path / "run"
    finished = tiny.pretrain(model_dir=run, data_dir=records_dir, **flags)
    assert told in finished.error()
    assert not run.exists()
