"""Eight optimizer steps of the authors' code, repeated to 1e-5.

Runs over every trace folder of ELECTRA_GOLDEN_DIR (default: tests/golden).
"""

import dataclasses
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.data.tokenizers import Tokenizer
from electra_tf.pretraining.factory import build_pretrainer
from electra_tf.pretraining.masking import MaskedBatch
from electra_tf.training.optimizers import make_optimizer
from electra_tf.weights import tf1
from electra_tf.weights.warm_start import initial_weights

HERE = pathlib.Path(__file__).parent.parent
GOLDEN = pathlib.Path(os.environ.get("ELECTRA_GOLDEN_DIR", HERE / "golden"))
STEPS = 8


def trace_folders() -> list[pathlib.Path]:
    found = sorted(GOLDEN.glob("*/model.ckpt-0.index"))
    return [path.parent for path in found]


class Recorded:
    """Masks and samples of a trace, in place of drawn ones."""

    def __init__(self, trace):
        self.trace = trace
        self.step = tf.Variable(0, dtype=tf.int32)

    def _at(self, name, dtype=tf.int32):
        return tf.gather(tf.constant(self.trace[name], dtype), self.step)

    def mask(self, batch) -> MaskedBatch:
        return MaskedBatch(
            input_ids=self._at("masked_input_ids"),
            positions=self._at("masked_positions"),
            ids=self._at("masked_ids"),
            weights=self._at("masked_weights", tf.float32),
        )

    def sample(self, logits, masked) -> tf.Tensor:
        return self._at("sampled_ids")


@pytest.fixture(
    scope="module",
    params=trace_folders(),
    ids=lambda folder: folder.name,
)
def replay(request):
    """Runs the eight steps once a folder; the tests look at what came out."""
    folder = request.param
    config = tf1.tf1_config((folder / "config.json").read_text())
    trace = dict(np.load(folder / "trace.npz"))
    tokenizer = Tokenizer.from_file(
        str(_vocab(folder)), config.data.do_lower_case
    )
    pretrainer = build_pretrainer(config, tokenizer)
    recorded = Recorded(trace)
    pretrainer.objective.masker = recorded.mask
    pretrainer.objective.sampler = recorded.sample
    optimizer = make_optimizer(config.optimizer)
    optimizer.build(pretrainer.trainable_variables)
    pretrainer.compile(optimizer=optimizer)
    # As pretrain goes on from a TF1 run: weights, step and Adam's slots.
    go_on_from(folder / "model.ckpt-0", pretrainer, config)

    @tf.function
    def step(batch):
        outcome = pretrainer.objective(batch, training=True)
        pretrainer.update(batch)
        values = {f"{o.name}_loss": o.sum / o.count for o in outcome.losses}
        values["total_loss"] = tf.add_n(
            [o.weight * values[f"{o.name}_loss"] for o in outcome.losses]
        )
        values["mlm_logits"] = outcome.proposal.logits
        if outcome.corrupted is not None:
            values["corrupted_ids"] = outcome.corrupted.input_ids
        if outcome.detection is not None:
            values["is_replaced"] = outcome.detection.labels
            values["disc_logits"] = outcome.detection.logits
        return values

    keys = ("input_ids", "input_mask", "segment_ids")
    outcomes = []
    for t in range(STEPS):
        recorded.step.assign(t)
        batch = {key: tf.constant(trace[key][t], tf.int32) for key in keys}
        rate = float(optimizer.learning_rate)
        outcomes.append((step(batch), rate))
    return folder, trace, outcomes, pretrainer, config


def go_on_from(checkpoint, pretrainer, config):
    run = dataclasses.replace(
        config.run, init_checkpoint=str(checkpoint), init_optimizer=True
    )
    config = dataclasses.replace(config, run=run)
    initial_weights(config)(pretrainer, None)  # of no use here


def _vocab(folder: pathlib.Path) -> pathlib.Path:
    """Only its special ids are asked for, and masks are recorded."""
    places = (folder, folder.parent, HERE / "golden")
    found = [place / "vocab.txt" for place in places]
    return next(path for path in found if path.exists())


def test_there_are_traces():
    assert trace_folders(), f"no trace folders under {GOLDEN}"


def test_losses_and_rates_of_every_step(replay):
    _, trace, outcomes, _, _ = replay
    for t, (values, rate) in enumerate(outcomes):
        for name in ("mlm_loss", "disc_loss", "total_loss"):
            recorded = trace[name][t]
            if name in values or not np.isnan(recorded):
                assert float(values[name]) == pytest.approx(recorded, rel=1e-5)
        assert rate == pytest.approx(trace["learning_rate"][t], rel=1e-6)


def test_corruption_and_labels_of_every_step(replay):
    _, trace, outcomes, _, _ = replay
    has_labels = not np.isnan(trace["disc_loss"]).any()
    for t, (values, _) in enumerate(outcomes):
        assert ("is_replaced" in values) == has_labels
        for name in ("corrupted_ids", "is_replaced"):
            if name in values:
                np.testing.assert_array_equal(values[name], trace[name][t])


def test_tensors_of_the_first_step(replay):
    _, trace, outcomes, _, _ = replay
    first = outcomes[0][0]
    pairs = [(first["mlm_logits"], trace["step0_mlm_logits"])]
    if "disc_logits" in first:
        probs = tf.sigmoid(first["disc_logits"])
        pairs.append((probs, trace["step0_disc_probs"]))
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0)


def test_variables_and_moments_after_eight_steps(replay):
    folder, _, _, pretrainer, _ = replay
    optimizer = pretrainer.optimizer
    end, moments = tf1.read_tf1_variables(str(folder / "model.ckpt-8"))
    assert int(optimizer.iterations) == STEPS
    slots = zip(
        pretrainer.trainable_variables,
        optimizer.adam_m,
        optimizer.adam_v,
        strict=True,
    )
    for variable, m, v in slots:
        name = variable.path
        np.testing.assert_allclose(
            variable.numpy(), end[name], atol=1e-5, rtol=0, err_msg=name
        )
        # The key bias has no true gradient (softmax cancels it): its moments
        # are rounding noise, below these floors.
        for slot, recorded, floor in (
            (m, moments.m, 1e-10),
            (v, moments.v, 1e-20),
        ):
            expected = recorded[name]
            np.testing.assert_allclose(
                slot.numpy(),
                expected,
                atol=max(1e-4 * np.abs(expected).max(), floor),
                rtol=0,
                err_msg=name,
            )


def test_step_and_moments_are_taken_along_to_the_last_bit(replay):
    folder, _, _, pretrainer, config = replay
    optimizer = pretrainer.optimizer
    optimizer.iterations.assign(0)
    go_on_from(folder / "model.ckpt-8", pretrainer, config)
    _, moments = tf1.read_tf1_variables(str(folder / "model.ckpt-8"))
    assert int(optimizer.iterations) == STEPS
    for number, variable in enumerate(pretrainer.trainable_variables):
        for slots, recorded in (
            (optimizer.adam_m, moments.m),
            (optimizer.adam_v, moments.v),
        ):
            np.testing.assert_array_equal(
                slots[number], recorded[variable.path], err_msg=variable.path
            )
