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
from electra_tf.data.records.shards import Shards
from electra_tf.data.tokenizers.tokenizer import (
    SETTINGS_NAME,
    VOCAB_NAME,
    Tokenizer,
)
from electra_tf.errors import InputError
from electra_tf.files import (
    check_path,
    locked,
    naming_write_errors,
    remove_quietly,
)


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
        self._folder = check_path("output_dir", folder)
        self._splits, self._overwrite = splits, overwrite
        self._published = self._finished = False
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with self._stack:
            self._stack.enter_context(locked(self._folder))
            if has_manifest(self._folder) and not self._overwrite:
                raise InputError(
                    "output_dir must hold no records, unless with --overwrite; "
                    f"received {self._folder!r}, where there are some: give "
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
        if self._published:
            for name in (VOCAB_NAME, SETTINGS_NAME):
                remove_quietly(os.path.join(self._folder, name))
