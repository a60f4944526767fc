"""The order of records: a permutation, different each epoch, and even."""

import time

import numpy as np
import pytest

from electra_tf.data.records.batches import permute


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 63, 64, 65, 127, 1000, 4097])
@pytest.mark.parametrize("epoch", [0, 1, 12345])
def test_every_number_comes_once(n, epoch):
    order = permute(np.arange(n), n, seed=7, epoch=epoch)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(n))


def test_a_slice_equals_the_slice_of_the_whole():
    whole = permute(np.arange(1000), 1000, seed=3, epoch=2)
    part = permute(np.array([[999, 5], [17, 5]]), 1000, seed=3, epoch=2)
    np.testing.assert_array_equal(part, whole[[[999, 5], [17, 5]]])


def test_order_depends_on_seed_epoch_and_size():
    orders = [
        tuple(permute(np.arange(100), n, seed, epoch))
        for n, seed, epoch in [
            (100, 0, 0),
            (100, 0, 1),
            (100, 1, 0),
            (100, -1, 0),
            (101, 0, 0),
        ]
    ]
    assert len(set(orders)) == len(orders)
    assert orders[0] == tuple(permute(np.arange(100), 100, 0, 0))


@pytest.mark.parametrize("n", [3, 10, 100])
def test_each_number_is_as_likely_in_each_place(n):
    epochs = 2000
    counts = np.zeros((n, n))
    for epoch in range(epochs):
        counts[np.arange(n), permute(np.arange(n), n, 5, epoch)] += 1
    expected = epochs / n
    chi_square = np.sum((counts - expected) ** 2 / expected)
    # Rows and columns have fixed sums, so (n - 1)**2 degrees of freedom.
    freedom = (n - 1) ** 2
    assert abs(chi_square - freedom) < 4.5 * np.sqrt(2 * freedom)


def test_neighbours_are_not_related():
    order = permute(np.arange(50_000), 50_000, 1, 0).astype(float)
    steps = np.diff(order)
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.02
    assert abs(np.corrcoef(order, np.arange(50_000))[0, 1]) < 0.02
    assert np.unique(steps).size > 0.6 * steps.size


def test_huge_sets_take_neither_memory_nor_time():
    begin = time.perf_counter()
    order = permute(np.arange(10_000), 10**12, 1, 0)
    assert time.perf_counter() - begin < 1
    assert np.unique(order).size == 10_000
    assert order.max() > 9 * 10**11


def test_bad_arguments():
    with pytest.raises(ValueError, match="at least 1"):
        permute(np.arange(1), 0, 0, 0)
    with pytest.raises(ValueError, match=r"\[0, 5\)"):
        permute(np.array([5]), 5, 0, 0)
