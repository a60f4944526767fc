"""Reads every record of a folder, to find what is damaged or does not fit."""

import numpy as np
import tensorflow as tf

from electra_tf.data.records.example_format import parse_examples
from electra_tf.data.records.records import SPLITS, Records, open_records
from electra_tf.errors import InputError

_BATCH = 1024


def verify_records(data_dir: str) -> dict[str, int]:
    """Checks the checksum, lengths and ids of each record.

    Args:
      data_dir: as for `open_records`.

    Returns:
      {split: number of records}.

    Raises:
      InputError: the first thing that is wrong, with the file's name.
    """
    counts = {}
    for split in SPLITS:
        records = open_records(data_dir, split)
        counts[split] = records.num_records if records else 0
        for first in range(0, counts[split], _BATCH):
            last = min(first + _BATCH, counts[split])
            _verify(records, np.arange(first, last))
    return counts


def _verify(records: Records, numbers: np.ndarray) -> None:
    serialized = tf.constant(records.read(numbers))
    try:
        features = parse_examples(serialized, records.max_seq_length)
    except tf.errors.OpError as e:
        raise InputError(
            f"Not examples of length {records.max_seq_length}: "
            f"{records.path_of(numbers[0])} or another file with records "
            f"{numbers[0]} to {numbers[-1]} ({e.message.splitlines()[0]})."
        ) from None
    highest = np.max(features["input_ids"], axis=1)
    vocab_size = len(records.token_counts)
    if highest.max() >= vocab_size:
        number = numbers[int(np.argmax(highest))]
        raise InputError(
            f"Token ids must be below the vocabulary's {vocab_size}. Received "
            f"{highest.max()} in {records.path_of(number)}, record {number}."
        )
