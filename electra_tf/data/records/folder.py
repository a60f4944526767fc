"""A records folder that looks finished only when it is."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.data.records.packer import Packed
from electra_tf.data.records.shards import Shards, ShardWriter
from electra_tf.data.tokenizers import SETTINGS_NAME, Tokenizer
from electra_tf.errors import InputError
from electra_tf.files import (
    check_path,
    locked,
    naming_write_errors,
    read_json,
    remove_quietly,
    write_text,
)

MANIFEST = "manifest.json"
VERSION = 1
_KEYS = {
    "version": int,
    "tokenizer": dict,
    "vocab_size": int,
    "max_seq_length": int,
    "fingerprint": str,
    "splits": dict,
}


def write_manifest(folder: str, manifest: dict[str, Any]) -> None:
    """Writes it whole or not at all."""
    text = json.dumps({"version": VERSION, **manifest}, indent=2) + "\n"
    write_text(os.path.join(folder, MANIFEST), text)


def has_manifest(folder: str) -> bool:
    """Whether the folder holds finished records of ours."""
    return tf.io.gfile.exists(os.path.join(folder, MANIFEST))


def read_manifest(folder: str) -> dict[str, Any]:
    """Reads and checks a folder's manifest.

    Raises:
      InputError: it is no JSON, of another version, or lacks a key.
    """
    path = os.path.join(folder, MANIFEST)
    manifest = read_json(path, "build the records again")
    wrong = [
        key
        for key, kind in _KEYS.items()
        if not isinstance(manifest.get(key), kind)
    ]
    if wrong:
        raise InputError(
            f"{path!r} must have a usable {', '.join(wrong)}; received none: "
            "build the records again"
        )
    if manifest["version"] != VERSION:
        raise InputError(
            f"{path!r} must have version {VERSION}, which this release reads; "
            f"received {manifest['version']}: build the records again"
        )
    return manifest


class RecordsFolder:
    """Makes a folder of shards that lie there under temporary names.

    Use it in a `with` statement: when that is left without `finish`, the
    files are removed.

    Args:
      folder: made if missing.
      splits: the shards of each split.
      overwrite: replace a finished folder, which is an error otherwise. The
        old records stay until the new ones are complete.

    Raises:
      InputError: finished records are there already; a folder that cannot be
        made. `finish` raises it for a full disk.
    """

    def __init__(
        self, folder: str, splits: Mapping[str, Shards], overwrite: bool
    ):
        self.path = check_path("output_dir", folder)
        self._splits, self._overwrite = splits, overwrite
        self._published = self._finished = False
        self._tokenizer_files: Sequence[str] = ()
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with self._stack:
            self._stack.enter_context(locked(self.path))
            if has_manifest(self.path) and not self._overwrite:
                raise InputError(
                    "output_dir must hold no records, unless with --overwrite; "
                    f"received {self.path!r}, where there are some: give "
                    "another one"
                )
            self._stack.callback(self._remove)
            self._open()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        self._stack.close()

    def _open(self) -> None:
        """What is to be done once the folder is there."""

    def finish(
        self,
        tokenizer: Tokenizer,
        max_seq_length: int,
        token_counts: np.ndarray,
        about: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Gives the files their names, and writes the manifest last.

        Args:
          tokenizer: saved in the folder.
          max_seq_length: of every record.
          token_counts: int64 [V], of the train split.
          about: further entries of the manifest.

        Returns:
          The manifest.
        """
        settings = tokenizer.settings()
        content = json.dumps([settings, max_seq_length], sort_keys=True)
        fingerprint = hashlib.sha256(content.encode())
        with naming_write_errors(self.path):
            for split, shards in self._splits.items():
                counts = token_counts if split == "train" else None
                fingerprint.update(shards.finish(counts))
            manifest = {
                "tokenizer": settings,
                "vocab_size": tokenizer.vocab_size,
                "max_seq_length": max_seq_length,
                "fingerprint": fingerprint.hexdigest(),
                **about,
                "splits": {
                    split: shards.describe()
                    for split, shards in self._splits.items()
                },
            }
            self._remove_old()
            self._published = True
            self._tokenizer_files = (tokenizer.file_name, SETTINGS_NAME)
            tokenizer.save(self.path)
            for shards in self._splits.values():
                shards.publish()
            write_manifest(self.path, manifest)
        self._finished = True
        return manifest

    def _remove_old(self) -> None:
        """Removes the records that --overwrite replaces, manifest first."""
        if not has_manifest(self.path):
            return
        old = []
        with contextlib.suppress(InputError):
            for split in read_manifest(self.path)["splits"].values():
                old += [shard["name"] for shard in split["shards"]]
                old.append(split["index"])
        tf.io.gfile.remove(os.path.join(self.path, MANIFEST))
        for name in old:
            path = os.path.join(self.path, os.path.basename(name))
            if tf.io.gfile.exists(path):
                tf.io.gfile.remove(path)

    def _remove(self) -> None:
        """Leaves nothing behind, unless `finish` got to its end."""
        if self._finished:
            return
        for shards in self._splits.values():
            shards.remove(self._published)
        if self._published:
            for name in self._tokenizer_files:
                remove_quietly(os.path.join(self.path, name))


class RecordWriter(RecordsFolder):
    """Collects records under temporary names; `finish` makes them a folder.

    Args:
      folder: made if missing.
      num_shards: {split: number of files}.
      overwrite: as for `RecordsFolder`.

    Raises:
      InputError: as for `RecordsFolder`; too many shards. The methods raise
        it for a full disk.
    """

    def __init__(
        self, folder: str, num_shards: Mapping[str, int], overwrite: bool
    ):
        splits = {
            split: ShardWriter(folder, split, count)
            for split, count in num_shards.items()
        }
        super().__init__(folder, splits, overwrite)
        self._writers = splits

    def _open(self) -> None:
        with naming_write_errors(self.path):
            for shards in self._writers.values():
                shards.open()

    def write(self, packed: Packed) -> None:
        """Appends the records of some documents."""
        with naming_write_errors(self.path):
            for split, shards in self._writers.items():
                for record in getattr(packed, split):
                    shards.write(record)
