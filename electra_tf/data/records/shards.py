"""The files of one split: written under temporary names, read at any place."""

import abc
import collections
import contextlib
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.data.records.format import IndexBuilder, RecordIndex, save_index
from electra_tf.errors import InputError

MAX_SHARDS = 500  # All are open at once.
_MAX_OPEN = 128


class Shards(abc.ABC):
    """The files of one split, in a folder that is theirs alone.

    Args:
      folder: of a build, see `RecordsFolder`.
      split: first part of the files' names.
      num_shards: how many files.

    Attributes:
      folder: as given.
      paths: the files.
    """

    def __init__(self, folder: str, split: str, num_shards: int):
        if not 1 <= num_shards <= MAX_SHARDS:
            raise InputError(
                f"num_shards must be from 1 to {MAX_SHARDS}; received "
                f"{num_shards}"
            )
        self.folder = folder
        self.paths = [
            os.path.join(
                folder, f"{split}-{shard:05d}-of-{num_shards:05d}.tfrecord"
            )
            for shard in range(num_shards)
        ]
        self._index_path = os.path.join(folder, f"{split}.index.npz")
        self._index: RecordIndex | None = None

    @abc.abstractmethod
    def close(self) -> RecordIndex:
        """Ends the writing; returns the index of all records."""

    def finish(self, token_counts: np.ndarray | None) -> bytes:
        """Ends the writing, writes the index; returns its digest."""
        self._index = self.close()
        save_index(self._index_path, self._index, token_counts)
        return self._index.digest()

    def describe(self) -> dict[str, Any]:
        """What the manifest says of the split, once it is finished."""
        records, sizes = self._index.shard_sizes(len(self.paths))
        return {
            "records": len(self._index),
            "index": os.path.basename(self._index_path),
            "shards": [
                {
                    "name": os.path.basename(path),
                    "records": int(records[shard]),
                    "bytes": int(sizes[shard]),
                }
                for shard, path in enumerate(self.paths)
            ],
        }


class ShardWriter(Shards):
    """Deals records out to the shards of a split: i to i modulo their number.

    Args: as `Shards`.
    """

    def __init__(self, folder: str, split: str, num_shards: int):
        super().__init__(folder, split, num_shards)
        self._files: list[tf.io.TFRecordWriter] = []
        self._builder = IndexBuilder()
        self._count = 0

    def open(self) -> None:
        """Opens all files."""
        for path in self.paths:
            self._files.append(tf.io.TFRecordWriter(path))
            # TensorFlow opens a file only at the first write otherwise.
            self._files[-1].flush()

    def write(self, record: bytes) -> None:
        """Appends one record."""
        shard = self._count % len(self._files)
        self._files[shard].write(record)
        self._builder.add(shard, record)
        self._count += 1

    def close(self) -> RecordIndex:
        for file in self._files:
            file.close()
        return self._builder.build()

    def abandon(self) -> None:
        """Closes what is open still, so that it can be removed."""
        for file in self._files:
            with contextlib.suppress(OSError, tf.errors.OpError):
                file.close()


class ShardReader:
    """Reads byte ranges; keeps the files used last open. Thread-safe.

    Args:
      paths: the files, local or of any file system that TensorFlow knows.
    """

    def __init__(self, paths: Sequence[str]):
        self.paths = tuple(paths)
        self._open: collections.OrderedDict[int, tf.io.gfile.GFile] = (
            collections.OrderedDict()
        )
        self._lock = threading.Lock()

    def read(self, shard: int, offset: int, length: int) -> bytes:
        """The range of one file; shorter if the file ends before."""
        with self._lock:
            file = self._open.pop(shard, None)
            if file is None:
                file = _open(self.paths[shard])
            self._open[shard] = file
            if len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)[1].close()
            return file.read_at(offset, length)

    def close(self) -> None:
        """Closes the files; a later read opens them again."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


class _LocalFile:
    def __init__(self, path: str):
        self._file = open(path, "rb", buffering=0)

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        self._file.close()


class _RemoteFile:
    def __init__(self, path: str):
        self._file = tf.io.gfile.GFile(path, "rb")

    def read_at(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(length)

    def close(self) -> None:
        self._file.close()


def _open(path: str) -> _LocalFile | _RemoteFile:
    # GFile costs ten times as much a read, which matters on local files only.
    return _RemoteFile(path) if "://" in path else _LocalFile(path)
