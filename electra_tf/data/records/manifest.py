"""`manifest.json`: what a finished records folder holds, written last."""

import json
import os
from typing import Any

import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.files import read_json, write_text

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
    write_text(path, text)


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
