"""One run on any devices, in any parts: the same losses and weights."""

import json
import pathlib

import numpy as np
import pytest
import tiny

# Of float32's rounding, which sums in another order.
TOLERANCE = 1e-5
# Rounding may move one token's probability over a threshold: of 1,000 tokens,
# a thousandth.
ONE_TOKEN = 1e-3
COUNTED = ("auc", "accuracy", "precision", "recall")
SHARED = {
    "num_virtual_devices": 2,
    "gradient_accumulation_steps": 2,
    "iterations_per_loop": 10,
}
WAYS = {
    "2 replicas in 2 parts": SHARED,
    "4 replicas": {"num_virtual_devices": 4},
    "4 parts": {"gradient_accumulation_steps": 4, "iterations_per_loop": 1},
    "activations computed twice": {"rematerialize": True},
}
FAST = ("2 replicas in 2 parts",)


def largest_differences(folder, other):
    """(of any loss, relative; of any measure that counts; of any weight)."""
    sums, counts = [], []
    for a, b in zip(tiny.metrics(folder), tiny.metrics(other), strict=True):
        for name in a.keys() | b.keys():
            found = counts if name.endswith(COUNTED) else sums
            difference = abs(a[name] - b[name])
            found.append((difference / max(abs(a[name]), 1e-3), name))
    ours, theirs = tiny.checkpoint(folder), tiny.checkpoint(other)
    assert ours.keys() == theirs.keys()
    weights = [
        (np.abs(value - theirs[name]).max(), name)
        for name, value in ours.items()
        if name.startswith("model/")
    ]
    return max(sums), max(counts), max(weights)


def assert_equal_but_for_rounding(folder, other):
    loss, count, weight = largest_differences(folder, other)
    print(f"largest differences: {loss}, {count}, {weight}")
    assert loss[0] < TOLERANCE
    assert weight[0] < TOLERANCE
    assert count[0] < ONE_TOKEN


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(way, marks=() if way in FAST else pytest.mark.slow)
        for way in WAYS
    ],
)
def test_a_run_is_the_same_however_it_is_shared_out(
    way, tiny_run, records_dir, tmp_path
):
    """24 steps with dropout; every metric of training and evaluation too."""
    folder = str(tmp_path / "run")
    finished = tiny.pretrain(
        model_dir=folder, data_dir=records_dir, **WAYS[way]
    )
    assert finished.code == 0, finished.err
    if "num_virtual_devices" in WAYS[way]:
        assert "devices: CPU:0, CPU:1" in finished.err
    assert_equal_but_for_rounding(folder, tiny_run.folder)
    examples = [
        json.loads(pathlib.Path(f, "examples.json").read_text())["examples"]
        for f in (folder, tiny_run.folder)
    ]
    for ours, theirs in zip(*examples, strict=True):
        assert ours["tokens"] == theirs["tokens"]


def test_a_batch_that_cannot_be_shared_is_refused(records_dir, tmp_path):
    folder = tmp_path / "run"
    finished = tiny.pretrain(
        model_dir=str(folder),
        data_dir=records_dir,
        num_virtual_devices=4,
        gradient_accumulation_steps=3,
        train_batch_size=32,
    )
    line = finished.error()
    assert "multiple of 12 (4 replicas x 3 accumulation steps)" in line
    assert "the nearest is 36; received 32" in line
    assert not folder.exists()
