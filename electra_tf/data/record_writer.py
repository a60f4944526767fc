"""Writes a records folder that looks finished only when it is."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.data.manifest import (
    MANIFEST,
    has_manifest,
    read_manifest,
    write_manifest,
)
from electra_tf.data.record_index import IndexBuilder, save_index
from electra_tf.data.tokenizer import Tokenizer
from electra_tf.errors import InputError

MAX_SHARDS = 500  # All are open at once.


class RecordWriter:
    """Deals the records of each split out to its shards.

    Record i goes to shard i modulo their number. Files get temporary names;
    `finish` renames them and writes the manifest last. Use it in a `with`
    statement: when that is left by an error, the files are removed.

    Args:
      folder: made if missing.
      num_shards: {split: number of files}.
      overwrite: replace a finished folder, which else is an error.

    Raises:
      InputError: finished records are there already; a folder that cannot be
        written; too many shards. Methods raise it for a full disk.
    """

    def __init__(
        self, folder: str, num_shards: Mapping[str, int], overwrite: bool
    ):
        for count in num_shards.values():
            if not 1 <= count <= MAX_SHARDS:
                raise InputError(
                    f"The number of shards must be from 1 to {MAX_SHARDS}. "
                    f"Received: {count}."
                )
        if has_manifest(folder) and not overwrite:
            raise InputError(
                f"There are records in {folder} already: give another "
                "--output_dir, or --overwrite to replace them."
            )
        self._folder = folder
        self._is_new = not tf.io.gfile.exists(folder)
        self._index = {split: IndexBuilder() for split in num_shards}
        self._written = dict.fromkeys(num_shards, 0)
        self._names = {
            split: [
                f"{split}-{shard:05d}-of-{count:05d}.tfrecord"
                for shard in range(count)
            ]
            for split, count in num_shards.items()
        }
        self._files = {split: [] for split in num_shards}
        try:
            self._open()
        except InputError:
            self._remove()
            raise

    def __enter__(self) -> "RecordWriter":
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        self._remove()

    def write(self, split: str, record: bytes) -> None:
        """Appends one serialised example."""
        files = self._files[split]
        shard = self._written[split] % len(files)
        with self._naming():
            files[shard].write(record)
        self._index[split].add(shard, record)
        self._written[split] += 1

    def finish(
        self,
        tokenizer: Tokenizer,
        max_seq_length: int,
        token_counts: np.ndarray,
        about: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Gives the files their names, then writes index and manifest.

        Args:
          tokenizer: saved in the folder.
          max_seq_length: of every record.
          token_counts: int64 [V], of the train split.
          about: further entries of the manifest.

        Returns:
          The manifest.
        """
        with self._naming():
            for file in self._all_files():
                file.close()
        content = json.dumps([tokenizer.settings(), max_seq_length])
        fingerprint = hashlib.sha256(content.encode())
        splits = {}
        with self._naming():
            for split, names in self._names.items():
                index = self._index[split].build()
                fingerprint.update(index.digest())
                counts = token_counts if split == "train" else None
                name = f"{split}.index.npz"
                save_index(self._path(name) + ".tmp", index, counts)
                records = np.bincount(index.shard, minlength=len(names))
                splits[split] = {
                    "records": len(index),
                    "index": name,
                    "shards": [
                        {
                            "name": shard_name,
                            "records": int(records[shard]),
                            "bytes": self._index[split].size(shard),
                        }
                        for shard, shard_name in enumerate(names)
                    ],
                }
            manifest = {
                "tokenizer": tokenizer.settings(),
                "vocab_size": tokenizer.vocab_size,
                "max_seq_length": max_seq_length,
                "fingerprint": fingerprint.hexdigest(),
                **about,
                "splits": splits,
            }
            self._publish(manifest, tokenizer)
        return manifest
