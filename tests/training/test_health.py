"""A run that has gone wrong stops or warns, and says where."""

import json
import pathlib

import keras
import numpy as np
import pytest

from electra_tf.errors import InputError
from electra_tf.training.console import collapse_warning
from electra_tf.training.loop import (
    NonFiniteError,
    check_loss,
    check_weights,
)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite_names_its_steps(loss):
    with pytest.raises(NonFiniteError, match="between step 20 and step 30"):
        check_loss(loss, 20, 30)
    assert issubclass(NonFiniteError, InputError)


def test_a_finite_loss_passes():
    check_loss(0.0, 0, 1)
    check_loss(1e30, 0, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_is_named(bad):
    with keras.name_scope("block"):
        good = keras.Variable(np.ones(3, np.float32), name="good")
        other = keras.Variable(np.ones(3, np.float32), name="other")
    check_weights([good, other], 7)
    other.assign([1.0, bad, 1.0])
    with pytest.raises(NonFiniteError, match=r"block/other.*step 7"):
        check_weights([good, other], 7)


# The base rate alone gives 0.3402.
VALUES = {"disc_base_rate": 0.893, "disc_auc": 0.502, "disc_loss": 0.341}


def warning(step=900, warmup=100, total=1000, **changed):
    return collapse_warning({**VALUES, **changed}, step, warmup, total)


@pytest.mark.parametrize(
    ("step", "warmup", "late"),
    [
        (499, 100, False),
        (500, 100, True),
        (1000, 100, True),
        (599, 300, False),
        (600, 300, True),
        (1, 0, False),
    ],
)
def test_only_well_after_the_warm_up(step, warmup, late):
    assert (warning(step, warmup) is not None) == late


@pytest.mark.parametrize(
    ("changed", "collapsed"),
    [
        ({"disc_auc": 0.529}, True),
        ({"disc_auc": 0.531}, False),
        ({"disc_loss": 0.339}, True),
        ({"disc_loss": 0.337}, False),
        ({"disc_loss": float("nan")}, False),
        # Whatever its recall: few reach 0.5 for long, or most replaced ones do.
        ({"disc_recall": 0.0, "disc_auc": 0.6}, False),
        ({"disc_recall": 1.0, "disc_base_rate": 0.1, "disc_loss": 0.33}, True),
        ({"disc_base_rate": 1.0, "disc_loss": 0.0}, True),
    ],
)
def test_only_a_constant_has_collapsed(changed, collapsed):
    assert (warning(**changed) is not None) == collapsed


CURVES = pathlib.Path(__file__).parent / "curves"


@pytest.mark.parametrize("name", ["demo", "demo_200_steps", "narrow_start"])
def test_recorded_healthy_runs(name):
    found = [collapse_warning(*each) for each in recorded(name)]
    assert found == [None] * len(found)


@pytest.mark.parametrize("name", ["rate_too_high", "four_layers"])
def test_recorded_collapses(name):
    """Each from the first late line on."""
    found = [collapse_warning(*each) for each in recorded(name)]
    warned = [text for text in found if text]
    assert len(warned) > 10
    assert found == [None] * (len(found) - len(warned)) + warned


def test_a_recorded_collapse_that_the_falling_rate_ends():
    lines = list(recorded("recovers"))
    warned = [each[1] for each in lines if collapse_warning(*each)]
    assert (warned[0], len(warned), warned[-1]) == (500, 25, 900)


def recorded(name):
    """The lines of a run as `collapse_warning` gets them.

    All are runs of configs/demo.flags: as it is; with 200 steps; from kernels
    of 0.02 and normal positions; with a rate of 2e-2; and with four layers at
    3e-3, and at 1e-3.
    """
    curve = json.loads((CURVES / f"{name}.json").read_text())
    for values in curve["lines"]:
        yield values, values["step"], curve["warmup"], curve["steps"]


def test_the_warning_gives_its_numbers_on_one_line():
    text = warning()
    for part in ("step 900", "0.502", "0.341", "0.893", "0.340", "lower"):
        assert part in text
    assert "\n" not in text


@pytest.mark.parametrize(("loss", "waits"), [(6.05, True), (5.8, False)])
def test_the_warning_names_a_generator_at_the_unigram_level(loss, waits):
    text = warning(mlm_loss_masked=loss, unigram_loss=6.1)
    assert ("at the unigram level (6.100)" in text) == waits


def test_an_objective_without_detection_never_collapses():
    assert collapse_warning({"mlm_loss": 7.0}, 900, 100, 1000) is None
