"""The command from its flags to its files: trials, results, resuming."""

import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time
import zipfile

import grammar
import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf.config.finetuning import (
    TrainingOptions,
)
from electra_tf.errors import InputError
from electra_tf.files import read_json
from electra_tf.finetune.run import (
    learner,
    summarize,
    train_examples,
)
from electra_tf.finetune.run.learner import make_plan
from electra_tf.weights import open_weights

ROOT = pathlib.Path(__file__).parents[3]
COLA = ("--task=cola", "--num_trials=2", "--do_predict")


def arguments(checkpoint, data_dir, output_dir, *more):
    return [
        f"--init_checkpoint={checkpoint}",
        f"--data_dir={data_dir}",
        f"--output_dir={output_dir}",
        "--num_train_epochs=2",
        "--train_batch_size=4",
        "--learning_rate=2e-3",
        "--max_query_length=8",
        *more,
    ]


def finetune(*given):
    finished = tiny.command("finetune", *arguments(*given))
    assert finished.code == 0, finished.err
    return finished


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def cola(checkpoint, task_files, tmp_path_factory):
    """(folder, what was printed) of two trials on CoLA."""
    folder = tmp_path_factory.mktemp("cola") / "out"
    return folder, finetune(checkpoint, task_files, folder, *COLA)


def test_results_are_summed_up_over_trials(cola):
    folder, finished = cola
    found = read(folder / "results.json")["cola"]
    assert found["metric"] == "mcc"
    assert [trial["seed"] for trial in found["trials"]] == [0, 1]
    values = [trial["metrics"]["mcc"] for trial in found["trials"]]
    assert found["summary"]["mcc"] == {
        "median": statistics.median(values),
        "mean": pytest.approx(np.mean(values)),
        "deviation": pytest.approx(np.std(values, ddof=1)),
        "best": max(values),
    }
    assert found["best_trial"] == 1 + int(np.argmax(values))
    # 12 examples in batches of 4, twice.
    assert [trial["steps"] for trial in found["trials"]] == [6, 6]
    assert finished.out == (folder / "results.md").read_text()
    rows = finished.out.splitlines()
    assert rows[0].split(" | ")[1:3] == ["metric", "median"]
    assert rows[2].startswith(f"| cola | mcc | {np.median(values):.2f} |")


def test_settings_tell_the_whole_plan(cola):
    settings = read(cola[0] / "cola" / "settings.json")
    assert settings["learning_rate"] == 2e-3
    assert settings["layerwise_lr_decay"] == 0.8
    assert settings["weight_decay_rate"] == 0.0
    assert settings["max_seq_length"] == grammar.LENGTH  # the model's


def test_the_submission_holds_the_best_trial_s_predictions(cola):
    folder, _ = cola
    best = read(folder / "results.json")["cola"]["best_trial"]
    with zipfile.ZipFile(folder / "submission.zip") as archive:
        assert archive.namelist() == ["CoLA.tsv"]
        content = archive.read("CoLA.tsv").decode()
    path = folder / "cola" / f"trial_{best}" / "test" / "CoLA.tsv"
    assert content == path.read_text()
    lines = [line.split("\t") for line in content.splitlines()]
    assert lines[0] == ["index", "prediction"]
    assert [line[0] for line in lines[1:]] == [str(n) for n in range(6)]


def test_the_saved_model_is_the_best_trial_s(cola, task_files):
    folder, _ = cola
    model = keras.models.load_model(folder / "cola" / "model.keras")
    test = (task_files / "CoLA" / "test.tsv").read_text().splitlines()[1:]
    texts = [line.split("\t")[1] for line in test]
    said = np.argmax(model.predict(texts, verbose=0), axis=-1)
    with zipfile.ZipFile(folder / "submission.zip") as archive:
        lines = archive.read("CoLA.tsv").decode().splitlines()[1:]
    assert [model.labels[n] for n in said] == [
        line.split("\t")[1] for line in lines
    ]


def test_tensorboard_has_a_point_for_each_metric(cola):
    from tensorboard.backend.event_processing import event_accumulator

    folder = cola[0] / "cola" / "trial_1" / "tensorboard" / "dev"
    events = event_accumulator.EventAccumulator(str(folder))
    events.Reload()
    found = set(events.Tags()["tensors"])
    assert found == {"dev/accuracy", "dev/f1", "dev/mcc"}


