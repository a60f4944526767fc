"""The manifest: what a records folder holds, and where in it."""

import contextlib
import json
import os
import re
from typing import Any

import tensorflow as tf

from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError
from electra_tf.files import read_json, write_text

MANIFEST = "manifest.json"
VERSION = 1
# The subfolder with the files, where they are not beside the manifest.
FOLDER = "folder"
BUILD = re.compile(r"records-[0-9a-f]{8}")
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
    if FOLDER in manifest and not BUILD.fullmatch(str(manifest[FOLDER])):
        wrong.append(FOLDER)
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


def folder_of(folder: str, manifest: dict[str, Any]) -> str:
    """Where the files are that a folder's manifest names."""
    return os.path.join(folder, manifest.get(FOLDER, ""))


def names_of(manifest: dict[str, Any]) -> list[str]:
    """The files that a manifest names: shards and indexes.

    Raises:
      InputError: it names none.
    """
    names = []
    try:
        for split in manifest["splits"].values():
            names += [shard["name"] for shard in split["shards"]]
            names.append(split["index"])
        return [os.path.basename(name) for name in names]
    except (KeyError, TypeError) as error:
        raise InputError(
            "a manifest must name shards and index of each split; received "
            f"one without {error}: build the records again"
        ) from None


def undamaged_manifest(folder: str) -> dict[str, Any]:
    """A folder's manifest; empty where it is missing or damaged."""
    with contextlib.suppress(InputError):
        if has_manifest(folder):
            manifest = read_manifest(folder)
            names_of(manifest)
            return manifest
    return {}


def index_path(folder: str, manifest: dict[str, Any], split: str) -> str:
    """A split's index.

    Args:
      folder: of `folder_of`.
      manifest: the folder's.
      split: its name.

    Raises:
      InputError: the manifest tells of no such split.
    """
    try:
        return os.path.join(folder, manifest["splits"][split]["index"])
    except KeyError:
        raise InputError(
            f"a manifest must tell of each split; received that of {folder!r} "
            f"without {split!r}: build the records again"
        ) from None


def tokenizer_of(folder: str) -> Tokenizer:
    """The tokenizer that a folder's records were made with.

    Raises:
      InputError: it or the manifest is missing or damaged.
    """
    return Tokenizer.from_folder(folder_of(folder, read_manifest(folder)))
