"""The best trial's model.keras: room for it, and how it is written.

Keras writes local files only, and not in one go: beside the file, or for a
remote path in a temporary folder, which may lie on another disk.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from electra_tf.errors import require
from electra_tf.files import naming_write_errors, replacing

MODEL, LORA = "model.keras", "lora.safetensors"


def require_room(folder: str, weights: Sequence[np.ndarray]) -> None:
    """Refuses a folder too full for a model: its weights, Adam's moments.

    Args:
      folder: of the models; is there.
      weights: of the encoder; the head's are few.

    Raises:
      InputError: there is no room, or no temporary folder.
    """
    place = _place(folder)
    free = shutil.disk_usage(place).free
    needed = 3 * sum(array.nbytes for array in weights)
    rule = (
        f"{place!r} must have room for a model of {needed / 1e6:.1f} MB (free "
        "some space there, give another folder, or --nosave_model)"
    )
    require(free >= needed, rule, f"{free / 1e6:.1f} MB")


def save(model: keras.Model, path: str, trial_folder: str) -> None:
    """Writes a model whole or not at all.

    Args:
      model: what to save.
      path: of the file.
      trial_folder: where Keras writes it first; what a kill leaves there
        goes when the trial is run again.

    Raises:
      InputError: it cannot be written.
    """
    place = _place(trial_folder)
    with (
        naming_write_errors(place),
        tempfile.TemporaryDirectory(dir=place) as folder,
    ):
        local = os.path.join(folder, MODEL)
        model.save(local)
        with replacing(path) as temporary:
            if place == trial_folder:
                os.replace(local, temporary)
            else:
                tf.io.gfile.copy(local, temporary)


def _place(folder: str) -> str:
    if "://" not in folder:
        return folder
    with naming_write_errors(os.environ.get("TMPDIR", "/tmp")):
        return tempfile.gettempdir()
