"""A records folder that looks finished only when it is."""

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from electra_tf.data.records.manifest import (
    BUILD,
    FOLDER,
    MANIFEST,
    folder_of,
    has_manifest,
    names_of,
    read_manifest,
    undamaged_manifest,
    write_manifest,
)
from electra_tf.data.records.packer import Packed
from electra_tf.data.records.shards import Shards, ShardWriter
from electra_tf.data.tokenizers import SETTINGS_NAME, Tokenizer
from electra_tf.errors import InputError
from electra_tf.files import (
    check_path,
    naming_write_errors,
    read_bytes,
    remove_quietly,
    write_text,
)
from electra_tf.locks import locked

# In a build's folder, names in the folder above, a line each.
_MOVING = "moving"  # of its files, which it moves up
_REPLACED = "replaced"  # of the files that count no longer once it does


def new_build(folder: str) -> str:
    """Where a build of `folder` is to write its files."""
    return os.path.join(folder, f"records-{uuid.uuid4().hex[:8]}")


class RecordsFolder:
    """Makes records in a folder where the old ones stand until that is done.

    A build writes into a folder of its own below this one. In the end its
    files move up, or stay there if one of their names is taken: by records
    that are replaced, or by a file of the user's. The manifest says where
    they are and is the switch, so that whatever happens before, and be it a
    kill, what stood there stands there still.

    Use it in a `with` statement: when that is left without `finish`, the
    build's files are removed, and no others.

    Args:
      folder: made if missing.
      splits: the shards of each split, all in one `new_build(folder)`.
      overwrite: replace a finished folder, which is an error otherwise.

    Raises:
      InputError: finished records are there already; a folder that cannot be
        made. `finish` raises it for a full disk.
    """

    def __init__(
        self, folder: str, splits: Mapping[str, Shards], overwrite: bool
    ):
        self.path = check_path("output_dir", folder)
        self._splits, self._overwrite = splits, overwrite
        [self._build] = {shards.folder for shards in splits.values()}
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with self._stack:
            lock = self._stack.enter_context(locked(self.path))
            if has_manifest(self.path) and not self._overwrite:
                raise InputError(
                    "output_dir must hold no records, unless with --overwrite; "
                    f"received {self.path!r}, where there are some: give "
                    "another one"
                )
            if lock is not None:  # otherwise they may be of one at work
                for name in filter(BUILD.fullmatch, os.listdir(self.path)):
                    self._clear(self._file(name))
            self._stack.callback(self._clear, self._build)
            with naming_write_errors(self.path):
                tf.io.gfile.makedirs(self._build)
                self._open()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        self._stack.close()

    def _open(self) -> None:
        """What is to be done once the build's folder is there."""

    def finish(
        self,
        tokenizer: Tokenizer,
        max_seq_length: int,
        token_counts: np.ndarray,
        about: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Puts the files in their place, and writes the manifest last.

        Args:
          tokenizer: saved with the records.
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
            tokenizer.save(self._build)
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
            old = undamaged_manifest(self.path)
            manifest |= self._move_up(manifest, tokenizer)
            if old and FOLDER not in old:
                self._list(_REPLACED, names_of(old))
            write_manifest(self.path, manifest)
        if FOLDER in old:
            remove_quietly(folder_of(self.path, old))
        self._renew(tokenizer)
        return manifest

    def _move_up(
        self, manifest: dict[str, Any], tokenizer: Tokenizer
    ) -> dict[str, str]:
        """Moves the files up if they can; what the manifest says of it."""
        vocabulary = (SETTINGS_NAME, tokenizer.file_name)
        # The user's vocabulary may stand there already.
        names = names_of(manifest)
        names += [name for name in vocabulary if not self._has_same(name)]
        paths = [self._file(name) for name in (MANIFEST, *names)]
        if any(map(tf.io.gfile.exists, paths)):
            return {FOLDER: os.path.basename(self._build)}
        self._list(_MOVING, names)
        for name in names:
            source = os.path.join(self._build, name)
            tf.io.gfile.rename(source, self._file(name))
        return {}

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)

    def _has_same(self, name: str) -> bool:
        """Whether a file of the build stands in the folder already."""
        path = self._file(name)
        if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
            return False
        return read_bytes(path) == read_bytes(os.path.join(self._build, name))

    def _list(self, kind: str, names: Sequence[str]) -> None:
        write_text(os.path.join(self._build, kind), "\n".join(names))

    def _renew(self, tokenizer: Tokenizer) -> None:
        """Brings the tokenizer beside the manifest up to date, for people.

        The records' own may be in the subfolder.
        """
        if tf.io.gfile.exists(self._file(SETTINGS_NAME)):
            try:
                tokenizer.save(self.path)
            except InputError as error:
                logging.warning("The records are whole, but: %s", error)

    def _clear(self, build: str) -> None:
        """Removes a build's folder, unless the manifest says that it counts.

        With it goes what it had moved up; if it counts, what it replaced.
        """
        counts = False
        if has_manifest(self.path):
            try:
                counts = folder_of(self.path, read_manifest(self.path)) == build
            except InputError:
                if build != self._build:
                    return  # It may be what the damaged manifest named.
        else:
            for name in _listed(os.path.join(build, _MOVING)):
                if not tf.io.gfile.exists(os.path.join(build, name)):
                    remove_quietly(self._file(name))
        if not counts:
            remove_quietly(build)
            return
        replaced = os.path.join(build, _REPLACED)
        for name in _listed(replaced):
            remove_quietly(self._file(name))
        remove_quietly(replaced)


def _listed(path: str) -> list[str]:
    is_there = tf.io.gfile.exists(path)
    return read_bytes(path).decode().splitlines() if is_there else []


class RecordWriter(RecordsFolder):
    """Collects records in a folder of its own; `finish` makes them count.

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
        build = new_build(folder)
        splits = {
            split: ShardWriter(build, split, count)
            for split, count in num_shards.items()
        }
        super().__init__(folder, splits, overwrite)
        self._writers = splits

    def _open(self) -> None:
        for shards in self._writers.values():
            self._stack.callback(shards.abandon)
            shards.open()

    def write(self, packed: Packed) -> None:
        """Appends the records of some documents."""
        with naming_write_errors(self.path):
            for split, shards in self._writers.items():
                for record in getattr(packed, split):
                    shards.write(record)
