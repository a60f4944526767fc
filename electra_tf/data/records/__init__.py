"""Records as numbered examples: ours, or TFRecords of the authors' builder."""

import hashlib
import os
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.data.records.format import (
    RecordIndex,
    load_index,
    parse_examples,
)
from electra_tf.data.records.manifest import (
    folder_of,
    has_manifest,
    index_path,
    read_manifest,
)
from electra_tf.data.records.scan import first_line, foreign_paths, scan_shards
from electra_tf.data.records.shards import ShardReader
from electra_tf.errors import InputError

SPLITS = ("train", "eval")
_BATCH = 1024


class Records:
    """The examples of one split, readable in any order.

    Args:
      paths: the TFRecord files that `index` numbers.
      index: places and checksums of the records.
      max_seq_length: length of each feature.
      fingerprint: hash of everything the folder's records hold.
      token_counts: int64 [V], how often each id stands in the train split.
      manifest: the folder's manifest, None where there is none.

    Attributes:
      num_records: how many there are.
      failure: the InputError that `read` raised, if it did. Code that runs
        inside tf.data cannot raise it, see `batches.naming_bad_records`.
    """

    def __init__(
        self,
        paths: Sequence[str],
        index: RecordIndex,
        max_seq_length: int,
        fingerprint: str,
        token_counts: np.ndarray | None = None,
        manifest: dict[str, Any] | None = None,
    ):
        self._index = index
        self._reader = ShardReader(paths)
        self.num_records = len(index)
        self.max_seq_length = max_seq_length
        self.fingerprint = fingerprint
        self.token_counts = token_counts
        self.manifest = manifest
        self.failure: InputError | None = None

    @property
    def stats(self) -> dict[str, float]:
        """The manifest's counts of documents, examples and tokens, or {}."""
        return (self.manifest or {}).get("stats", {})

    def read(self, numbers: np.ndarray) -> list[bytes]:
        """Serialised `tf.train.Example`s of the given numbers, in order.

        Args:
          numbers: int64 [B], each in [0, num_records).

        Raises:
          InputError: a shard is missing, truncated or corrupt (named).
        """
        try:
            return self._read(np.asarray(numbers, np.int64))
        except InputError as e:
            self.failure = e
            raise

    def _read(self, numbers: np.ndarray) -> list[bytes]:
        rows = self._index.take(numbers)
        examples = []
        for number, shard, offset, length, crc in zip(
            numbers.tolist(),
            rows.shard.tolist(),
            rows.offset.tolist(),
            rows.length.tolist(),
            rows.crc.tolist(),
            strict=True,
        ):
            try:
                example = self._reader.read(shard, offset, length)
            except (OSError, tf.errors.OpError) as e:
                reason = first_line(getattr(e, "message", None) or str(e))
                self._fail(shard, number, f"cannot be read ({reason})")
            if len(example) < length:
                self._fail(shard, number, "is truncated")
            if zlib.crc32(example) != crc:
                self._fail(shard, number, "is corrupt (checksum differs)")
            examples.append(example)
        return examples

    def path_of(self, number: int) -> str:
        """The file that holds a record."""
        return self._reader.paths[int(self._index.shard[number])]

    def _fail(self, shard: int, number: int, what: str) -> None:
        raise InputError(
            f"records files must be whole; received "
            f"{self._reader.paths[shard]!r}, of which record {number} of the "
            f"split {what}: build or copy it again"
        )

    def close(self) -> None:
        """Closes the files; reading opens them again."""
        self._reader.close()


def open_records(
    data_dir: str, split: str, max_seq_length: int | None = None
) -> Records | None:
    """Opens one split of a records folder.

    Args:
      data_dir: a folder that build_records made; a glob of TFRecord files
        (or one file); or a folder as the authors' builder leaves it, with
        `pretrain_tfrecords/`. Files without a manifest are indexed in one
        pass, and every hundredth record is the eval split if there are at
        least 200.
      split: "train" or "eval".
      max_seq_length: what the records must have; None takes them as they are.

    Returns:
      The records, or None for an eval split that is empty.

    Raises:
      InputError: nothing there, a damaged file, another max_seq_length.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}; received {split!r}")
    data_dir = os.fspath(data_dir)
    open_split = _open_ours if has_manifest(data_dir) else _open_foreign
    records = open_split(data_dir, split)
    if max_seq_length not in (None, records.max_seq_length):
        raise InputError(
            f"max_seq_length must be {records.max_seq_length}, as the records "
            f"in {data_dir!r} have it; received {max_seq_length}: set it, or "
            "build other records"
        )
    if not records.num_records:
        if split == "eval":
            return None
        raise InputError(
            f"records must have a train split; received none in {data_dir!r}"
        )
    return records


def _open_ours(folder: str, split: str) -> Records:
    manifest = read_manifest(folder)
    folder = folder_of(folder, manifest)
    _, token_counts = load_index(index_path(folder, manifest, "train"))
    index, _ = load_index(index_path(folder, manifest, split))
    shards = manifest["splits"][split]["shards"]
    paths = [os.path.join(folder, shard["name"]) for shard in shards]
    for path, shard in zip(paths, shards, strict=True):
        _check_size(path, shard["bytes"])
    if len(index) != sum(shard["records"] for shard in shards):
        raise InputError(
            f"index and manifest must agree; received {folder!r}, where they "
            f"tell different numbers of {split} records: build them again"
        )
    return Records(
        paths,
        index,
        manifest["max_seq_length"],
        manifest["fingerprint"],
        token_counts,
        manifest,
    )


def _check_size(path: str, expected: int) -> None:
    try:
        size = tf.io.gfile.stat(path).length
    except tf.errors.OpError:
        raise InputError(
            f"records files must be there; received no {path!r}: copy it again"
        ) from None
    if size != expected:
        what = "truncated" if size < expected else "corrupt"
        raise InputError(
            f"{path!r} must have {expected} bytes, as its manifest says; "
            f"received {size}, so it is {what}: build or copy it again"
        )


def _open_foreign(data_dir: str, split: str) -> Records:
    paths = foreign_paths(data_dir)
    scan = scan_shards(paths)
    chosen = scan.held_out if split == "eval" else ~scan.held_out
    content = hashlib.sha256(scan.index.digest())
    content.update(str(scan.max_seq_length).encode())
    return Records(
        paths,
        scan.index.take(np.flatnonzero(chosen)),
        scan.max_seq_length,
        content.hexdigest(),
        scan.token_counts,
    )


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
            f"records must be examples of length {records.max_seq_length}; "
            f"received others in {records.path_of(numbers[0])!r}, or another "
            f"file with records {numbers[0]} to {numbers[-1]} "
            f"({first_line(e.message)})"
        ) from None
    highest = np.max(features["input_ids"], axis=1)
    vocab_size = len(records.token_counts)
    if highest.max() >= vocab_size:
        number = numbers[int(np.argmax(highest))]
        raise InputError(
            f"token ids must be below the vocabulary's {vocab_size}; received "
            f"{highest.max()} in {records.path_of(number)!r}, record {number}"
        )
