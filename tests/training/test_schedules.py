"""The learning rate at the steps where it bends."""

import math

import keras
import pytest
import tensorflow as tf

from electra_tf.config.pretraining import make_config
from electra_tf.training.schedules import WarmupPolynomialDecay, make_schedule


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


def of_config(**values):
    times = {"learning_rate": 0.2, "num_train_steps": 1000}
    return make_schedule(
        make_config({**times, "num_warmup_steps": 100, **values}).optimizer
    )


WSD = {"lr_schedule": "warmup_stable_decay", "num_decay_steps": 200}
COSINE = {"lr_schedule": "cosine", "min_lr_ratio": 0.1}


def expected_wsd(t, power=1.0):
    left = 0 if t >= 1000 else 1 if t <= 800 else (1000 - t) / 200
    return 0.2 * min(1, t / 100) * left**power


def expected_cosine(t, least=0.1):
    part = 0 if t <= 100 else 1 if t >= 1000 else (t - 100) / 900
    height = least + (1 - least) * (1 + math.cos(math.pi * part)) / 2
    return 0.2 * min(1, t / 100) * height


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (WSD, expected_wsd),
        (WSD | {"lr_decay_power": 0.5}, lambda t: expected_wsd(t, 0.5)),
        (COSINE, expected_cosine),
        (COSINE | {"min_lr_ratio": 0.0}, lambda t: expected_cosine(t, 0)),
    ],
)
def test_the_other_schedules_have_their_closed_forms(values, expected):
    schedule = of_config(**values)
    found = [float(schedule(tf.constant(t, tf.int64))) for t in range(1003)]
    # float32's at a peak of 0.2: cos near pi loses most.
    wanted = [expected(t) for t in range(1003)]
    assert found == pytest.approx(wanted, rel=2e-6, abs=1e-8)
    assert found[100] == pytest.approx(0.2)


def test_a_longer_run_shares_the_steps_before_the_decay():
    """What warmup_stable_decay is for: nothing done has to be redone."""
    short, long = of_config(**WSD), of_config(**WSD, num_train_steps=3000)
    rates = [(float(short(t)), float(long(t))) for t in range(0, 801, 50)]
    assert all(a == b for a, b in rates)
    assert float(short(900)) < float(long(900)) == rates[-1][1]


@pytest.mark.parametrize("values", [{}, WSD, COSINE])
def test_config_round_trip(values):
    schedule = of_config(**values, lr_decay_power=2.0)
    config = keras.optimizers.schedules.serialize(schedule)
    copy = keras.optimizers.schedules.deserialize(config)
    assert type(copy) is type(schedule)
    assert copy.get_config() == schedule.get_config()
    assert float(copy(950)) == float(schedule(950)) > 0
