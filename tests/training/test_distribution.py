"""Which strategy a configuration means, and how rows are dealt out."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config.execution import ExecutionConfig
from electra_tf.errors import InputError
from electra_tf.training.distribution import (
    Distribution,
    make_distribution,
    uses_xla,
)


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)


def test_auto_is_one_device_where_nothing_else_is_there():
    found = make_distribution(ExecutionConfig())
    assert (found.num_replicas, found.addresses) == (1, ())
    assert found.is_chief
    assert str(found) == "CPU:0"


def test_virtual_devices_are_replicas():
    found = make_distribution(ExecutionConfig(num_virtual_devices=3))
    assert found.num_replicas == 3
    assert str(found) == "CPU:0, CPU:1, CPU:2"


def test_more_virtual_devices_than_a_started_process_has():
    tf.zeros([]).numpy()  # TensorFlow has started, with four of them
    with pytest.raises(InputError, match="num_virtual_devices=5 comes too"):
        make_distribution(ExecutionConfig(num_virtual_devices=5))


def test_workers_are_asked_for_where_nothing_tells_of_them():
    with pytest.raises(InputError, match="or a Slurm step"):
        make_distribution(ExecutionConfig(strategy="multi_worker"))


def test_a_tpu_that_is_not_there():
    with pytest.raises(InputError, match="no TPU 'local' can be used"):
        make_distribution(ExecutionConfig(tpu_name="local"))


@pytest.mark.parametrize(
    ("option", "expected"), [("auto", False), ("true", True), ("false", False)]
)
def test_xla_is_for_those_who_ask_on_a_cpu(option, expected):
    assert uses_xla(ExecutionConfig(jit_compile=option)) == expected


@pytest.mark.parametrize(
    ("batch", "parts", "divisor", "nearest"),
    [(10, 1, 4, 12), (9, 1, 4, 8), (3, 1, 4, 4), (1, 4, 16, 16)],
)
def test_the_nearest_batch_is_named(batch, parts, divisor, nearest):
    found = make_distribution(ExecutionConfig(num_virtual_devices=4))
    with pytest.raises(InputError) as caught:
        found.check_batch("train_batch_size", batch, parts)
    assert f"train_batch_size must be a multiple of {divisor} " in str(
        caught.value
    )
    told = f"the nearest is {nearest}; received {batch}"
    assert str(caught.value).endswith(told)
    found.check_batch("train_batch_size", nearest, parts)


def test_replica_r_gets_the_rth_part_of_every_batch():
    def rows(first, count):
        numbers = tf.reshape(tf.range(24), [3, 8])[:, first : first + count]
        return tf.data.Dataset.from_tensor_slices(
            {"input_ids": tf.repeat(numbers[..., None], 2, -1)}
        )

    found = make_distribution(ExecutionConfig(num_virtual_devices=4))
    batches = list(found.batches(rows, 8))
    assert len(batches) == 3
    for number, batch in enumerate(batches):
        parts = found.strategy.experimental_local_results(batch["input_ids"])
        expected = 8 * number + np.arange(8).reshape(4, 2)
        np.testing.assert_array_equal(
            [part[:, 0].numpy() for part in parts], expected
        )


def test_one_process_agrees_with_itself():
    alone = Distribution(tf.distribute.get_strategy())
    assert alone.agreed(7) == 7
    alone.check_same("anything", 7)
