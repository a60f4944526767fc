"""Fine-tuning; `load_model` opens what was fine-tuned and saved."""

import os

import keras
import tensorflow as tf

from electra_tf.errors import InputError, require

_LONGEST_REASON = 300


def load_model(
    path: str | os.PathLike, compile: bool = True, safe_mode: bool = True
) -> keras.Model:
    """The model that `model.save(path)` wrote.

    Args:
      path: a .keras file.
      compile: False leaves optimizer, loss and metrics out.
      safe_mode: False allows a file to run code of its own, which one with a
        `SavedModelEncoder` needs.

    Raises:
      InputError: no such file, or none that can be loaded.
    """
    path = os.fspath(path)
    rule = "a fine-tuned model must be a .keras file that is there"
    is_file = tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)
    require(is_file and path.endswith(".keras"), rule, path)
    try:
        return keras.models.load_model(
            path, compile=compile, safe_mode=safe_mode
        )
    # Of a damaged archive, too: KeyError, BadZipFile, ...
    except Exception as error:
        # Keras goes on with the whole configuration, thousands of characters.
        reason = str(error).partition("Full object config")[0].strip()
        reason = " ".join(reason.split())[:_LONGEST_REASON]
        raise InputError(
            f"{rule}; received {path!r}, which Keras cannot load "
            f"({type(error).__name__}: {reason}): import its own classes "
            "first, or save it again"
        ) from error
