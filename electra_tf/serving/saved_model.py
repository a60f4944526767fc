"""Writing a SavedModel whole or not at all."""

import os
from collections.abc import Callable
from typing import Protocol

import tensorflow as tf

from electra_tf.data.tokenizer import VOCAB_NAME, Tokenizer
from electra_tf.data.vocab_file import save_vocab
from electra_tf.errors import InputError


class Servable(Protocol):
    """A tf.Module that says which of its functions are signatures."""

    def signatures(self) -> dict[str, tf.types.experimental.GenericFunction]:
        """Signature name -> function."""


def write_saved_model(
    make: Callable[[str], Servable], tokenizer: Tokenizer, path: str
) -> list[str]:
    """Saves `make(vocab_file)`; returns the names of its signatures.

    Args:
      make: a module with the vocabulary, an asset, at the file it is given.
      tokenizer: gives the vocabulary.
      path: a folder that does not exist yet.

    Raises:
      InputError: the folder is there already, or cannot be written.
    """
    if tf.io.gfile.exists(path):
        raise InputError(f"output_dir must not exist yet; received {path!r}")
    partial = path.rstrip("/") + ".partial"
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
