"""Length buckets and stored weights: what changes, and what must not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.serving.forward import Forward, StoredWeights, row_lengths

LENGTHS = [1, 32, 33, 64, 65, 129, 256, 257, 300, 32]
LONGEST = 300


def rows_of(lengths, longest):
    mask = np.arange(longest) < np.array(lengths)[:, None]
    mask = tf.constant(mask, tf.int32)
    ids = tf.random.stateless_uniform(mask.shape, [1, 2], 1, 99, tf.int32)
    return ids * mask, mask, tf.zeros_like(ids)


def in_graph(forward):
    return tf.function(lambda *ids: forward(*ids))


def test_a_row_is_cut_to_its_bucket():
    """The network tells the length that it saw."""

    def length_seen(ids, mask, segments):
        return tf.fill([tf.shape(ids)[0]], tf.shape(ids)[1])

    forward = Forward(length_seen, [], StoredWeights())
    found = in_graph(forward)(*rows_of(LENGTHS, LONGEST))
    expected = [32, 32, 64, 64, 128, 256, 256, LONGEST, LONGEST, 32]
    assert found.numpy().tolist() == expected
    # A batch of one bucket is not padded to the bucket's end.
    alone = in_graph(forward)(*rows_of([33, 40, 50], 50))
    assert alone.numpy().tolist() == [50, 50, 50]
    # Without buckets the batch stays together; eagerly, too.
    whole = Forward(length_seen, [], StoredWeights(), buckets=())
    rows = rows_of(LENGTHS, LONGEST)
    for outputs in (in_graph(whole)(*rows), forward(*rows)):
        assert set(outputs.numpy().tolist()) == {LONGEST}


def test_outputs_come_back_in_place_with_zeros_behind():
    """Per row, per token, and per pair of tokens."""

    def network(ids, mask, segments):
        x = tf.cast(ids, tf.float32)
        pairs = x[:, :, None] * x[:, None]
        return {
            "row": tf.reduce_sum(x, 1),
            "token": tf.stack([x, 2 * x], -1),
            "pair": pairs,
        }

    ids, mask, segments = rows_of(LENGTHS, LONGEST)
    forward = Forward(network, [], StoredWeights())
    found = in_graph(forward)(ids, mask, segments)
    # These networks give 0 on padding, so nothing is lost by the cut.
    for name, expected in network(ids, mask, segments).items():
        np.testing.assert_array_equal(found[name], expected)


def test_no_rows_at_all():
    forward = Forward(
        lambda ids, *rest: tf.cast(ids, tf.float32), [], StoredWeights()
    )
    empty = tf.zeros([0, 7], tf.int32)
    assert in_graph(forward)(empty, empty, empty).shape == (0, 7)


def test_row_lengths_go_by_the_last_1():
    mask = tf.constant([[1, 1, 0, 0], [1, 0, 0, 1], [0, 1, 0, 0], [0] * 4])
    assert row_lengths(mask).numpy().tolist() == [2, 4, 2, 4]


@pytest.fixture
def dense():
    layer = keras.layers.Dense(4, bias_initializer="glorot_uniform")
    layer.build((None, 3))
    return layer


def network_of(layer):
    def network(ids, mask, segments):
        return layer(tf.one_hot(ids, 3))

    return network


def test_float16_matrices_are_cast_when_read(dense):
    weights = StoredWeights("float16")
    forward = Forward(network_of(dense), dense.variables, weights, buckets=())
    dtypes = {v.shape.rank: v.dtype for v in forward.saved}
    assert dtypes == {2: tf.float16, 1: tf.float32}
    rounded = dense.kernel.numpy().astype(np.float16).astype(np.float32)
    assert np.abs(rounded - dense.kernel.numpy()).max() > 0
    ids = tf.constant([[0, 1, 2]])
    found = in_graph(forward)(ids, ids, ids)
    np.testing.assert_allclose(found[0], rounded + dense.bias, rtol=1e-6)
    # The reference that exports are compared with is the model's own.
    np.testing.assert_array_equal(
        forward(ids, ids, ids)[0], (dense.kernel + dense.bias).numpy()
    )


def test_a_shared_variable_is_stored_once(dense):
    weights = StoredWeights("float16")
    first, second = (
        Forward(network_of(dense), dense.variables, weights) for _ in range(2)
    )
    assert first.saved[0] is second.saved[0]
