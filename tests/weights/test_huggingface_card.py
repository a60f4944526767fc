"""The card of a folder for Hugging Face: what its run can tell, no more."""

import dataclasses
import json

import pytest

from electra_tf.errors import InputError
from electra_tf.weights import open_weights, save_weights
from electra_tf.weights.record import RunResult

RESULT = RunResult(
    120,
    {"step": 120, "eval_loss": 19.25, "eval_disc_auc": 0.6875},
    {"bytes": 9},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights of ours that know their run, and where they came from."""
    folder = str(tmp_path_factory.mktemp("card") / "ours")
    weights = dataclasses.replace(
        open_weights("tiny"),
        result=RESULT,
        origin={"repository": "o/n", "revision": "abc", "licence": "cc0-1.0"},
    )
    save_weights(weights, folder)
    return folder


def test_a_card_tells_what_the_run_was(folder, tmp_path):
    weights = open_weights(folder)
    assert weights.result == RESULT
    save_weights(weights, str(tmp_path / "hf"), "huggingface")
    told = (tmp_path / "hf/generator/README.md").read_text()
    front, _, body = told.removeprefix("---\n").partition("\n---\n")
    values = dict(row.split(": ") for row in front.split("\n") if ": " in row)
    assert values["license"] == "cc0-1.0"
    assert values["base_model"] == "o/n"
    assert values["pipeline_tag"] == "fill-mask"
    for row in (
        "| updates | 120 |",
        f"| train_batch_size | {weights.config.optimizer.train_batch_size} |",
        "| bytes | 9 |",
        "| Total loss | 19.2500 |",
        "| AUC | 0.6875 |",
        "| revision | abc |",
    ):
        assert row in body, row
    assert "licence" not in body.partition("## Not measured")[2]


def test_a_card_without_a_run_says_so(tmp_path):
    weights = open_weights("tiny")
    alone = dataclasses.replace(weights, result=None, origin={})
    save_weights(alone, str(tmp_path / "hf"), "huggingface")
    told = (tmp_path / "hf/discriminator/README.md").read_text()
    assert "license: unknown" in told
    assert "## Pre-training" not in told
    open_points = told.partition("## Not measured or not known")[2]
    assert "recipe, data and held-out figures" in open_points
    assert "licence" in open_points


@pytest.mark.parametrize(
    "result",
    [[], {"step": 1}, {"step": 1, "held_out": {"a": ""}, "records": {}}],
)
def test_a_damaged_result_is_one_line(result, folder, tmp_path):
    for name in ("vocab.txt", "tokenizer.json", "weights.npz"):
        (tmp_path / name).hardlink_to(f"{folder}/{name}")
    config = json.loads(open(f"{folder}/config.json").read())
    config["weights"]["result"] = result
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="result"):
        open_weights(tmp_path)
