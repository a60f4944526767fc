"""A records folder that looks finished only when it is."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.data.records.manifest import (
    MANIFEST,
    has_manifest,
    read_manifest,
    write_manifest,
)
from electra_tf.data.records.shards import (
    TEMPORARY,
    Shards,
    naming_write_errors,
    remove_quietly,
)
from electra_tf.data.tokenizers.tokenizer import (
    SETTINGS_NAME,
    VOCAB_NAME,
    Tokenizer,
)
from electra_tf.errors import InputError


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
        if has_manifest(folder) and not overwrite:
            raise InputError(
                f"There are records in {folder} already: give another "
                "--output_dir, or --overwrite to replace them."
            )
        self._folder = folder
        self._splits = splits
        self._published = self._finished = False
        self._is_new = not tf.io.gfile.exists(folder)
        with naming_write_errors(folder):
            tf.io.gfile.makedirs(folder)

    def __enter__(self):
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        self._remove()

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
        with naming_write_errors(self._folder):
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
            tokenizer.save(self._folder)
            for shards in self._splits.values():
                shards.publish()
            write_manifest(self._folder, manifest)
        self._finished = True
        return manifest

    def _remove_old(self) -> None:
        """Removes the records that --overwrite replaces, manifest first."""
        if not has_manifest(self._folder):
            return
        old = []
        with contextlib.suppress(InputError):
            for split in read_manifest(self._folder)["splits"].values():
                old += [shard["name"] for shard in split["shards"]]
                old.append(split["index"])
        tf.io.gfile.remove(os.path.join(self._folder, MANIFEST))
        for name in old:
            path = os.path.join(self._folder, os.path.basename(name))
            if tf.io.gfile.exists(path):
                tf.io.gfile.remove(path)

    def _remove(self) -> None:
        """Leaves nothing behind, unless `finish` got to its end."""
        if self._finished:
            return
        for shards in self._splits.values():
            shards.remove(self._published)
        names = [MANIFEST + TEMPORARY]
        if self._published:
            names += [VOCAB_NAME, SETTINGS_NAME, SETTINGS_NAME + TEMPORARY]
        for name in names:
            remove_quietly(os.path.join(self._folder, name))
        with contextlib.suppress(OSError, tf.errors.OpError):
            if self._is_new and not tf.io.gfile.listdir(self._folder):
                tf.io.gfile.rmtree(self._folder)
