"""Saving and restoring a run: everything that its next step depends on."""

import contextlib
import os
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.files import (
    check_path,
    make_folder,
    remove_quietly,
    write_bytes,
)
from electra_tf.pretraining.pretrainer import Pretrainer
from electra_tf.training.loss_scaling import LOSS_SCALE, LossScaled

FOLDER = "checkpoints"
_POINTER = "checkpoint"
# There while the first checkpoint is saved, which nothing names before it is.
_UNNAMED = "checkpoint.tmp_first"


class Checkpoints:
    """The checkpoints of a run, by variable name.

    Model, optimizer (its iterations are the step, and the step is the data
    position), metric sums since the last log line, and the seed. A kill
    while saving leaves the checkpoint before usable: the file that names the
    latest one is replaced only after it is whole. The state of a loss scale
    is kept where there is one, and starts anew where precision has changed.

    Args:
      model_dir: the run's folder.
      pretrainer: compiled, its optimizer built.
      keep: how many to keep.
    """

    def __init__(self, model_dir: str, pretrainer: Pretrainer, keep: int):
        self.model_dir, self.pretrainer = model_dir, pretrainer
        self.checkpoint = tf.train.Checkpoint(
            model=_by_path(pretrainer.trainable_variables),
            optimizer=_by_path(pretrainer.optimizer.variables),
            metrics={
                str(number): variable.value
                for number, variable in enumerate(pretrainer.measures.variables)
            },
            seed=tf.Variable(pretrainer.seed, dtype=tf.int64),
        )
        # Made now: under a strategy all workers make a variable together, and
        # the chief alone saves.
        _ = self.checkpoint.save_counter
        folder = os.path.join(model_dir, FOLDER)
        with _naming_damage(folder):
            self.manager = tf.train.CheckpointManager(
                self.checkpoint,
                folder,
                max_to_keep=keep,
                checkpoint_name="step",
            )

    def restore(self) -> bool:
        """Restores the latest checkpoint; False where there is none."""
        latest = latest_checkpoint(self.model_dir)
        if latest is None:
            return False
        with _naming_damage(latest):
            status = self.checkpoint.restore(latest)
            if self._has_other_precision(latest):
                status.expect_partial()
            else:
                status.assert_consumed()
        return True

    def _has_other_precision(self, latest: str) -> bool:
        ours = isinstance(self.pretrainer.optimizer, LossScaled)
        names, _ = open_checkpoint(latest)
        return ours != any(LOSS_SCALE in name for name in names)

    def save(self, step: int) -> str:
        """Saves; returns the checkpoint's path.

        Raises:
          InputError: the disk is full or not writable; the checkpoints
            before this one are still whole.
        """
        mark = os.path.join(self.manager.directory, _UNNAMED)
        try:
            if not self.manager.latest_checkpoint:
                make_folder(self.manager.directory)
                write_bytes(mark, b"")
            path = self.manager.save(checkpoint_number=step)
            remove_quietly(mark)
            return path
        except (tf.errors.OpError, OSError, InputError) as error:
            self._remove(f"step-{step}[._]*", "checkpoint.tmp*")
            raise InputError(
                f"cannot save the checkpoint of step {step} (is the disk "
                f"full?): {str(error).splitlines()[0]}"
            ) from error

    def remove_leftovers(self) -> None:
        """Removes what a kill while saving left; for the run alone to call.

        Whoever only reads would take the files from under a running save.
        """
        if not self.manager.latest_checkpoint:  # of a killed first save
            self._remove("step-*")
        self._remove("step-*_temp", "checkpoint.tmp*")

    def _remove(self, *patterns: str) -> None:
        folder = self.manager.directory
        paths = [os.path.join(folder, pattern) for pattern in patterns]
        for path in tf.io.gfile.glob(paths):
            if tf.io.gfile.isdir(path):
                tf.io.gfile.rmtree(path)
            else:
                tf.io.gfile.remove(path)


def latest_checkpoint(model_dir: str) -> str | None:
    """The newest checkpoint of a run's folder, or None.

    Raises:
      InputError: the file that names it is damaged, or what it names is gone;
        see `check_path`, as TensorFlow looks for checkpoints by patterns.
    """
    folder = os.path.join(check_path("a run's folder", model_dir), FOLDER)
    with _naming_damage(folder):
        latest = tf.train.latest_checkpoint(folder)
    if latest is None:
        _check_none(folder)
    return latest


def _check_none(folder: str) -> None:
    """Refuses checkpoints that nothing names: the run must not start anew."""
    pointer = os.path.join(folder, _POINTER)
    if tf.io.gfile.exists(pointer):
        raise InputError(
            f"{pointer!r} or the checkpoint that it names is damaged: restore "
            "it, or delete the folder to start anew"
        )
    found = tf.io.gfile.glob(os.path.join(folder, "step-*.index"))
    if found and not tf.io.gfile.glob(pointer + ".tmp*"):
        steps = [os.path.basename(path)[5 : -len(".index")] for path in found]
        last = max((s for s in steps if s.isdecimal()), key=int, default="0")
        raise InputError(
            f"{pointer!r} must name the latest of the {len(found)} checkpoints "
            "beside it; received no such file: restore it, or write "
            f"'model_checkpoint_path: \"step-{last}\"' into it to go on from "
            f"there, or delete {folder!r} to start anew"
        )


def open_checkpoint(
    prefix: str,
) -> tuple[list[str], Callable[[str], np.ndarray]]:
    """The names of a checkpoint's tensors, and what reads one of them.

    Raises:
      InputError: the checkpoint is damaged; what reads raises it, too.
    """
    with _naming_damage(prefix):
        # Not load_checkpoint: it takes a prefix on ram:// for a folder.
        reader = tf.compat.v1.train.NewCheckpointReader(prefix)
        names = list(reader.get_variable_to_shape_map())

    def read(name: str) -> np.ndarray:
        with _naming_damage(prefix):
            return reader.get_tensor(name)

    return names, read


@contextlib.contextmanager
def _naming_damage(path: str) -> Iterator[None]:
    # TensorFlow tells of damage by OpErrors and by half of Python's own.
    try:
        yield
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"cannot read the checkpoint {path!r}: {reason}"
        ) from error


def _by_path(variables: list[keras.Variable]) -> dict[str, tf.Variable]:
    named = {variable.path: variable.value for variable in variables}
    if len(named) != len(variables):
        raise ValueError("two variables share a path")
    return named
