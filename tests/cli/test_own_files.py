"""What the commands wrote and read back, where something else stands there."""

import json
import shutil

import pytest
import tiny

from electra_tf.errors import InputError
from electra_tf.finetune.run import write_results
from electra_tf.report import load_runs, parse_lines

NESTED = "[" * 100_000


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "vocab.txt"])
def test_a_folder_in_place_of_a_file(name, tiny_run, records_dir, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run.folder, run)
    (run / name).unlink()
    (run / name).mkdir()
    before = tiny.tree(run)
    finished = tiny.pretrain(model_dir=run, data_dir=records_dir)
    assert name in finished.error()
    if name == "config.json":
        flag = f"--model_dir={run}"
        assert name in tiny.command("evaluate_pretraining", flag).error()
    assert tiny.tree(run) == before


def test_a_report_of_files_that_nest_too_deep(tmp_path):
    (tmp_path / "config.json").write_text(NESTED)
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    assert load_runs([str(tmp_path)])[0].train
    lines, problems = parse_lines(f"{NESTED}\n".encode(), "metrics.jsonl")
    assert not lines
    assert "line 1" in problems[0]


GOOD = {"trial": 1, "metrics": {"mcc": 50.0}}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("trial_1/result.json", {}, "must have trial and metrics"),
        ("trial_1/result.json", {**GOOD, "trial": "1"}, "received {'trial'"),
        ("trial_1/result.json", {**GOOD, "metrics": [1]}, "must have trial"),
        ("trial_1/result.json", {"trial": 1, "metrics": {}}, "numbers of mcc"),
        ("trial_1/result.json", {**GOOD, "metrics": {"mcc": "x"}}, "numbers"),
        ("trial_1/result.json", [GOOD], "must hold one JSON object"),
        ("settings.json", {}, "must have metric"),
        ("settings.json", {"metric": ["mcc"]}, "must have metric"),
        ("settings.json", {"metric": "f1"}, "numbers of f1"),
    ],
)
def test_json_of_another_shape_in_a_task(name, content, told, tmp_path):
    folder = tmp_path / "cola"
    (folder / "trial_1").mkdir(parents=True)
    (folder / "trial_1" / "result.json").write_text(json.dumps(GOOD))
    (folder / "settings.json").write_text(json.dumps({"metric": "mcc"}))
    assert "| cola | mcc |" in write_results(str(tmp_path))
    (folder / name).write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        write_results(str(tmp_path))
    assert told in str(caught.value)
    assert "remove its folder" in str(caught.value)
