"""The sinusoidal start, value by value."""

import math

import numpy as np

from electra_tf.modeling.embeddings import Embeddings
from electra_tf.modeling.layers import Sinusoid


def test_sinusoid_by_the_formula():
    table = np.array(Sinusoid()((20, 6)))
    for p in range(20):
        for i in range(3):
            angle = p / 1000 ** (2 * i / 6)
            np.testing.assert_allclose(
                table[p, 2 * i : 2 * i + 2],
                [0.03 * math.sin(angle), 0.03 * math.cos(angle)],
                atol=1e-6,
            )


def test_sinusoid_of_odd_width():
    table = np.array(Sinusoid()((4, 5)))
    assert table[2, 4] == np.float32(0.03 * math.sin(2 / 1000 ** (4 / 5)))


def position_table(position_init):
    layer = Embeddings(30, 16, 40, position_init=position_init)
    layer.build()
    return layer.position_embeddings.numpy()


def test_embeddings_take_the_start_they_are_given():
    expected = np.array(Sinusoid()((40, 16)))
    np.testing.assert_array_equal(position_table("sinusoidal"), expected)
    normal = position_table("normal")
    assert not np.allclose(normal, expected, atol=1e-2)
    assert abs(normal.mean()) < 0.003
