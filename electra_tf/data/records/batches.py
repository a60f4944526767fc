"""Records -> batches: batch t is a function of the seed and t alone."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from electra_tf.data.records import Records
from electra_tf.data.records.format import parse_examples

_ENDLESS = np.iinfo(np.int64).max
_READERS = 2  # Reading holds Python's lock: more would not be faster.
_ROUNDS = 8
# Networks on fewer bits have too few states to look random; walking down
# from 64 numbers to two or three costs little.
_MIN_BITS = 6


def record_numbers(
    positions: np.ndarray, num_records: int, seed: int
) -> np.ndarray:
    """Record numbers at places of the endless training sequence.

    Epoch e takes the places [e * num_records, (e + 1) * num_records), in an
    order of its own.

    Args:
      positions: int64 [B], from 0.
      num_records: records in the split.
      seed: of the run.

    Returns:
      int64 [B].
    """
    # Differs from TF1: a permutation of all records, not a shuffle buffer.
    epochs, places = np.divmod(positions, num_records)
    numbers = np.empty_like(places)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        numbers[here] = permute(places[here], num_records, seed, int(epoch))
    return numbers


def train_batches(
    records: Records,
    batch_size: int,
    seed: int,
    first_step: int,
    num_steps: int | None = None,
    first_row: int = 0,
    num_rows: int | None = None,
    first_place: int | None = None,
) -> tf.data.Dataset:
    """Shuffled batches for the steps from `first_step` on.

    Args:
      records: the train split.
      batch_size: B, rows of the global batch.
      seed: of the run; with the step it determines every batch.
      first_step: where to begin; a restart gives the step it is at.
      num_steps: how many batches, or None for no end.
      first_row: first row of each global batch that is read here.
      num_rows: how many rows are read, R; None reads to the end.
      first_place: examples of the steps before; None where all of them had
        this batch size.

    Returns:
      Elements {"input_ids", "input_mask", "segment_ids"}: int32 [R, L].
      A bad record ends the dataset with a tf.errors.OpError: see
      `naming_bad_records`.
    """
    rows = _rows(batch_size, first_row, num_rows)
    if first_place is None:
        first_place = first_step * batch_size

    def read(step):
        positions = first_place + (step - first_step) * batch_size + rows
        return records.read(
            record_numbers(positions, records.num_records, seed)
        )

    end = _ENDLESS if num_steps is None else first_step + num_steps
    batches = _batches(
        records, tf.data.Dataset.range(first_step, end), read, len(rows)
    )
    if num_steps is None:
        # So that a strategy need not ask each time whether there is more.
        endless = tf.data.experimental.INFINITE_CARDINALITY
        endless = tf.data.experimental.assert_cardinality(endless)
        batches = batches.apply(endless)
    return batches


def eval_batches(
    records: Records,
    batch_size: int,
    num_rows: int | None = None,
    first_row: int = 0,
    num_rows_here: int | None = None,
) -> tf.data.Dataset:
    """Batches in record order, each record once.

    Args:
      records: the eval split.
      batch_size: B, rows of the global batch.
      num_rows: how many records at most; None takes all.
      first_row: first row of each global batch that is read here.
      num_rows_here: how many rows are read, R; None reads to the end.

    Returns:
      Elements as `train_batches` gives; rows that fill up the last batch are
      zero, input_mask too.
    """
    rows = _rows(batch_size, first_row, num_rows_here)
    total = records.num_records
    total = total if num_rows is None else min(num_rows, total)

    def read(number):
        places = number * batch_size + rows
        return records.read(places[places < total])

    numbers = tf.data.Dataset.range(-(-total // batch_size))
    dataset = _batches(records, numbers, read, None)

    def fill(batch):
        missing = len(rows) - tf.shape(batch["input_ids"])[0]
        shape = [len(rows), records.max_seq_length]
        return {
            name: tf.ensure_shape(tf.pad(values, [[0, missing], [0, 0]]), shape)
            for name, values in batch.items()
        }

    return dataset.map(fill)


@contextlib.contextmanager
def naming_bad_records(*sources: Records | None) -> Iterator[None]:
    """Turns tf.data's error about a bad record into the InputError it was.

    Wrap the loop that takes batches of these records:

        with naming_bad_records(records):
            for batch in batches: ...
    """
    try:
        yield
    except tf.errors.OpError:
        for records in sources:
            if records is not None and records.failure is not None:
                raise records.failure from None
        raise


def _rows(batch_size: int, first_row: int, num_rows: int | None) -> np.ndarray:
    count = batch_size - first_row if num_rows is None else num_rows
    if not 0 <= first_row < first_row + count <= batch_size:
        raise ValueError(
            f"rows must be a part of the batch of {batch_size}; received "
            f"first_row={first_row}, num_rows={num_rows}"
        )
    return np.arange(first_row, first_row + count, dtype=np.int64)


def _batches(
    records: Records,
    numbers: tf.data.Dataset,
    read: Callable[[np.ndarray], list[bytes]],
    num_rows: int | None,
) -> tf.data.Dataset:
    length = records.max_seq_length

    def load(number):
        serialized = tf.numpy_function(
            lambda n: np.array(read(n), object), [number], tf.string
        )
        serialized = tf.ensure_shape(serialized, [num_rows])
        return parse_examples(serialized, length)

    dataset = numbers.map(load, num_parallel_calls=_READERS, deterministic=True)
    return dataset.prefetch(tf.data.AUTOTUNE)


def permute(positions: np.ndarray, n: int, seed: int, epoch: int) -> np.ndarray:
    """Record numbers at the given places of one epoch's order.

    A shuffle that needs no memory, so that any worker can ask for any slice of
    any epoch. A Feistel network permutes the numbers below the next power of
    two; a result that is not below n is put through again until it is ("cycle
    walking": Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002),
    which leaves a permutation of range(n).

    `tf.random.experimental.index_shuffle` does the same, with other numbers:
    runs that began with this order could not go on with it. For few records it
    is also less even, with four rounds where these are eight: of the orders of
    four numbers, some come nearly four times as often as others.

    Args:
      positions: integers in [0, n), any shape.
      n: number of records, at least 1.
      seed: any integer; only its lowest 64 bits count.
      epoch: number of the epoch, from 0.

    Returns:
      int64, the shape of `positions`. Over all positions every number of
      range(n) comes exactly once; the order is a pure function of
      (n, seed, epoch).
    """
    if n < 1:
        raise ValueError(f"n must be at least 1; received {n}")
    flat = np.asarray(positions, np.int64).reshape(-1)
    if flat.size and not 0 <= flat.min() <= flat.max() < n:
        raise ValueError(f"positions must be in [0, {n}).")
    bits = max(_MIN_BITS, (n - 1).bit_length())
    keys = np.random.SeedSequence((seed % 2**64, epoch)).generate_state(
        _ROUNDS, np.uint64
    )
    values = _feistel(flat.astype(np.uint64), bits, keys)
    outside = np.flatnonzero(values >= n)
    while outside.size:
        walked = _feistel(values[outside], bits, keys)
        values[outside] = walked
        outside = outside[walked >= n]
    return values.astype(np.int64).reshape(np.shape(positions))


def _feistel(values: np.ndarray, bits: int, keys: np.ndarray) -> np.ndarray:
    """One pass of the network: a permutation of range(2**bits), uint64."""
    low_bits = np.uint64(bits // 2)
    low_mask = np.uint64((1 << (bits // 2)) - 1)
    high_mask = np.uint64((1 << (bits - bits // 2)) - 1)
    high, low = values >> low_bits, values & low_mask
    # The halves may differ by a bit: change them in turn, never swap them.
    for i, key in enumerate(keys):
        if i % 2 == 0:
            high = high ^ (_mix(low ^ key) & high_mask)
        else:
            low = low ^ (_mix(high ^ key) & low_mask)
    return (high << low_bits) | low


def _mix(x: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele et al., 2014); wraps modulo 2**64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
