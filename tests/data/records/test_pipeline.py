"""Batches: a function of the step, in slices, each record once an epoch."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config.optimization import OptimizerConfig
from electra_tf.data.records import open_records
from electra_tf.data.records.batches import (
    eval_batches,
    naming_bad_records,
    record_numbers,
    train_batches,
)
from electra_tf.errors import InputError

LENGTH = 8


def write(path, num_records):
    """Record i holds i + 5 at each place."""

    def feature(value):
        values = tf.train.Int64List(value=[value] * LENGTH)
        return tf.train.Feature(int64_list=values)

    with tf.io.TFRecordWriter(str(path)) as writer:
        for i in range(num_records):
            features = {
                "input_ids": feature(i + 5),
                "input_mask": feature(1),
                "segment_ids": feature(0),
            }
            writer.write(
                tf.train.Example(
                    features=tf.train.Features(feature=features)
                ).SerializeToString()
            )
    return str(path)


@pytest.fixture
def records(tmp_path):
    return open_records(write(tmp_path / "x.tfrecord", 23), "train")


def ids(dataset):
    return np.array([b["input_ids"][:, 0] for b in dataset.as_numpy_iterator()])


def test_elements(records):
    dataset = train_batches(records, 4, seed=1, first_step=0, num_steps=2)
    for name in ("input_ids", "input_mask", "segment_ids"):
        spec = dataset.element_spec[name]
        assert (spec.shape, spec.dtype) == ((4, LENGTH), tf.int32)
    for batch in dataset:
        assert np.all(batch["input_mask"] == 1)
        assert np.all(batch["input_ids"] == batch["input_ids"][:, :1])


@pytest.mark.parametrize("batch_size", [1, 4, 23, 50])
def test_each_epoch_has_each_record_once(records, batch_size):
    stream = ids(train_batches(records, batch_size, 1, 0, 4 * 23)).reshape(-1)
    epochs = stream[: 4 * 23].reshape(4, 23)
    for epoch in epochs:
        assert sorted(epoch) == list(range(5, 28))
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_stream_from_a_step_is_the_tail(records):
    whole = ids(train_batches(records, 5, 3, 0, 20))
    np.testing.assert_array_equal(
        ids(train_batches(records, 5, 3, 13, 7)), whole[13:]
    )
    endless = train_batches(records, 5, 3, 13).take(7)
    np.testing.assert_array_equal(ids(endless), whole[13:])
    assert not np.array_equal(ids(train_batches(records, 5, 4, 0, 20)), whole)


def test_batches_that_grow_go_on_where_smaller_ones_ended(records):
    """Over epochs' ends; entered anew at a step within a stage, too."""
    plain = ids(train_batches(records, 1, 3, 0, 75)).reshape(-1)
    optimizer = OptimizerConfig(
        train_batch_size=8, train_batch_size_start=2, batch_warmup_steps=9
    )
    found = []
    for first, end in ((0, 3), (3, 4), (4, 7), (7, 9), (9, 13)):
        size = optimizer.batch_stage(first).batch_size
        place, count = optimizer.examples_before(first), end - first
        batches = train_batches(
            records, size, 3, first, count, first_place=place
        )
        found += [*ids(batches).reshape(-1)]
    assert len(found) == optimizer.examples_before(13) == 4 * 2 + 5 * 4 + 4 * 8
    np.testing.assert_array_equal(found, plain[: len(found)])


def test_slices_join_to_the_whole_batch(records):
    whole = ids(train_batches(records, 6, 3, 4, 10))
    slices = [
        ids(train_batches(records, 6, 3, 4, 10, first_row, num_rows))
        for first_row, num_rows in [(0, 1), (1, 3), (4, None)]
    ]
    np.testing.assert_array_equal(np.concatenate(slices, axis=1), whole)


def test_numbers_far_into_a_long_run():
    places = np.arange(10**15, 10**15 + 64)
    numbers = record_numbers(places, 10**8, seed=1)
    assert np.unique(numbers).size == 64
    assert 0 <= numbers.min() <= numbers.max() < 10**8


def test_rows_must_lie_in_the_batch(records):
    with pytest.raises(ValueError, match="first_row=3, num_rows=2"):
        train_batches(records, 4, 1, 0, first_row=3, num_rows=2)


def test_eval_batches_are_in_order_and_filled_up(records):
    dataset = eval_batches(records, 5)
    assert dataset.element_spec["input_ids"].shape == (5, LENGTH)
    batches = list(dataset.as_numpy_iterator())
    assert len(batches) == 5
    found = np.concatenate([b["input_ids"][:, 0] for b in batches])
    mask = np.concatenate([b["input_mask"] for b in batches])
    assert found.tolist() == [*range(5, 28), 0, 0]
    assert mask.sum(1).tolist() == [LENGTH] * 23 + [0, 0]
    assert len(list(eval_batches(records, 5, 10))) == 2
    assert len(list(eval_batches(records, 5, 99))) == 5


def test_parts_of_eval_batches_make_up_the_whole(records):
    """Eleven records, four a batch: workers share the filled-up last one."""
    whole = list(eval_batches(records, 4, 11).as_numpy_iterator())
    assert len(whole) == 3
    parts = [
        list(eval_batches(records, 4, 11, row, 2).as_numpy_iterator())
        for row in (0, 2)
    ]
    for batch, *halves in zip(whole, *parts, strict=True):
        for name, values in batch.items():
            joined = np.concatenate([half[name] for half in halves])
            np.testing.assert_array_equal(joined, values)
    assert [b["input_mask"].any(1).sum() for b in whole] == [4, 4, 3]


def test_a_bad_record_in_training_is_named(tmp_path):
    path = tmp_path / "x.tfrecord"
    records = open_records(write(path, 23), "train")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    def read():
        with naming_bad_records(None, records):
            for _ in train_batches(records, 4, 1, 0, 10):
                pass

    with pytest.raises(InputError, match=f"{path}.* record 11 .* corrupt"):
        read()


def test_other_errors_pass(records):
    with (
        pytest.raises(tf.errors.OutOfRangeError),
        naming_bad_records(records),
    ):
        raise tf.errors.OutOfRangeError(None, None, "end")
