"""The learning rate at the steps where it bends."""

import keras
import pytest
import tensorflow as tf

from electra_tf.training.schedules import WarmupPolynomialDecay


def rate(step, peak=0.2, total=1000, warmup=100, power=1.0):
    schedule = WarmupPolynomialDecay(peak, total, warmup, power)
    return float(schedule(tf.constant(step, tf.int64)))


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.0),
        (1, 0.2 * 0.999 * 0.01),
        (50, 0.2 * 0.95 * 0.5),
        (100, 0.2 * 0.9),  # a little below the nominal rate
        (101, 0.2 * 0.899),
        (500, 0.1),
        (999, 0.2 * 0.001),
        (1000, 0.0),
        (5000, 0.0),
    ],
)
def test_warm_up_and_linear_decay(step, expected):
    assert rate(step) == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_without_warm_up():
    assert rate(0, warmup=0) == pytest.approx(0.2)
    assert rate(500, warmup=0) == pytest.approx(0.1)


@pytest.mark.parametrize("step", [0, 50, 100, 500, 900, 1000, 2000])
def test_power_two_is_the_square(step):
    done = min(step / 1000, 1)
    expected = 0.2 * (1 - done) ** 2 * min(1, step / 100)
    actual = rate(step, power=2.0)
    assert actual == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_power_zero_is_constant_after_the_warm_up():
    assert rate(500, power=0.0) == pytest.approx(0.2)
    assert rate(2000, power=0.0) == pytest.approx(0.2)


def test_warm_up_longer_than_the_run():
    assert rate(50, total=100, warmup=200) == pytest.approx(0.2 * 0.5 * 0.25)


def test_config_round_trip():
    schedule = WarmupPolynomialDecay(0.3, 77, 5, 2.0)
    config = keras.optimizers.schedules.serialize(schedule)
    copy = keras.optimizers.schedules.deserialize(config)
    assert copy.get_config() == schedule.get_config()
    assert float(copy(11)) == float(schedule(11)) > 0
