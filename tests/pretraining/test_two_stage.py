"""Two stages: what runs, what trains, what is copied, and resuming."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from tiny_pretraining import batch, randomize, tiny_config, tokenizer

from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.factory import build_pretrainer
from electra_tf.training.optimizers import make_optimizer

BOUNDARY = 3


def built(**values):
    equal = {
        "objective": "two_stage",
        "two_stage_steps": BOUNDARY,
        "tying": "none",
        "hidden_size": 16,
        "embedding_size": 16,
        "intermediate_size": 64,
        "num_attention_heads": 1,
        "num_hidden_layers": 2,
        "generator_hidden_size": 1.0,
        "weight_decay_rate": 0.1,
    }
    config = tiny_config(**{**equal, **values})
    pretrainer = build_pretrainer(config, tokenizer())
    randomize(pretrainer.trainable_variables)
    optimizer = make_optimizer(config.optimizer)
    optimizer.build(pretrainer.trainable_variables)
    pretrainer.compile(optimizer=optimizer)
    return pretrainer


def outcome_of(pretrainer, training=True):
    with Noise(3, step=7, name="train").scope():
        return pretrainer.objective(batch(), training=training)


def weights_of(pretrainer, name):
    variables = pretrainer.networks[name].trainable_variables
    return {v.path: v.numpy() for v in variables}


def train(pretrainer, start, end):
    for step in range(start, end):
        pretrainer.objective.enter(step)
        pretrainer.update(batch(seed=step))


@functools.cache
def trained(end):
    """After `end` steps in one go; to look at."""
    pretrainer = built()
    train(pretrainer, 0, end)
    return pretrainer


def test_stage_one_has_no_detection():
    pretrainer = built()
    pretrainer.objective.enter(0)
    outcome = outcome_of(pretrainer)
    assert [term.name for term in outcome.losses] == ["mlm"]
    assert outcome.detection is outcome.corrupted is None
    before = weights_of(pretrainer, "discriminator")
    train(pretrainer, 0, 2)
    # Not even by weight decay.
    for path, value in weights_of(pretrainer, "discriminator").items():
        np.testing.assert_array_equal(value, before[path])


def test_the_boundary_copies_the_generators_encoder():
    pretrainer = built()
    train(pretrainer, 0, BOUNDARY)
    head = weights_of(pretrainer, "discriminator")
    head = {p: v for p, v in head.items() if p.startswith("discriminator")}
    pretrainer.objective.enter(BOUNDARY)
    generator = weights_of(pretrainer, "generator")
    main = weights_of(pretrainer, "discriminator")
    copied = 0
    for path, value in main.items():
        if path.startswith("electra/"):
            source = generator[path.replace("electra/", "generator/", 1)]
            np.testing.assert_array_equal(value, source)
            copied += 1
        else:
            np.testing.assert_array_equal(value, head[path])
    assert copied == len([p for p in generator if "predictions" not in p])
    text = batch()
    reads = (text["input_ids"], text["input_mask"], text["segment_ids"])
    networks = pretrainer.networks.values()
    ours, theirs = (network.encoder(*reads) for network in networks)
    np.testing.assert_array_equal(ours, theirs)


def test_disentangled_tables_are_equal_from_the_boundary_on():
    pretrainer = built(tying="gradient_disentangled", embedding_size=8)
    pretrainer.objective.enter(BOUNDARY)
    text = batch()
    reads = (text["input_ids"], text["input_mask"], text["segment_ids"])
    networks = pretrainer.networks.values()
    ours, theirs = (network.encoder(*reads) for network in networks)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_failing_variant_copies_nothing():
    pretrainer = built(two_stage_init=False)
    before = weights_of(pretrainer, "discriminator")
    pretrainer.objective.enter(BOUNDARY)
    assert pretrainer.objective.stage == 2
    for path, value in weights_of(pretrainer, "discriminator").items():
        np.testing.assert_array_equal(value, before[path])


@pytest.mark.parametrize("tying", ["none", "gradient_disentangled"])
def test_the_generator_is_frozen_afterwards(tying):
    pretrainer = built(tying=tying)
    train(pretrainer, 0, BOUNDARY)
    generator = weights_of(pretrainer, "generator")
    # Its moments are not zero, so that a gradient of zero would move it.
    optimizer = pretrainer.optimizer
    moments = {m.path: np.abs(m).max() for m in optimizer.adam_m}
    assert max(moments.values()) > 0
    pretrainer.objective.enter(BOUNDARY)
    main = weights_of(pretrainer, "discriminator")
    train(pretrainer, BOUNDARY, BOUNDARY + 2)
    for path, value in weights_of(pretrainer, "generator").items():
        np.testing.assert_array_equal(value, generator[path])
    for path, value in weights_of(pretrainer, "discriminator").items():
        if not path.endswith("key/bias"):
            assert (value != main[path]).any(), path


def test_the_frozen_generator_does_not_drop():
    pretrainer = built()
    pretrainer.objective.enter(BOUNDARY)
    logits = [outcome_of(pretrainer, t).proposal.logits for t in (True, False)]
    np.testing.assert_array_equal(*logits)
    pretrainer.objective.enter(0)
    logits = [outcome_of(pretrainer, t).proposal.logits for t in (True, False)]
    assert np.abs(logits[0] - logits[1]).max() > 1e-3


@pytest.mark.parametrize("stop", [2, BOUNDARY, BOUNDARY + 1])
def test_a_second_process_ends_where_one_would(stop):
    """It restores variables and enters at its step; at the boundary twice."""
    whole, first, second = trained(BOUNDARY + 2), built(), built(seed=12)
    train(first, 0, stop)
    # A stop right behind the boundary may come before or after the copy.
    first.objective.enter(stop)
    for source, target in (
        (first.trainable_variables, second.trainable_variables),
        (first.optimizer.variables, second.optimizer.variables),
    ):
        for a, b in zip(source, target, strict=True):
            b.assign(a)
    second.seed = first.seed
    train(second, stop, BOUNDARY + 2)
    for a, b in zip(
        whole.trainable_variables, second.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


def rows_of(start, end):
    """The batches of `train`, as `fit` takes them."""
    rows = [
        tf.data.Dataset.from_tensors(batch(seed=s)) for s in range(start, end)
    ]
    return functools.reduce(tf.data.Dataset.concatenate, rows)


def assert_same(ours, theirs):
    for a, b in zip(
        (*ours.trainable_variables, *ours.optimizer.variables),
        (*theirs.trainable_variables, *theirs.optimizer.variables),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-5, err_msg=a.path)


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([(0, 6)], marks=pytest.mark.slow),
        [(0, BOUNDARY), (BOUNDARY, 6)],
    ],
)
def test_fit_goes_from_stage_to_stage(runs):
    """At once or in two calls: the weights are those of the loop."""
    loop, fitted = trained(6), built()
    fresh = weights_of(fitted, "discriminator")
    for start, end in runs:
        history = fitted.fit(
            rows_of(start, end),
            validation_data=rows_of(8, 9),
            verbose=0,
        ).history
    assert fitted.objective.stage == 2
    assert_same(fitted, loop)
    for path, value in weights_of(fitted, "discriminator").items():
        assert path.endswith("key/bias") or (value != fresh[path]).any(), path
    # What is evaluated is the stage that is trained.
    assert history["val_disc_loss"][-1] > 0.1
    assert history["val_loss"][-1] == pytest.approx(
        history["val_mlm_loss"][-1] + 50 * history["val_disc_loss"][-1]
    )


@pytest.mark.slow
def test_fit_on_replicas_goes_from_stage_to_stage():
    loop = trained(BOUNDARY + 1)
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        fitted = built()
    fitted.fit(rows_of(0, BOUNDARY + 1), verbose=0)
    assert_same(fitted, loop)


def test_a_stage_cannot_end_within_an_execution():
    fitted = built()
    fitted.compile(optimizer=fitted.optimizer, steps_per_execution=2)
    with pytest.raises(ValueError, match="must be 1"):
        fitted.fit(rows_of(0, 2), verbose=0)


def test_the_total_is_the_same_sum_in_both_stages():
    pretrainer = built()
    pretrainer.objective.enter(BOUNDARY)
    pretrainer.measures.update_state(outcome_of(pretrainer))
    found = {n: float(v) for n, v in pretrainer.measures.result().items()}
    expected = found["mlm_loss"] + 50 * found["disc_loss"]
    assert found["loss"] == pytest.approx(expected, rel=1e-5)


def test_stages_by_step():
    objective = built().objective
    assert objective.boundaries == (BOUNDARY,)
    assert [objective.stage_at(s) for s in (0, 2, 3, 99)] == [1, 1, 2, 2]
