"""`manifest.json`: what a finished records folder holds, written last."""

import json
import os
from typing import Any

import tensorflow as tf

from electra_tf.errors import InputError

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
    """Writes it under a temporary name, then renames it."""
    path = os.path.join(folder, MANIFEST)
    text = json.dumps({"version": VERSION, **manifest}, indent=2) + "\n"
    with tf.io.gfile.GFile(path + ".tmp", "w") as f:
        f.write(text)
    tf.io.gfile.rename(path + ".tmp", path, overwrite=True)


def has_manifest(folder: str) -> bool:
    """Whether the folder holds finished records of ours."""
    return tf.io.gfile.exists(os.path.join(folder, MANIFEST))


def read_manifest(folder: str) -> dict[str, Any]:
    """Reads and checks a folder's manifest.

    Raises:
      InputError: it is no JSON, of another version, or lacks a key.
    """
    path = os.path.join(folder, MANIFEST)
    try:
        with tf.io.gfile.GFile(path, "r") as f:
            manifest = json.loads(f.read())
    except ValueError as e:
        raise InputError(
            f"{path} is not JSON ({e}). Build the records again."
        ) from None
    wrong = [
        key
        for key, kind in _KEYS.items()
        if not isinstance(manifest, dict)
        or not isinstance(manifest.get(key), kind)
    ]
    if wrong:
        raise InputError(
            f"{path} lacks a usable {', '.join(wrong)}. "
            "Build the records again."
        )
    if manifest["version"] != VERSION:
        raise InputError(
            f"{path} has version {manifest['version']}; this release reads "
            f"{VERSION}. Build the records again."
        )
    return manifest
