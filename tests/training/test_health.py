"""A run that has gone wrong stops or warns, and says where."""

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


VALUES = {"disc_accuracy": 0.891, "disc_base_rate": 0.893, "disc_auc": 0.502}


def warning(step, recall, warmup=100, total=1000):
    return collapse_warning(
        {**VALUES, "disc_recall": recall}, step, warmup, total
    )


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
    assert (warning(step, 0.0, warmup) is not None) == late


def test_only_where_next_to_nothing_is_found():
    assert warning(900, 0.009) is not None
    assert warning(900, 0.01) is None
    assert warning(900, 0.5) is None


def test_a_discriminator_that_ranks_has_not_collapsed():
    for auc, collapsed in ((0.599, True), (0.6, False), (0.7, False)):
        values = {**VALUES, "disc_recall": 0.0, "disc_auc": auc}
        assert (collapse_warning(values, 900, 100, 1000) is not None) == (
            collapsed
        )


def test_the_warning_gives_its_numbers_on_one_line():
    text = warning(900, 0.004)
    for part in ("step 900", "0.4%", "0.891", "0.893", "0.502"):
        assert part in text
    assert "\n" not in text


def test_an_objective_without_detection_never_collapses():
    assert collapse_warning({"mlm_loss": 7.0}, 900, 100, 1000) is None
