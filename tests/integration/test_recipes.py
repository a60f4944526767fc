"""Runs whose batch size, mask rate and learning rate all move, by LAMB."""

import shutil

import pytest
import tiny
from test_replicas import assert_equal_but_for_rounding

from electra_tf.data.records import batches

# One network of one block and two batch sizes, as each is traced anew: 4 from
# step 0, 8 from step 5.
MOVING = {
    "objective": "mlm",
    "optimizer": "lamb",
    "lr_schedule": "warmup_stable_decay",
    "num_decay_steps": 4,
    "mask_prob": 0.3,
    "mask_prob_end": 0.1,
    "train_batch_size_start": 4,
    "batch_warmup_steps": 5,
    "num_hidden_layers": 1,
    "num_train_steps": 12,
    "eval_every_steps": 0,
    "save_checkpoints_steps": 8,
}


def pretrain(folder, records_dir, **changed):
    finished = tiny.pretrain(
        model_dir=str(folder), data_dir=records_dir, **(MOVING | changed)
    )
    return finished, str(folder)


@pytest.fixture
def first_places(monkeypatch):
    """Batch size -> place of the first example that was read for it."""
    found, numbers_of = {}, batches.record_numbers

    def note(positions, *rest):
        first = int(positions[0])
        found[len(positions)] = min(first, found.get(len(positions), first))
        return numbers_of(positions, *rest)

    monkeypatch.setattr(batches, "record_numbers", note)
    return found


def test_a_run_that_goes_on_within_a_stage_comes_to_the_same_bits(
    first_places, records_dir, tmp_path
):
    finished, whole = pretrain(tmp_path / "whole", records_dir)
    assert finished.code == 0, finished.err
    first, *_, last, _ = tiny.metrics(whole)
    assert (first["step"], last["step"]) == (5, 12)
    assert first["tokens_seen"] == 5 * 4 * tiny.LENGTH
    assert last["tokens_seen"] == (5 * 4 + 7 * 8) * tiny.LENGTH
    assert first_places == {4: 0, 8: 5 * 4}
    first_places.clear()
    # As a kill behind step 8 leaves it.
    killed = tmp_path / "killed"
    shutil.copytree(whole, killed)
    for path in killed.glob("checkpoints/step-12.*"):
        path.unlink()
    (killed / "checkpoints/checkpoint").write_text(
        'model_checkpoint_path: "step-8"\n'
    )
    finished, folder = pretrain(killed, records_dir)
    assert finished.code == 0, finished.err
    assert "from the checkpoint of step 8 of 12" in finished.err
    tiny.assert_same_end(folder, whole)
    assert first_places == {8: 5 * 4 + 3 * 8}


@pytest.mark.slow
def test_replicas_and_parts_share_every_batch_size(records_dir, tmp_path):
    """Batches of 2 from step 0, of 4 from step 7, of 8 from step 14."""
    ways = {
        "whole": {},
        "2 replicas": {"num_virtual_devices": 2},
        "2 parts": {"gradient_accumulation_steps": 2},
    }
    more = {
        "objective": "electra",
        "train_batch_size_start": 2,
        "batch_warmup_steps": 14,
        "num_train_steps": 24,
        "iterations_per_loop": 10,
    }
    folders = {}
    for way, flags in ways.items():
        finished, folders[way] = pretrain(
            tmp_path / way, records_dir, **more, **flags
        )
        assert finished.code == 0, finished.err
    for way in ("2 replicas", "2 parts"):
        assert_equal_but_for_rounding(folders[way], folders["whole"])
    first, *_, last, _ = tiny.metrics(folders["whole"])
    # Fewer tokens are masked, and so fewer replaced.
    assert first["disc_base_rate"] < last["disc_base_rate"]


def test_a_first_batch_that_cannot_be_shared_is_refused(records_dir, tmp_path):
    folder = tmp_path / "run"
    finished, _ = pretrain(folder, records_dir, gradient_accumulation_steps=8)
    rule = "train_batch_size_start must be a multiple of 8 "
    assert rule in finished.error()
    assert not folder.exists()
