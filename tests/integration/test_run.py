"""A pre-training run from the command line to its folder's last byte."""

import json
import os
import pathlib
import shutil
import signal
import sys

import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf.config.pretraining import make_config
from electra_tf.pretraining.factory import network_shapes
from electra_tf.training import loop, run_folder

TRAIN_KEYS = {
    "step", "loss", "mlm_loss", "mlm_loss_masked", "mlm_accuracy",
    "unigram_loss", "sampled_accuracy", "disc_loss", "disc_accuracy",
    "disc_auc", "disc_precision", "disc_recall", "disc_base_rate",
    "learning_rate", "tokens_seen", "epoch",
}  # fmt: skip
EVAL_KEYS = {
    "step", "eval_loss", "eval_mlm_loss", "eval_mlm_loss_masked",
    "eval_mlm_accuracy", "eval_unigram_loss", "eval_sampled_accuracy",
    "eval_disc_loss", "eval_disc_accuracy", "eval_disc_auc",
    "eval_disc_precision", "eval_disc_recall", "eval_disc_base_rate",
}  # fmt: skip
# The end of a variable's key in a checkpoint.
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


@pytest.fixture
def copied_run(tiny_run, tmp_path):
    """The finished run's folder, to go on with."""
    folder = str(tmp_path / "run")
    shutil.copytree(tiny_run.folder, folder)
    return folder


def train_lines(folder):
    return [line for line in tiny.metrics(folder) if "loss" in line]


def test_the_run_leaves_its_folder_complete(tiny_run):
    assert tiny_run.code == 0, tiny_run.err
    found = {path.name for path in pathlib.Path(tiny_run.folder).iterdir()}
    assert found == {
        "config.json", "records.json", "vocab.txt", "tokenizer.json",
        "checkpoints", "metrics.jsonl", "timing.jsonl", "examples.json",
        "tensorboard",
    }  # fmt: skip
    steps = {"step-7", "step-14", "step-21", f"step-{tiny.STEPS}"}
    kept = pathlib.Path(tiny_run.folder, "checkpoints").glob("*.index")
    assert {path.stem for path in kept} == steps


def test_the_configuration_written_is_the_one_given(tiny_run):
    path = pathlib.Path(tiny_run.folder, "config.json")
    groups = json.loads(path.read_text())
    written = {k: v for group in groups.values() for k, v in group.items()}
    assert {name: written[name] for name in tiny.FLAGS} == tiny.FLAGS
    assert written["vocab_size"] == len(tiny.vocab())


def test_metrics_have_the_keys_and_steps_they_should(tiny_run):
    lines = tiny.metrics(tiny_run.folder)
    assert [(line["step"], "loss" in line) for line in lines] == [
        (5, True), (10, True), (12, False), (15, True), (20, True),
        (24, True), (24, False),
    ]  # fmt: skip
    for line in lines:
        assert set(line) == (TRAIN_KEYS if "loss" in line else EVAL_KEYS)
        assert all(np.isfinite(value) for value in line.values())


def test_metrics_count_tokens_and_epochs(tiny_run, records_dir):
    manifest = json.loads(
        pathlib.Path(records_dir, "manifest.json").read_text()
    )
    last = train_lines(tiny_run.folder)[-1]
    rows = tiny.STEPS * tiny.FLAGS["train_batch_size"]
    assert last["tokens_seen"] == rows * tiny.LENGTH
    examples = manifest["splits"]["train"]["records"]
    assert last["epoch"] == pytest.approx(rows / examples)


def test_metrics_are_consistent_with_one_another(tiny_run):
    for line in train_lines(tiny_run.folder):
        total = line["mlm_loss"] + 50 * line["disc_loss"]
        assert line["loss"] == pytest.approx(total, rel=1e-5)
        # Three of 16 slots at most hold another token.
        assert 1 - 3 / 12 < line["disc_base_rate"] < 1
        assert 0 <= line["disc_auc"] <= 1


def test_the_loss_falls(tiny_run):
    first, *_, last = train_lines(tiny_run.folder)
    assert last["disc_loss"] < 0.8 * first["disc_loss"]
    assert last["mlm_loss"] < first["mlm_loss"]


