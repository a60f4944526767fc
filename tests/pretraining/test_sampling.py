"""Samples from the generator: the inversion, the distribution, the rules."""

import math

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.masking import MaskedBatch
from electra_tf.pretraining.sampling import Sampler, invert_cumulative

WIDTHS = [1, 5, 255, 256, 257, 700, 1024]


@pytest.mark.parametrize("width", WIDTHS)
def test_inversion_is_searchsorted(width):
    """Small whole weights and binary fractions: float32 is exact."""
    rng = np.random.default_rng(width)
    count = 2000
    weights = rng.integers(0, 4, (count, width)) * (rng.random(width) < 0.7)
    weights[:, rng.integers(width)] += 1  # no row is empty
    draws = rng.integers(0, 1024, count) / 1024
    expected = [
        np.searchsorted(np.cumsum(row), draw * row.sum(), side="right")
        for row, draw in zip(weights, draws, strict=True)
    ]
    args = weights.astype(np.float32), draws.astype(np.float32)
    np.testing.assert_array_equal(invert_cumulative(*args), expected)
    if width == 700:
        compiled = tf.function(invert_cumulative, jit_compile=True)
        actual = compiled(*map(tf.constant, args))
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("draw", [0.0, 0.5, 1 - 2.0**-24])
def test_one_hot_rows_give_their_index(width, draw):
    rng = np.random.default_rng(0)
    index = np.unique([0, width // 2, width - 1, *rng.integers(0, width, 20)])
    for scale in (1.0, 3e-20, 0.1):
        weights = scale * np.eye(width, dtype=np.float32)[index]
        draws = np.full(len(index), draw, np.float32)
        np.testing.assert_array_equal(invert_cumulative(weights, draws), index)


def test_weightless_entries_are_never_drawn():
    rng = np.random.default_rng(1)
    weights = rng.random((3000, 600)).astype(np.float32)
    weights[rng.random(weights.shape) < 0.6] = 0
    weights[:, 0] = weights[:, -100:] = 0
    weights[1000:2000, 256:512] = 0  # a whole block
    weights[2000:, :300] = 0
    draws = rng.random(3000).astype(np.float32)
    draws[::3], draws[1::3] = 0.0, 1 - 2.0**-24
    index = invert_cumulative(weights, draws).numpy()
    assert (weights[np.arange(3000), index] > 0).all()


def test_rounding_moves_a_draw_by_one_entry_at_most():
    rng = np.random.default_rng(2)
    weights = rng.random((3000, 700)).astype(np.float32)
    draws = rng.random(3000).astype(np.float32)
    sums = np.cumsum(weights.astype(np.float64), 1)
    goals = draws.astype(np.float64) * sums[:, -1]
    expected = (sums <= goals[:, None]).sum(1)
    difference = invert_cumulative(weights, draws).numpy() - expected
    assert np.abs(difference).max() <= 1
    assert np.mean(difference != 0) < 0.01


def slots(ids):
    ids = np.asarray(ids, np.int32)
    return MaskedBatch(ids, ids, ids, np.ones(ids.shape, np.float32))


ROWS, M, V = 15_000, 2, 30


@pytest.fixture(scope="module")
def logits():
    return 1.5 * np.random.default_rng(5).normal(size=V).astype(np.float32)


def sample(sampler, logits, ids=None, **noise):
    ids = np.zeros((ROWS, M)) if ids is None else ids
    many = tf.broadcast_to(tf.constant(logits), [ROWS, M, V])
    with Noise(3, **noise).scope():
        return sampler(many, slots(ids)).numpy()


def check_frequencies(samples, probs):
    n, counts = samples.size, np.bincount(samples.ravel(), minlength=V)
    likely = probs > 0
    assert counts[~likely].sum() == 0
    expected = n * probs[likely]
    chi2 = ((counts[likely] - expected) ** 2 / expected).sum()
    free = likely.sum() - 1
    assert chi2 < free + 4 * np.sqrt(2 * free)


def softmax(x):
    e = np.exp(np.asarray(x, np.float64) - np.max(x))
    return e / e.sum()


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
def test_frequencies_follow_the_softmax(logits, temperature):
    samples = sample(Sampler(temperature), logits)
    assert samples.shape == (ROWS, M)
    check_frequencies(samples, softmax(logits / temperature))


def test_slots_are_drawn_apart(logits):
    samples = sample(Sampler(), logits)
    same = (samples[:, 0] == samples[:, 1]).mean()
    expected = (softmax(logits) ** 2).sum()
    assert abs(same - expected) < 4 * np.sqrt(expected / ROWS)
    other = sample(Sampler(), logits, step=1)
    assert abs((samples == other).mean() - expected) < 0.02


def test_the_true_token_is_never_drawn_when_disallowed(logits):
    peaked = logits.copy()
    peaked[7] = 50.0  # nearly all the weight
    samples = sample(Sampler(1.0, True), peaked, np.full((ROWS, M), 7))
    probs = softmax(np.where(np.arange(V) == 7, -np.inf, logits))
    check_frequencies(samples, probs)
    assert (sample(Sampler(), peaked) == 7).all()


def test_huge_logits_do_not_overflow(logits):
    shifted = sample(Sampler(), logits + 1e4)
    assert (shifted == sample(Sampler(), logits)).mean() > 0.99
    spiked = np.full(V, -3e4, np.float32)
    spiked[4] = 3e4
    assert (sample(Sampler(), spiked) == 4).all()


def test_bfloat16_logits_are_read_in_float32(logits):
    low = tf.cast(logits, tf.bfloat16)
    samples = sample(Sampler(), low)
    check_frequencies(samples, softmax(tf.cast(low, tf.float32).numpy()))


def test_a_part_of_a_batch_is_sampled_as_in_the_whole(logits):
    many = tf.constant(np.tile(logits, (8, M, 1)))
    with Noise(3).scope():
        whole = Sampler()(many, slots(np.zeros((8, M))))
    with Noise(3, first_row=5).scope():
        part = Sampler()(many[5:], slots(np.zeros((3, M))))
    np.testing.assert_array_equal(part, whole[5:])


def test_no_gradient_flows_through_samples(logits):
    x = tf.Variable(np.tile(logits, (4, M, 1)))
    with Noise(3).scope(), tf.GradientTape() as tape:
        samples = Sampler()(x, slots(np.zeros((4, M))))
        loss = tf.reduce_sum(tf.cast(samples, tf.float32))
    assert tape.gradient(loss, x) is None


def test_temperature_moves_from_start_to_end():
    sampler = Sampler(2.0, temperature_end=1.0, decay_steps=100)
    for step in (0, 50, 100, 10_000):
        expected = 1 + math.exp(-step / 100)
        found = float(sampler.temperature_at(tf.constant(step, tf.int64)))
        assert found == pytest.approx(expected, rel=1e-6)
    assert Sampler(2.0, temperature_end=1.0).temperature_at(10_000) == 2.0


def test_samples_follow_the_temperature_of_their_step():
    """Shares of two tokens early, hot, and late, cold."""
    rows = 20_000
    logits = tf.tile(tf.constant([[[0.0, 2.0]]]), [rows, 1, 1])
    nothing = tf.zeros([rows, 1], tf.int32)
    slots = MaskedBatch(nothing, nothing, nothing, tf.ones([rows, 1]))
    sampler = Sampler(8.0, temperature_end=0.5, decay_steps=10)
    for step, temperature in ((0, 8.0), (500, 0.5)):
        with Noise(4, step=step).scope():
            share = sampler(logits, slots).numpy().mean()
        expected = 1 / (1 + math.exp(-2 / temperature))
        assert share == pytest.approx(expected, abs=0.015)
