"""TFRecord files without a manifest, such as the authors' own: an index."""

import dataclasses
import functools
import os
import re
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from electra_tf.data.records.format import (
    FEATURES,
    IndexBuilder,
    RecordIndex,
    parse_ragged,
)
from electra_tf.errors import InputError

HELD_OUT_EVERY = 100
MIN_RECORDS_TO_HOLD_OUT = 200
_BATCH = 512
_SECONDS_BEFORE_BAR = 3.0


@dataclasses.dataclass(frozen=True)
class Scan:
    """What one pass over the files found.

    Attributes:
      index: places of all N records.
      held_out: bool [N], the records kept for evaluation: every hundredth,
        if there are at least 200.
      max_seq_length: the records' common length.
      token_counts: int64 [highest id + 1], how often each id stands where
        input_mask is 1 in the records that are not held out.
    """

    index: RecordIndex
    held_out: np.ndarray
    max_seq_length: int
    token_counts: np.ndarray


def natural_order(paths: Sequence[str]) -> list[str]:
    """Sorts names so that -2-of-10 comes before -10-of-10."""
    return sorted(
        paths,
        key=lambda path: [
            (0, int(part), "") if part.isdecimal() else (1, 0, part)
            for part in re.split(r"(\d+)", path)
        ],
    )


def foreign_paths(data_dir: str) -> list[str]:
    """The TFRecord files of a folder without a manifest, or of a glob.

    Raises:
      InputError: there are none.
    """
    gfile = tf.io.gfile
    try:
        if gfile.isdir(data_dir):
            paths = _authors_files(data_dir)
        else:
            # A file may have a name that reads as a glob.
            is_one = gfile.exists(data_dir)
            found = [data_dir] if is_one else gfile.glob(data_dir)
            paths = [path for path in found if not gfile.isdir(path)]
    except tf.errors.OpError:
        paths = []
    if not paths:
        raise InputError(
            "records must be a folder with manifest.json (which "
            "scripts/build_pretraining_data.py makes), one with "
            "pretrain_tfrecords/, or a glob of TFRecord files; received "
            f"{data_dir!r}, where there are none"
        )
    return natural_order(paths)


def _authors_files(folder: str) -> list[str]:
    """The files of the authors' folder, or of its subfolder with them.

    Not by a glob, which does not find a folder whose name reads as one.
    """
    inner = os.path.join(folder, "pretrain_tfrecords")
    if tf.io.gfile.isdir(inner):
        folder = inner
    return [
        os.path.join(folder, name)
        for name in tf.io.gfile.listdir(folder)
        if name.startswith("pretrain_data.tfrecord") and not name.endswith("/")
    ]


def scan_shards(paths: Sequence[str]) -> Scan:
    """Reads every record once, verifying checksums, features and lengths.

    Files that this process has scanned before, and that are unchanged, are
    not read again.

    Args:
      paths: the files; records are numbered in this order.

    Raises:
      InputError: no records; a damaged file; a record without one of the
        features, or of another length than the first (each named).
    """
    stats = [tf.io.gfile.stat(path) for path in paths]
    states = tuple((stat.length, stat.mtime_nsec) for stat in stats)
    return _scan(tuple(paths), states)


@functools.lru_cache(maxsize=4)
def _scan(paths: tuple[str, ...], states: tuple[tuple[int, int], ...]) -> Scan:
    builder = IndexBuilder()
    length = None
    counts = np.zeros((2, 0), np.int64)  # of tokens: not held out, held out
    seen = 0
    with tqdm(
        total=sum(size for size, _ in states),
        desc="indexing records",
        unit="B",
        unit_scale=True,
        delay=_SECONDS_BEFORE_BAR,
    ) as bar:
        for shard, path in enumerate(paths):
            for first, batch in _read_batches(path):
                ids, mask = _parse(batch, path, first, length)
                length = ids.shape[1]
                numbers = np.arange(seen, seen + len(batch))
                counts = _count(counts, ids, mask, _held_out(numbers))
                for record in batch:
                    builder.add(shard, record)
                seen += len(batch)
                bar.update(sum(map(len, batch)))
    if not seen:
        raise InputError(
            "TFRecords must hold an example at least; received "
            f"{len(paths)} file(s) without any, the first {paths[0]!r}"
        )
    held_out = _held_out(np.arange(seen))
    if seen < MIN_RECORDS_TO_HOLD_OUT:
        held_out[:] = False
        counts = counts.sum(0, keepdims=True)
    return Scan(builder.build(), held_out, length, counts[0])


def _held_out(numbers: np.ndarray) -> np.ndarray:
    return numbers % HELD_OUT_EVERY == HELD_OUT_EVERY - 1


def _count(
    counts: np.ndarray, ids: np.ndarray, mask: np.ndarray, held_out: np.ndarray
) -> np.ndarray:
    """Adds a batch to the counts [2, V]; V grows with the highest id."""
    size = max(counts.shape[1], int(ids.max(initial=0)) + 1)
    counts = np.pad(counts, ((0, 0), (0, size - counts.shape[1])))
    for row, chosen in enumerate((~held_out, held_out)):
        real = ids[chosen][mask[chosen] > 0]
        counts[row] += np.bincount(real, minlength=size)
    return counts


def _read_batches(path: str) -> Iterator[tuple[int, list[bytes]]]:
    """Yields (number of the first record, records)."""
    batches = tf.data.TFRecordDataset(path).batch(_BATCH).prefetch(2)
    first = 0
    try:
        for batch in batches.as_numpy_iterator():
            yield first, batch.tolist()
            first += len(batch)
    except tf.errors.OpError as e:
        bad = first
        try:
            for _ in tf.data.TFRecordDataset(path).skip(first):
                bad += 1
        except tf.errors.OpError:
            pass
        raise InputError(
            f"records files must be whole; received {path!r}, truncated or "
            f"corrupt at record {bad} ({first_line(e.message)}): build or copy "
            "it again"
        ) from None


def first_line(message: str) -> str:
    """The first line of TensorFlow's message, without names of ops."""
    line = (message or "?").splitlines()[0].split(" [Op:")[0]
    return re.sub(r"^(\{\{.*?\}\} ?)+", "", line)


def _parse(
    batch: list[bytes], path: str, first: int, length: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Checks the records; returns (input_ids, input_mask), int64 [B, L]."""
    needs = (
        f"each record must have {', '.join(FEATURES)}, int64, of one length; "
        f"received {path!r}"
    )
    try:
        features = parse_ragged(tf.constant(batch))
    except tf.errors.OpError as e:
        raise InputError(
            f"{needs}, where a record from number {first} on is another "
            f"({first_line(e.message)})"
        ) from None
    if length is None:
        length = int(features[FEATURES[0]].row_lengths()[0])
    for name in FEATURES:
        lengths = features[name].row_lengths().numpy()
        wrong = np.flatnonzero((lengths != length) | (lengths == 0))
        if wrong.size:
            row = int(wrong[0])
            found = f"with {lengths[row]} values of {name}, not {length}"
            if not lengths[row]:
                found = f"without {name}"
            raise InputError(f"{needs}, record {first + row} {found}")
    ids, mask = (
        features[name].values.numpy().reshape(len(batch), length)
        for name in FEATURES[:2]
    )
    if ids.min() < 0:
        raise InputError(
            f"token ids must not be negative; received {ids.min()} in {path!r}"
        )
    return ids, mask
