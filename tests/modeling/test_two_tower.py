"""The two-tower cloze model never sees the token that it predicts."""

import numpy as np
import pytest
import tensorflow as tf
from layer_registry import make_two_towers, randomize

from electra_tf.modeling.attention import attention_bias
from electra_tf.modeling.embeddings import Embeddings
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.two_tower import TwoTowerCloze

L, V = 7, 23


@pytest.fixture(scope="module")
def network():
    towers = make_two_towers()
    randomize(towers.trainable_variables)
    return towers


def logits_of(network, ids, mask=None):
    ids = tf.constant(ids, tf.int32)
    mask = tf.ones_like(ids) if mask is None else tf.constant(mask, tf.int32)
    return network(ids, mask, tf.zeros_like(ids)).numpy()


@pytest.mark.parametrize("t", range(1, L - 1))
def test_position_t_never_sees_token_t(network, t):
    ids = np.random.default_rng(t).integers(5, V, (8, L))
    changed = ids.copy()
    changed[:, t] = (changed[:, t] - 5 + 1) % (V - 5) + 5
    before, after = logits_of(network, ids), logits_of(network, changed)
    np.testing.assert_array_equal(before[:, t], after[:, t])
    others = [place for place in range(L) if place != t]
    moved = np.abs(before - after)[:, others].max((0, 2))
    assert (moved > 1e-3).all(), "every other place sees token t"


def test_the_two_ends_see_themselves_as_in_the_authors_code(network):
    """The states are shifted in a circle."""
    ids = np.random.default_rng(0).integers(5, V, (1, L))
    for t in (0, L - 1):
        changed = ids.copy()
        changed[:, t] = (changed[:, t] - 5 + 1) % (V - 5) + 5
        moved = np.abs(logits_of(network, ids) - logits_of(network, changed))
        assert moved[:, t].max() > 1e-3


def test_padding_is_not_read(network):
    ids = np.random.default_rng(1).integers(5, V, (2, L))
    mask = np.ones((2, L), np.int32)
    mask[:, 5:] = 0
    changed = ids.copy()
    changed[:, 6] = 5 + (changed[:, 6] - 4) % (V - 5)
    before, after = (logits_of(network, x, mask) for x in (ids, changed))
    # Position 4 takes the right tower's state at 5, which is padding itself.
    np.testing.assert_array_equal(before[:, 1:4], after[:, 1:4])


def test_positions_pick_from_all(network):
    ids = tf.constant(np.random.default_rng(2).integers(5, V, (2, L)), tf.int32)
    reads = (ids, tf.ones_like(ids), tf.zeros_like(ids))
    positions = tf.constant([[3, 1], [0, 6]])
    everywhere = network(*reads)
    expected = tf.gather(everywhere, positions, batch_dims=1)
    np.testing.assert_allclose(network(*reads, positions), expected, atol=1e-5)


def test_directions_by_hand():
    mask = tf.constant([[1, 1, 0]])
    blocked = attention_bias(mask, "left_to_right")[0, 0] < 0
    np.testing.assert_array_equal(blocked, [[0, 1, 1], [0, 0, 1], [0, 0, 1]])
    blocked = attention_bias(mask, "right_to_left")[0, 0] < 0
    np.testing.assert_array_equal(blocked, [[0, 0, 1], [1, 0, 1], [1, 1, 1]])
    # As in the authors' code nothing is below -10000.
    assert attention_bias(mask, "right_to_left").numpy().min() == -1e4


def test_an_unknown_direction():
    with pytest.raises(ValueError, match="left_to_right, right_to_left"):
        Encoder(Embeddings(V, 8), 16, 1, 2, 24, direction="up")


def test_towers_of_two_tables():
    towers = [Encoder(Embeddings(V, 8), 16, 1, 2, 24) for _ in "ab"]
    with pytest.raises(ValueError, match="share their embeddings"):
        TwoTowerCloze(*towers)