def test_times_are_kept_apart(tiny_run):
    path = pathlib.Path(tiny_run.folder, "timing.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [5, 10, 15, 20, 24]
    for line in lines:
        assert set(line) == {
            "step", "time", "sequences_per_second", "steps_per_second",
            "peak_memory_mb",
        }  # fmt: skip


def test_examples_show_what_the_discriminator_saw(tiny_run):
    path = pathlib.Path(tiny_run.folder, "examples.json")
    content = json.loads(path.read_text())
    assert content["step"] == tiny.STEPS
    assert len(content["examples"]) == 8
    replaced = 0
    for example in content["examples"]:
        assert set(example) == {
            "tokens", "original", "probabilities", "is_replaced",
        }  # fmt: skip
        assert len({len(values) for values in example.values()}) == 1
        assert example["original"][0] == "[CLS]"
        assert "[PAD]" not in example["original"]
        assert all(0 <= p <= 1 for p in example["probabilities"])
        pairs = zip(example["tokens"], example["original"], strict=True)
        assert [int(a != b) for a, b in pairs] == example["is_replaced"]
        replaced += sum(example["is_replaced"])
    assert replaced


def test_the_end_shows_the_result_beside_its_baselines(tiny_run):
    last = tiny.metrics(tiny_run.folder)[-1]
    assert f"{last['eval_mlm_loss_masked']:.3f}" in tiny_run.out
    assert f"unigram level {last['eval_unigram_loss']:.3f}" in tiny_run.out
    assert f"{last['eval_disc_auc']:.3f}   chance 0.500" in tiny_run.out
    assert "P(replaced)" in tiny_run.out
    assert "<- swapped in" in tiny_run.out


def test_a_run_is_the_same_wherever_and_in_whatever_pieces_it_runs(
    tiny_run, records_dir, tmp_path
):
    folder = str(tmp_path / "elsewhere")
    finished = tiny.pretrain(
        model_dir=folder,
        data_dir=records_dir,
        iterations_per_loop=1,
        save_checkpoints_steps=100,
        keep_checkpoint_max=1,
        eval_every_steps=0,
    )
    assert finished.code == 0, finished.err
    tiny.assert_same_weights(folder, tiny_run.folder)
    # The evaluation on the way leaves no trace in the lines after it.
    lines = tiny.metrics(tiny_run.folder)
    assert tiny.metrics(folder) == [
        line for line in lines if "loss" in line or line["step"] == tiny.STEPS
    ]


def test_the_same_command_after_the_end_prints_the_result(
    tiny_run, copied_run, records_dir
):
    finished = tiny.pretrain(model_dir=copied_run, data_dir=records_dir)
    assert finished.code == 0, finished.err
    assert f"held out at step {tiny.STEPS}" in finished.out
    tiny.assert_same_end(copied_run, tiny_run.folder)


@pytest.mark.slow
def test_more_steps_go_on_and_say_that_the_schedule_is_new(
    tiny_run, copied_run, records_dir
):
    finished = tiny.pretrain(
        model_dir=copied_run, data_dir=records_dir, num_train_steps=30
    )
    assert finished.code == 0, finished.err
    assert "num_train_steps is raised from 24 to 30" in finished.err
    assert "going on from the checkpoint of step 24 of 30" in finished.err
    old, new = tiny.metrics(tiny_run.folder), tiny.metrics(copied_run)
    assert new[: len(old)] == old
    assert [line["step"] for line in new[len(old) :]] == [25, 30, 30]
    config = json.loads(pathlib.Path(copied_run, "config.json").read_text())
    assert config["optimizer"]["num_train_steps"] == 30


def test_initial_weights_alone_start_a_new_run(
    tiny_run, records_dir, tmp_path, monkeypatch
):
    # Nothing of fine-tuning, whose packages are an extra, is asked for.
    extra = ("electra_tf.finetune", "electra_tf.experiments")
    for name in {*extra, *(n for n in sys.modules if n.startswith(extra))}:
        monkeypatch.setitem(sys.modules, name, None)
    folder = str(tmp_path / "run")
    finished = tiny.pretrain(
        model_dir=folder,
        data_dir=records_dir,
        init_checkpoint=tiny_run.folder,
        num_train_steps=1,
        seed=99,
    )
    assert finished.code == 0, finished.err
    start, end = tiny.checkpoint(tiny_run.folder), tiny.checkpoint(folder)
    weights = [name for name in start if name.startswith("model/")]
    # The first update has rate 0: the weights are still those given.
    assert weights
    for name in weights:
        np.testing.assert_array_equal(start[name], end[name], err_msg=name)
    # The step began at 0, and the moments hold one gradient alone: v is then
    # (1 - b2) / (1 - b1)^2 m^2.
    iterations = [name for name in end if "iteration" in name]
    assert [int(end[name]) for name in iterations] == [1]
    moments = [name for name in end if name.endswith("adam_m" + VALUE)]
    assert moments
    for name in moments:
        m, v = end[name], end[name.replace("adam_m", "adam_v")]
        np.testing.assert_allclose(v, 0.1 * m**2, rtol=1e-3, atol=1e-18)


def test_the_mlm_objective_runs(mlm_run):
    assert mlm_run.code == 0, mlm_run.err
    lines = tiny.metrics(mlm_run.folder)
    train, held_out = {"disc", "samp"}, {"eval_disc", "eval_samp"}
    for line in lines:
        assert not {key[:4] for key in line} & train
        assert not {key[:9] for key in line} & held_out
    assert lines[0]["loss"] == pytest.approx(lines[0]["mlm_loss"], rel=1e-5)
    assert "P(replaced)" not in mlm_run.out
    assert not pathlib.Path(mlm_run.folder, "examples.json").exists()


@pytest.mark.parametrize(
    ("tying", "towers"), [("none", 2), ("embeddings", 1), ("all", 1)]
)
def test_tyings_share_what_they_say(tying, towers):
    size = 1.0 if tying == "all" else 0.5
    config = make_config(
        {**tiny.FLAGS, "tying": tying, "generator_hidden_size": size}
    )
    names = list(network_shapes(config))
    tables = [name for name in names if "word_embeddings" in name]
    assert len(tables) == towers
    queries = [name for name in names if name.endswith("query/kernel")]
    layers = tiny.FLAGS["num_hidden_layers"]
    assert len(queries) == layers * (1 if tying == "all" else 2)


def test_a_loss_that_is_not_finite_stops_the_run(records_dir, tmp_path):
    folder = str(tmp_path / "run")
    changed = {"save_checkpoints_steps": 1, "num_warmup_steps": 2}
    finished = tiny.pretrain(
        model_dir=folder,
        data_dir=records_dir,
        learning_rate=1e38,
        **changed,
    )
    line = finished.error()
    assert "between step" in line or "at step" in line
    assert "learning_rate" in line
    kept = tiny.checkpoint(folder)
    assert all(np.isfinite(value).all() for value in kept.values())


def test_the_interval_of_a_bad_loss_is_named(
    records_dir, tmp_path, monkeypatch
):
    losses = iter([1.0, float("nan")])
    monkeypatch.setattr(loop.TrainingLoop, "_loss", lambda _: next(losses))

    def without_training(self, batches, count, stage):
        self.pretrainer.optimizer.iterations.assign_add(
            tf.cast(count, tf.int64)
        )

    monkeypatch.setattr(loop.TrainingLoop, "_run_steps", without_training)
    finished = tiny.pretrain(
        model_dir=str(tmp_path / "run"), data_dir=records_dir
    )
    assert "nan between step 4 and step 5" in finished.error()


def stop_at(step, monkeypatch, what):
    """Calls `what` right after the metrics line of a step is written."""
    write = run_folder.RunLogs.write

    def and_stop(self, now, values):
        write(self, now, values)
        if now == step:
            what()

    monkeypatch.setattr(run_folder.RunLogs, "write", and_stop)


class CrashError(Exception):
    """In place of a power cut."""


@pytest.mark.slow
def test_a_run_that_was_stopped_in_every_way_comes_to_the_same_end(
    tiny_run, records_dir, tmp_path
):
    """Crashed, terminated, told to stop: the same bits, the same lines."""
    folder = str(tmp_path / "run")

    def run(step=-1, what=None, **changed):
        with pytest.MonkeyPatch.context() as patch:
            stop_at(step, patch, what)
            return tiny.pretrain(
                model_dir=folder, data_dir=records_dir, **changed
            )

    def run_until_crash(step):
        def crash():
            raise CrashError

        with pytest.raises(CrashError):
            run(step, crash)
        assert tiny.metrics(folder)[-1]["step"] == step

    def terminate():
        os.kill(os.getpid(), signal.SIGTERM)

    run_until_crash(5)  # The first checkpoint would be step 7's.
    terminated = run(5, terminate, preempted_exit_code=42)
    assert terminated.code == 42
    assert "going on" not in terminated.err
    assert "saved at step 5" in terminated.err
    # stop_at_step keeps the schedule, and writes no line of its own.
    for _ in range(2):  # The second has nothing to do.
        stopped = run(stop_at_step=11)
        assert stopped.code == 0, stopped.err
        assert "stopped; saved at step 11" in stopped.err
        latest = tf.train.latest_checkpoint(f"{folder}/checkpoints")
        assert latest.endswith("step-11")
    # Lines up to step 20 are written, the last checkpoint is step 14's, and
    # it holds the sums of four steps since the line before it.
    run_until_crash(20)
    with open(os.path.join(folder, "metrics.jsonl"), "a") as file:
        file.write('{"step": 21, "lo')  # A line that a kill cut off.
    saving = pathlib.Path(folder, "checkpoints", "step-21_temp")
    saving.mkdir()
    (saving / "part-00000-of-00001").write_text("half")
    terminated = run(20, terminate)
    assert terminated.code == 0
    assert "going on from the checkpoint of step 14" in terminated.err
    assert "saved at step 20" in terminated.err
    assert not saving.exists()
    assert run(stop_at_step=tiny.STEPS).code == 0
    tiny.assert_same_end(folder, tiny_run.folder)


def test_records_of_the_authors_builder_train_unchanged(
    records_dir, vocab_file, tmp_path
):
    """Written with tf.train.Example alone, as build_pretraining_dataset.py."""
    rng = np.random.default_rng(3)
    vocab = tiny.vocab()
    data = tmp_path / "data"
    (data / "pretrain_tfrecords").mkdir(parents=True)
    shutil.copy(vocab_file, data / "vocab.txt")
    for shard in range(2):
        name = f"pretrain_data.tfrecord-{shard}-of-2"
        path = str(data / "pretrain_tfrecords" / name)
        with tf.io.TFRecordWriter(path) as writer:
            for _ in range(150):
                writer.write(authors_example(rng, vocab))
    folder = str(tmp_path / "run")
    finished = tiny.pretrain(
        model_dir=folder, data_dir=str(data), num_train_steps=10
    )
    assert finished.code == 0, finished.err
    assert "no manifest" in finished.err
    first, *_, last = train_lines(folder)
    assert last["disc_loss"] < first["disc_loss"]
    assert "eval_loss" in tiny.metrics(folder)[-1]  # every hundredth record


def authors_example(rng, vocab) -> bytes:
    """[CLS] a [SEP] b [SEP] and padding, int64 features."""
    length = tiny.LENGTH
    first, second = rng.integers(2, 6, 2)
    start = vocab.index("[MASK]") + 1
    words = rng.integers(start, len(vocab), first + second)
    cls, sep = vocab.index("[CLS]"), vocab.index("[SEP]")
    ids = [cls, *words[:first], sep, *words[first:], sep]
    segments = [0] * (first + 2) + [1] * (second + 1)
    padding = [0] * (length - len(ids))

    def feature(values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    features = {
        "input_ids": feature([*ids, *padding]),
        "input_mask": feature([1] * len(ids) + padding),
        "segment_ids": feature([*segments, *padding]),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString()
