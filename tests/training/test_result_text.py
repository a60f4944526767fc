"""What a finished run prints of itself."""

import json

import pytest

from electra_tf.training.run import result_text

LINE = {
    "step": 2000,
    "eval_loss": 20.0,
    "eval_mlm_loss": 4.5,
    "eval_unigram_loss": 6.0,
}


@pytest.mark.parametrize(
    ("masked", "words"), [(5.25, "0.750 nats below"), (6.5, "0.500 nats above")]
)
def test_the_loss_stands_beside_the_unigram_level(tmp_path, masked, words):
    rows = [
        LINE | {"eval_mlm_loss_masked": 9.0, "step": 1000},
        LINE | {"eval_mlm_loss_masked": masked, "eval_disc_auc": 0.61},
        {"step": 2100, "loss": 1.0},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "metrics.jsonl").write_text(text)
    result = result_text(str(tmp_path))
    assert "step 2,000" in result
    assert words in result
    assert "0.610" in result
    assert "0.50 - 0.58" in result


def test_a_run_without_evaluation_says_so(tmp_path):
    assert "nothing was held out" in result_text(str(tmp_path))
