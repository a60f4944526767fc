"""Files of a run that are lost or damaged: nothing good goes with them."""

import json
import os
import pathlib
import shutil

import pytest
import tensorflow as tf
import tiny

from electra_tf.training import run_folder
from electra_tf.training.checkpoints import latest_checkpoint


@pytest.fixture
def run(tiny_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(tiny_run.folder, folder)
    return folder


def steps_of(folder):
    return {int(p.stem[5:]) for p in folder.glob("checkpoints/step-*.index")}


def test_checkpoints_that_nothing_names_are_not_written_over(run, records_dir):
    (run / "checkpoints" / "checkpoint").unlink()
    before = tiny.tree(run)
    last = max(steps_of(run))
    told = f"'model_checkpoint_path: \"step-{last}\"'"
    for finished in (
        tiny.pretrain(model_dir=run, data_dir=records_dir),
        tiny.command("evaluate_pretraining", f"--model_dir={run}"),
        tiny.command("convert_weights", f"--input={run}", f"--output={run}-w"),
    ):
        assert told in finished.error()
        assert tiny.tree(run) == before
    # As it says, so it is.
    line = told.strip("'")
    (run / "checkpoints" / "checkpoint").write_text(line)
    assert latest_checkpoint(str(run)).endswith(f"/step-{last}")


@pytest.mark.slow
def test_a_kill_while_the_first_checkpoint_is_saved(
    tiny_run, records_dir, tmp_path, monkeypatch
):
    """Nothing names it yet: the run starts anew, again and again."""
    folder = tmp_path / "run"
    save = tf.train.CheckpointManager.save

    def kill(self, checkpoint_number, **named):
        save(self, checkpoint_number, **named)
        os.remove(f"{self.directory}/checkpoint")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tf.train.CheckpointManager, "save", kill)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                tiny.pretrain(model_dir=folder, data_dir=records_dir)
            assert steps_of(folder) == {7}
    finished = tiny.pretrain(model_dir=folder, data_dir=records_dir)
    assert finished.code == 0, finished.err
    tiny.assert_same_end(str(folder), tiny_run.folder)
    assert not list(folder.glob("checkpoints/checkpoint.tmp*"))


def test_checkpoints_without_their_configuration(run, records_dir):
    (run / "config.json").unlink()
    before = tiny.tree(run)
    finished = tiny.pretrain(model_dir=run, data_dir=records_dir)
    assert "must hold their config.json" in finished.error()
    assert tiny.tree(run) == before


@pytest.mark.parametrize(
    "damaged", [b"\0" * 40, b'{"step": 3', b"\xff\xfe", b"[]", b'"step"', b"3"]
)
def test_a_damaged_line_takes_no_good_ones_with_it(damaged, tmp_path, caplog):
    path = tmp_path / "metrics.jsonl"
    rows = [{"step": step, "loss": 0.1 * step} for step in range(1, 9)]
    lines = [json.dumps(row).encode() for row in rows]
    path.write_bytes(b"\n".join([*lines[:4], damaged, *lines[4:], b'{"st']))
    assert run_folder.read_lines(str(path)) == rows
    assert len(caplog.records) == 1
    assert "1 of 9 lines are damaged" in caplog.text
    # A restart keeps those up to its step, and the file is whole again.
    run_folder.JsonLines(str(path), last_step=7)
    assert path.read_bytes() == b"".join(line + b"\n" for line in lines[:7])
    caplog.clear()
    assert run_folder.read_lines(str(path)) == rows[:7]
    assert not caplog.records


def test_a_half_line_of_a_kill_is_left_out_without_a_word(tmp_path, caplog):
    path = pathlib.Path(tmp_path / "metrics.jsonl")
    path.write_bytes(b'{"step": 1}\n{"step": 2}')
    assert run_folder.read_lines(str(path)) == [{"step": 1}, {"step": 2}]
    path.write_bytes(b'{"step": 1}\n{"step": ')
    assert run_folder.read_lines(str(path)) == [{"step": 1}]
    assert not caplog.records
