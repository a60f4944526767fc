"""The files of one split while they are written, under temporary names."""

import abc
import contextlib
import os
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.data.records.index import IndexBuilder, RecordIndex, save_index
from electra_tf.errors import InputError
from electra_tf.files import remove_quietly

MAX_SHARDS = 500  # All are open at once.
TEMPORARY = ".tmp"


class Shards(abc.ABC):
    """The files of one split, under temporary names until `publish`.

    Args:
      folder: an existing folder.
      split: first part of the files' names.
      num_shards: how many files.

    Attributes:
      paths: their final names; each is written with `TEMPORARY` behind.
    """

    def __init__(self, folder: str, split: str, num_shards: int):
        if not 1 <= num_shards <= MAX_SHARDS:
            raise InputError(
                f"The number of shards must be from 1 to {MAX_SHARDS}. "
                f"Received: {num_shards}."
            )
        self.paths = [
            os.path.join(
                folder, f"{split}-{shard:05d}-of-{num_shards:05d}.tfrecord"
            )
            for shard in range(num_shards)
        ]
        self._index_path = os.path.join(folder, f"{split}.index.npz")
        self._index = None

    @abc.abstractmethod
    def close(self) -> RecordIndex:
        """Ends the writing; returns the index of all records."""

    def finish(self, token_counts: np.ndarray | None) -> bytes:
        """Ends the writing, writes the index; returns its digest."""
        self._index = self.close()
        save_index(self._index_path + TEMPORARY, self._index, token_counts)
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

    def publish(self) -> None:
        """Gives the files their final names."""
        for path in [*self.paths, self._index_path]:
            tf.io.gfile.rename(path + TEMPORARY, path, overwrite=True)

    def remove(self, published: bool) -> None:
        """Removes the files; those with final names only if `published`."""
        for path in [*self.paths, self._index_path]:
            remove_quietly(path + TEMPORARY)
            if published:
                remove_quietly(path)


class ShardWriter(Shards):
    """Deals records out to the shards of a split: i to i modulo their number.

    Args: as `Shards`.
    """

    def __init__(self, folder: str, split: str, num_shards: int):
        super().__init__(folder, split, num_shards)
        self._files = []
        self._builder = IndexBuilder()
        self._count = 0

    def open(self) -> None:
        """Opens all files."""
        for path in self.paths:
            self._files.append(tf.io.TFRecordWriter(path + TEMPORARY))
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

    def remove(self, published: bool) -> None:
        for file in self._files:
            with contextlib.suppress(OSError, tf.errors.OpError):
                file.close()
        super().remove(published)
