"""Random numbers as a function of seed, step, name and place."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.modeling.noise import (
    Noise,
    current_noise,
    drop_limit,
    fresh_noise,
)

SIZES = [1, 3, 4, 5, 10, 64, 127]


@pytest.mark.parametrize("per_row", SIZES)
def test_a_slice_of_rows_equals_the_slice_of_the_whole(per_row):
    whole = Noise(7, step=3).uniform("x", 12, per_row).numpy()
    assert whole.shape == (12, per_row)
    for first, rows in [(0, 5), (5, 7), (11, 1)]:
        part = Noise(7, step=3, first_row=first).uniform("x", rows, per_row)
        np.testing.assert_array_equal(part, whole[first : first + rows])


@pytest.mark.parametrize("per_row", SIZES)
def test_a_slice_of_a_dropout_mask_equals_that_of_the_whole(per_row):
    whole = Noise(7).keep("x", [12, per_row], per_row, 0.3).numpy()
    part = Noise(7, first_row=4).keep("x", [5, per_row], per_row, 0.3)
    np.testing.assert_array_equal(part, whole[4:9])


def test_whatever_differs_gives_other_numbers():
    base = Noise(1, step=2)
    others = {
        "seed": Noise(2, step=2),
        "negative seed": Noise(-1, step=2),
        "large seed": Noise(1 + 2**32, step=2),
        "step": Noise(1, step=3),
        "large step": Noise(1, step=2**31 - 1),
        "row": Noise(1, step=2, first_row=50),
        "name": Noise(1, step=2, name="eval"),
        "fork": base.fork("generator"),
        "other fork": base.fork("discriminator"),
        "fork of fork": base.fork("generator").fork("generator"),
    }
    draws = {
        name: noise.uniform("x", 50, 8).numpy().ravel()
        for name, noise in {"base": base, **others}.items()
    }
    draws["consumer"] = base.uniform("y", 50, 8).numpy().ravel()
    for a, b in itertools.combinations(draws, 2):
        same = np.mean(draws[a] == draws[b])
        assert same < 0.01, (a, b)
        correlation = np.corrcoef(draws[a], draws[b])[0, 1]
        assert abs(correlation) < 0.25, (a, b)


def test_the_same_noise_gives_the_same_numbers():
    first = Noise(5, 9, 2, "train").fork("g").uniform("x", 4, 9)
    again = Noise(5, 9, 2, "train").fork("g").uniform("x", 4, 9)
    np.testing.assert_array_equal(first, again)


def test_uniform_numbers():
    draws = Noise(0).uniform("x", 1000, 101).numpy().astype(np.float64)
    n = draws.size
    assert 0 <= draws.min() < 1e-4
    assert 1 - 1e-4 < draws.max() < 1
    assert abs(draws.mean() - 0.5) < 4 / np.sqrt(12 * n)
    assert abs(draws.var() - 1 / 12) < 4 * np.sqrt(1 / 180 / n)
    cells = np.histogram(draws, 64, (0, 1))[0]
    chi2 = ((cells - n / 64) ** 2 / (n / 64)).sum()
    assert chi2 < 63 + 4 * np.sqrt(2 * 63)
    # Neighbours in a row, and the same place in neighbouring rows.
    for a, b in ((draws[:, 1:], draws[:, :-1]), (draws[1:], draws[:-1])):
        correlation = np.corrcoef(a.ravel(), b.ravel())[0, 1]
        assert abs(correlation) < 4 / np.sqrt(n)


def test_uniform_numbers_never_round_up_to_one():
    draws = Noise(0).uniform("x", 100, 100).numpy()
    np.testing.assert_array_equal(draws * 2**24 % 1, 0)


@pytest.mark.parametrize("drop", [0.0, 0.1, 0.5, 0.9])
def test_rate_of_the_mask(drop):
    keep = Noise(3).keep("x", [500, 201], 201, drop).numpy()
    sigma = np.sqrt(max(drop * (1 - drop), 1e-12) / keep.size)
    assert abs(keep.mean() - (1 - drop)) <= 4 * sigma + 2**-17
    if drop:
        by_column = keep.mean(0)
        assert abs(by_column - (1 - drop)).max() < 5 * sigma * np.sqrt(201)


def test_rate_is_a_multiple_of_two_to_the_minus_16():
    assert drop_limit(0.1) == 6554
    assert drop_limit(0.5) == 32768
    assert drop_limit(0.0) == 0


def test_eager_equals_function_equals_xla():
    def draw(seed, step, first_row):
        noise = Noise(seed, step, first_row, "train").fork("g")
        words = noise.uniform("x", 5, 7)
        return words, noise.keep("y", [5, 3, 5], 15, 0.4)

    place = [tf.constant(v, tf.int64) for v in (-3, 11, 6)]
    eager = draw(-3, 11, 6)
    for compiled in (tf.function(draw), tf.function(draw, jit_compile=True)):
        for a, e in zip(compiled(*place), eager, strict=True):
            np.testing.assert_array_equal(a, e)


def test_sizes_known_only_at_call_time():
    @tf.function(input_signature=[tf.TensorSpec([None, None, None])])
    def draw(x):
        shape = tf.shape(x)
        return Noise(2).keep("x", shape, shape[1] * shape[2], 0.5)

    for shape in ([3, 5, 7], [1, 1, 1], [4, 2, 6]):
        expected = Noise(2).keep("x", shape, shape[1] * shape[2], 0.5)
        np.testing.assert_array_equal(draw(tf.zeros(shape)), expected)


def test_scopes_nest_and_close():
    # Where no scope is open every call gives fresh noise.
    assert current_noise() is not current_noise()
    outer, inner = Noise(1), Noise(2)
    with outer.scope():
        assert current_noise() is outer
        with inner.scope():
            assert current_noise() is inner
        assert current_noise() is outer
        with pytest.raises(RuntimeError, match="inside"), inner.scope():
            raise RuntimeError("inside")
        assert current_noise() is outer
    assert current_noise() is not current_noise()


def test_fresh_noise_follows_the_global_seed_and_moves_on():
    tf.random.set_seed(4)
    first, second = (fresh_noise().uniform("x", 2, 8) for _ in range(2))
    assert not np.array_equal(first, second)
    tf.random.set_seed(4)
    np.testing.assert_array_equal(fresh_noise().uniform("x", 2, 8), first)