@pytest.mark.slow
def test_only_missing_trials_are_run_and_are_the_same(
    cola, checkpoint, task_files, tmp_path
):
    folder = tmp_path / "out"
    shutil.copytree(cola[0], folder)
    kept = tiny.tree(folder / "cola" / "trial_1")
    (folder / "cola" / "trial_2" / "result.json").unlink()
    (folder / "cola" / "trial_2" / "test" / "half.tsv").write_text("x")
    finished = finetune(checkpoint, task_files, folder, *COLA)
    assert "trial 2 of 2" in finished.err
    assert "trial 1 of 2" not in finished.err
    assert tiny.tree(folder / "cola" / "trial_1") == kept
    assert not (folder / "cola" / "trial_2" / "test" / "half.tsv").exists()
    old, new = (
        read(place / "cola" / "trial_2" / "result.json")
        for place in (cola[0], folder)
    )
    assert new["metrics"] == old["metrics"]
    assert (folder / "submission.zip").read_bytes() == (
        cola[0] / "submission.zip"
    ).read_bytes()


def test_a_finished_command_prints_its_table(cola, checkpoint, task_files):
    before = tiny.tree(cola[0])
    finished = finetune(checkpoint, task_files, cola[0], *COLA)
    assert "all 2 trials are there" in finished.err
    assert finished.out == cola[1].out
    assert tiny.tree(cola[0]) == before


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("--train_batch_size=8", "train_batch_size was 4, now 8"),
        ("--from_scratch", "from_scratch was False, now True"),
        ("--max_train_examples=5", "max_train_examples was None, now 5"),
    ],
)
def test_other_settings_are_refused(cola, checkpoint, task_files, more, told):
    before = tiny.tree(cola[0])
    given = arguments(checkpoint, task_files, cola[0], *COLA, more)
    assert told in tiny.command("finetune", *given).error()
    assert tiny.tree(cola[0]) == before


def test_places_may_change(cola, checkpoint, task_files, tmp_path):
    shutil.copytree(checkpoint, tmp_path / "checkpoint")
    shutil.copytree(task_files / "CoLA", tmp_path / "CoLA")
    finished = finetune(tmp_path / "checkpoint", tmp_path, cola[0], *COLA)
    assert "all 2 trials are there" in finished.err


def test_other_data_are_refused(cola, checkpoint, task_files, tmp_path):
    shutil.copytree(task_files / "CoLA", tmp_path / "CoLA")
    with open(tmp_path / "CoLA" / "train.tsv", "a") as file:
        file.write("\nx\t1\t\tmore")
    given = arguments(checkpoint, tmp_path, cola[0], *COLA)
    assert (
        "num_train was 12, now 13" in tiny.command("finetune", *given).error()
    )


def test_questions_without_answer(checkpoint, task_files, tmp_path):
    finished = finetune(
        checkpoint,
        task_files,
        tmp_path / "out",
        "--task=squad2",
        "--do_predict",
        "--max_train_examples=6",
        "--n_best_size=3",
        "--doc_stride=5",
        "--max_seq_length=24",
    )
    folder = tmp_path / "out" / "squad2" / "trial_1"
    metrics = read(folder / "result.json")["metrics"]
    assert set(metrics) == {
        "exact", "f1", "has_answer_exact", "has_answer_f1", "no_answer_f1",
        "null_threshold",
    }  # fmt: skip
    said = read(folder / "predictions.json")
    odds = read(folder / "null_odds.json")
    best = read(folder / "nbest_predictions.json")
    asked = {q["id"]: q for q in grammar.questions(12, with_impossible=True)}
    assert said.keys() == odds.keys() == best.keys() == asked.keys()
    for name, answers in best.items():
        context = asked[name]["context"]
        assert 1 <= len(answers) <= 3
        assert sum(a["probability"] for a in answers) == pytest.approx(1)
        for answer in answers:
            assert answer["text"] == context[answer["start"] : answer["end"]]
        is_null = odds[name] > metrics["null_threshold"]
        assert said[name] == ("" if is_null else answers[0]["text"])
    # The test file is dev without its answers.
    assert read(folder / "test" / "predictions.json") == said
    assert "| squad2 | f1 |" in finished.out


