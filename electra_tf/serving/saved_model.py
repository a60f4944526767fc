"""Writing a SavedModel whole or not at all."""

import os
from collections.abc import Callable
from typing import Protocol

import tensorflow as tf

from electra_tf.data.tokenizers.tokenizer import VOCAB_NAME, Tokenizer
from electra_tf.data.tokenizers.vocab_file import save_vocab
from electra_tf.errors import InputError
from electra_tf.serving.portable_ops import check_ops
from electra_tf.serving.warmup import wants_warmup, write_warmup


class Servable(Protocol):
    """A tf.Module that says which of its functions are signatures.

    Attributes:
      max_length: the most ids of a row.
    """

    max_length: int

    def signatures(self) -> dict[str, tf.types.experimental.GenericFunction]:
        """Signature name -> function."""


def next_version(base_path: str) -> str:
    """Folder of the next version: `base_path`/1, or one above the highest.

    TensorFlow Serving serves the highest number below a model's base path.
    """
    numbers = [0]
    if tf.io.gfile.isdir(base_path):
        names = (n.rstrip("/") for n in tf.io.gfile.listdir(base_path))
        numbers += [int(n) for n in names if n.isascii() and n.isdigit()]
    return os.path.join(base_path, str(max(numbers) + 1))


def write_saved_model(
    make: Callable[[str], Servable],
    tokenizer: Tokenizer,
    path: str,
    warmup: bool | None = None,
) -> list[str]:
    """Saves `make(vocab_file)`; returns the names of its signatures.

    All is written beside the model's base path and put in its place by one
    renaming, so that a server that polls never sees a part of a version.

    Args:
      make: a module with the vocabulary, an asset, at the file it is given.
      tokenizer: gives the vocabulary.
      path: a folder that does not exist yet.
      warmup: whether to write warm-up requests with the model's answers;
        None: where tensorflow-serving-api is installed.

    Raises:
      InputError: the folder is there already, or cannot be written; an op
        that TensorFlow Serving lacks; warm-up requests cannot be written.
    """
    path = path.rstrip("/")
    if tf.io.gfile.exists(path):
        raise InputError(f"output_dir must not exist yet; received {path!r}")
    parent, name = os.path.split(path)
    base_path = parent if name.isdigit() else path
    partial = base_path + ".partial"
    warmup = wants_warmup(warmup)
    try:
        if tf.io.gfile.exists(partial):
            tf.io.gfile.rmtree(partial)
        vocab_file = os.path.join(partial, VOCAB_NAME)
        tf.io.gfile.makedirs(partial)
        save_vocab(tokenizer.vocab, vocab_file)
        module = make(vocab_file)
        signatures = module.signatures()
        whole = os.path.join(partial, "model")
        tf.saved_model.save(module, whole, signatures=signatures)
        check_ops(whole)
        if warmup:
            model_name = os.path.basename(base_path)
            write_warmup(signatures, whole, model_name, module.max_length)
        if parent:
            tf.io.gfile.makedirs(parent)
        tf.io.gfile.rename(whole, path)
    except (tf.errors.OpError, OSError) as error:
        raise InputError(
            f"cannot write a SavedModel to {path!r}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    finally:
        if tf.io.gfile.exists(partial):
            tf.io.gfile.rmtree(partial)
    return list(signatures)
