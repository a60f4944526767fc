"""One step seen from one of many replicas: its place, and sums over all."""

from typing import Any

import tensorflow as tf


def sum_over_replicas(values: Any) -> Any:
    """The sums of (nested) tensors over all replicas and processes.

    Outside a strategy, or with one replica, the values themselves.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    # One by one: TensorFlow would join them, whatever their types.
    return tf.nest.map_structure(
        lambda value: context.all_reduce(tf.distribute.ReduceOp.SUM, value),
        values,
    )


def first_row_of_replica(rows: tf.Tensor) -> tf.Tensor:
    """Place in the global batch of this replica's first row: int64 scalar.

    Args:
      rows: int scalar, rows of each replica's part; parts stand in the order
        of the replicas' numbers.
    """
    context = tf.distribute.get_replica_context()
    if context is None:
        return tf.constant(0, tf.int64)
    number = tf.convert_to_tensor(context.replica_id_in_sync_group)
    return tf.cast(number, tf.int64) * tf.cast(rows, tf.int64)