def test_a_table_of_the_user_s_own(checkpoint, tmp_path):
    """Written to memory. At this rate no epoch improves on the first."""
    out = "ram://own_table"
    rows = grammar.sentences(12)
    lines = [
        json.dumps({"a": a, "b": b, "mood": grammar.MOODS[m]})
        for a, b, m in rows
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    table = [f'"{a}","{b}",{grammar.MOODS[m]}' for a, b, m in rows]
    (tmp_path / "dev.csv").write_text("a,b,mood\n" + "\n".join(table))
    (tmp_path / "test.tsv").write_text("b\ta\n" + f"{rows[0][1]}\tx")
    finished = finetune(
        checkpoint,
        tmp_path,
        out,
        "--task=custom",
        "--text_column=a",
        "--text_pair_column=b",
        "--label_column=mood",
        "--num_train_epochs=8",
        "--early_stop_patience=1",
        "--learning_rate=1e-9",
        "--do_predict",
        "--max_seq_length=15",
    )
    assert "| custom | accuracy |" in finished.out
    assert "train: 12 of 12 examples were cut" in finished.err  # by one token
    result = read_json(f"{out}/custom/trial_1/result.json")
    assert result["steps"] == 6  # two of eight epochs of three steps
    assert tf.io.gfile.exists(f"{out}/results.json")
    with tf.io.gfile.GFile(f"{out}/custom/trial_1/test/custom.tsv") as file:
        assert file.read().splitlines()[1].split("\t")[1] in grammar.MOODS
    saved = str(tmp_path / "model.keras")
    tf.io.gfile.copy(f"{out}/custom/model.keras", saved)
    model = keras.models.load_model(saved)
    assert model.labels == tuple(sorted(grammar.MOODS))


@pytest.mark.slow
def test_a_head_is_chosen_and_trained_further(checkpoint, tmp_path):
    """Equal weights but for the head are other weights."""
    lines = [f"{a}\t{grammar.MOODS[m]}" for a, _, m in grammar.sentences(8)]
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text(
            "\n".join(["text\tlabel", *lines])
        )
    given = [
        tmp_path,
        tmp_path / "out",
        "--task=custom",
        "--learning_rate=1e-9",
    ]
    finished = finetune(checkpoint, *given, "--head=huggingface")
    assert "fresh" not in finished.err
    path = str(tmp_path / "out" / "custom" / "model.keras")
    first = open_weights(path)
    assert first.head.style == "huggingface"
    assert "task_head/out_proj/kernel" in first.head.arrays
    refused = tiny.command("finetune", *arguments(path, *given)).error()
    assert "weights was" in refused
    given[1] = tmp_path / "again"
    assert "fresh" not in finetune(path, *given).err
    again = open_weights(str(tmp_path / "again" / "custom" / "model.keras"))
    assert again.labels == first.labels
    for name, array in first.head.arrays.items():  # at next to no rate
        np.testing.assert_allclose(again.head.arrays[name], array, atol=1e-6)


@pytest.mark.slow
def test_adapters_are_learned_and_kept_in_a_small_file(
    checkpoint, task_files, tmp_path
):
    given = [checkpoint, task_files, tmp_path / "out", "--task=cola"]
    finished = finetune(*given, "--lora_rank=2")
    model = keras.models.load_model(tmp_path / "out" / "cola" / "model.keras")
    assert model.encoder.lora_rank == 2
    share = model.trainable_share()
    assert f"{100 * share:.2f} % of the parameters learn" in finished.err
    result = read(tmp_path / "out" / "cola" / "trial_1" / "result.json")
    assert result["trainable_share"] == share < 0.1
    small = tmp_path / "out" / "cola" / "lora.safetensors"
    again = type(model).from_pretrained(
        checkpoint,
        labels=model.labels,
        max_seq_length=model.preprocessor.max_seq_length,
    )
    before = again.predict(["the cat is glad"], verbose=0)
    again.load_lora_weights(small)
    said = model.predict(["the cat is glad"], verbose=0)
    np.testing.assert_array_equal(
        again.predict(["the cat is glad"], verbose=0), said
    )
    assert np.abs(said - before).max() > 1e-3
    refused = tiny.command("finetune", *arguments(*given, "--lora_rank=3"))
    assert "lora_rank was 2, now 3" in refused.error()


def test_from_scratch_and_the_drawn_examples(checkpoint):
    from electra_tf.finetune.tasks import Splits
    from electra_tf.finetune.tasks.text_task import Classification
    from electra_tf.pretrained import from_pretrained

    task = Classification(
        ("a", "b"), name="t", splits=Splits([], {}, {}), metric="accuracy"
    )
    options = TrainingOptions(init_checkpoint=checkpoint, max_train_examples=4)
    plan = make_plan(task, options, from_pretrained(checkpoint))
    kernel = "electra/encoder/layer_0/attention/self/query/kernel"
    old, kept, fresh = (
        {v.path: v.numpy() for v in model.variables}[kernel]
        for model in (
            from_pretrained(checkpoint).encoder,
            task.build_model(dataclasses.replace(plan, from_scratch=False)),
            task.build_model(dataclasses.replace(plan, from_scratch=True)),
        )
    )
    np.testing.assert_array_equal(kept, old)
    assert np.abs(fresh - old).max() > 0.1
    drawn = train_examples(plan, list(range(100)))
    assert len(set(drawn)) == 4
    assert drawn == sorted(drawn) == train_examples(plan, list(range(100)))
    assert train_examples(plan, [1, 2]) == [1, 2]


@pytest.mark.parametrize(
    ("hidden_size", "compat", "rate", "decay", "weight_decay"),
    [
        (256, "none", 3e-4, 0.8, 0.0),
        (768, "none", 1e-4, 0.8, 0.0),
        (1024, "none", 5e-5, 0.9, 0.0),
        (256, "google", 1e-4, 0.8, 0.01),
        (1024, "google", 5e-5, 0.9, 0.01),
    ],
)
def test_the_paper_s_values_by_size(
    hidden_size, compat, rate, decay, weight_decay, checkpoint
):
    """ELECTRA, Table 7, and the authors' code."""
    from electra_tf.finetune.tasks import Splits
    from electra_tf.finetune.tasks.text_task import Classification
    from electra_tf.pretrained import from_pretrained

    task = Classification(
        ("a", "b"), name="t", splits=Splits([], {}, {}), metric="accuracy"
    )
    pretrained = from_pretrained(checkpoint)
    config = pretrained.config
    pretrained.config = dataclasses.replace(
        config, model=dataclasses.replace(config.model, hidden_size=hidden_size)
    )
    options = TrainingOptions(init_checkpoint=checkpoint, compat=compat)
    plan = make_plan(task, options, pretrained)
    assert plan.learning_rate == rate
    assert plan.layerwise_lr_decay == decay
    assert plan.weight_decay_rate == weight_decay
    assert plan.num_train_epochs == 3
    assert plan.train_batch_size == 32


def test_a_loss_that_is_no_number_stops_the_command():
    progress = learner.Progress()
    progress.set_params({"epochs": 2, "steps": 5})
    progress.on_train_begin()
    progress.on_epoch_end(0, {"loss": 1.0})
    with pytest.raises(InputError, match="in epoch 2; received nan"):
        progress.on_epoch_end(1, {"loss": float("nan")})


def test_a_summary_of_one_trial_has_no_deviation():
    assert summarize([1.0]) == {
        "median": 1.0,
        "mean": 1.0,
        "deviation": None,
        "best": 1.0,
    }


@pytest.mark.slow
def test_a_killed_command_goes_on(cola, checkpoint, task_files, tmp_path):
    folder = tmp_path / "out"
    given = arguments(checkpoint, task_files, folder, *COLA)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "finetune.py"), *given],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    done = folder / "cola" / "trial_1" / "result.json"
    limit = time.monotonic() + 300
    while not done.exists() and process.poll() is None:
        assert time.monotonic() < limit
        time.sleep(0.05)
    assert process.poll() is None
    process.kill()
    process.wait()
    assert not (folder / "results.json").exists()
    finished = finetune(checkpoint, task_files, folder, *COLA)
    assert "trial 1 of 2" not in finished.err
    old, new = (
        read(place / "results.json")["cola"]["summary"]
        for place in (cola[0], folder)
    )
    assert new == old
