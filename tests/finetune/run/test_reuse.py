"""What is reused is what was asked for; a later failure loses no result.

Trials are not trained here: what they find does not matter.
"""

import json
import shutil

import keras
import pytest
import tiny

from electra_tf.finetune.run import learner, saving


@pytest.fixture(autouse=True)
def trained(monkeypatch):
    """The seeds of all trials that were run."""
    seeds = []

    def train(task, plan, seed, examples, dev, log_dir):
        seeds.append(seed)
        model = task.build_model(plan)
        model.compile("sgd")
        return model

    monkeypatch.setattr(learner, "train", train)
    return seeds


def finetune(checkpoint, data_dir, out, *more):
    return tiny.command(
        "finetune",
        f"--init_checkpoint={checkpoint}",
        f"--data_dir={data_dir}",
        f"--output_dir={out}",
        "--task=cola",
        *more,
    )


def trials(out):
    found = json.loads((out / "results.json").read_text())
    return found["cola"]["trials"]


def test_another_test_set_is_refused(checkpoint, task_files, tmp_path):
    shutil.copytree(task_files / "CoLA", tmp_path / "data" / "CoLA")
    given = (checkpoint, tmp_path / "data", tmp_path / "out", "--do_predict")
    assert finetune(*given, "--nosave_model").code == 0
    before = tiny.tree(tmp_path / "out")
    with open(tmp_path / "data" / "CoLA" / "test.tsv", "a") as file:
        file.write("\n7\tone more")
    for more in ("--num_trials=1", "--num_trials=2"):
        told = finetune(*given, "--nosave_model", more).error()
        assert "test_data was" in told
    assert tiny.tree(tmp_path / "out") == before
    # What an earlier version wrote does not tell; that is told.
    path = tmp_path / "out" / "cola" / "settings.json"
    old = json.loads(path.read_text())
    del old["test_data"]
    path.write_text(json.dumps(old))
    finished = finetune(*given, "--nosave_model")
    assert finished.code == 0
    assert "does not tell which test set was predicted" in finished.err


def test_a_model_that_is_asked_for_later_is_the_best_trial_s(
    checkpoint, task_files, tmp_path, trained
):
    given = (checkpoint, task_files, tmp_path / "out", "--num_trials=2")
    assert finetune(*given, "--nosave_model").code == 0
    model = tmp_path / "out" / "cola" / "model.keras"
    assert not model.exists()
    assert [t["has_model"] for t in trials(tmp_path / "out")] == [False] * 2
    finished = finetune(*given)
    assert "once more for its model" in finished.err
    assert model.exists()
    best = max(trials(tmp_path / "out"), key=lambda t: t["metrics"]["mcc"])
    assert best["has_model"]
    # Once; or twice, where rounding made the other one the best.
    assert trained[:2] == [0, 1]
    assert trained[-1] == best["seed"]
    count = len(trained)
    assert count in (3, 4)
    assert "all 2 trials are there" in finetune(*given).err
    assert len(trained) == count


def test_a_model_that_cannot_be_saved_costs_no_result(
    checkpoint, task_files, tmp_path, monkeypatch, trained
):
    given = (checkpoint, task_files, tmp_path / "out")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "save", full)
        assert "No space left on device" in finetune(*given).error()
    (trial,) = trials(tmp_path / "out")
    assert not trial["has_model"]
    assert not list((tmp_path / "out" / "cola").glob("model*"))
    assert finetune(*given).code == 0
    assert trials(tmp_path / "out")[0]["has_model"]
    assert trained == [0, 0]


def test_no_room_for_a_model_is_known_before(
    checkpoint, task_files, tmp_path, monkeypatch, trained
):
    given = (checkpoint, task_files, tmp_path / "out")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        saving.shutil, "disk_usage", lambda path: usage._replace(free=1000)
    )
    told = finetune(*given).error()
    assert "must have room for a model of 0.2 MB" in told
    assert "received '0.0 MB'" in told
    assert trained == []
    assert not (tmp_path / "out").exists()
    assert finetune(*given, "--nosave_model").code == 0


def test_one_set_from_two_sources_is_refused(checkpoint, task_files, tmp_path):
    """Both would write CoLA.tsv into submission.zip."""
    out = tmp_path / "out"
    given = (checkpoint, task_files, out, "--do_predict", "--nosave_model")
    told = finetune(*given, "--task=cola,glue/cola").error()
    assert "may hold cola once" in told
    assert "received 'cola and glue_cola'" in told
    assert not out.exists()
    # Nor one after the other.
    assert finetune(*given).code == 0
    told = finetune(*given, "--task=glue/cola").error()
    assert "received 'cola and glue_cola'" in told
