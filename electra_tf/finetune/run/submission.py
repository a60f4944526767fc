"""`submission.zip`: the test predictions of GLUE's tasks in one file."""

import io
import os
import zipfile
from collections.abc import Iterable, Mapping

import tensorflow as tf

from electra_tf.errors import require
from electra_tf.files import write_bytes
from electra_tf.finetune.tasks.glue_specs import GLUE


def write(path: str, predictions: Mapping[str, str]) -> None:
    """Writes the zip file, where there are predictions for it.

    It has no times in it: equal content, equal bytes.

    Args:
      path: of the file.
      predictions: a task's folder's name -> the folder of its best trial's
        test predictions.
    """
    files = {}
    for task, folder in predictions.items():
        if _glue_set(task) is None:
            continue
        for found in sorted(tf.io.gfile.glob(os.path.join(folder, "*"))):
            with tf.io.gfile.GFile(found, "rb") as file:
                files[os.path.basename(found)] = file.read()
    if not files:
        return
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    write_bytes(path, buffer.getvalue())


def require_own(folders: Iterable[str]) -> None:
    """Refuses two tasks that would write one file of `submission.zip`.

    Args:
      folders: names of the tasks' folders, those that are there already, too.

    Raises:
      InputError: GLUE's own files and TensorFlow Datasets' copy of a set.
    """
    owners: dict[str, str] = {}
    for folder in sorted(set(folders)):
        if name := _glue_set(folder):
            rule = (
                f"one output_dir may hold {name} once, as both of its sources "
                "predict one file of a submission (use another output_dir)"
            )
            other = owners.setdefault(name, folder)
            require(other == folder, rule, f"{other} and {folder}")


def _glue_set(folder: str) -> str | None:
    """cola of the folders cola and glue_cola (from --task=glue/cola)."""
    name = folder.removeprefix("glue_")
    return name if name in GLUE else None
