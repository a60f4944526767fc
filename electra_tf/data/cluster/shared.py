"""What all processes of a build see: ranges of the text, and one folder."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from electra_tf.data.cluster import NumberedRange, PartShards
from electra_tf.data.records.folder import RecordsFolder, new_build
from electra_tf.data.text import expand_inputs
from electra_tf.data.text.cutting import cut_files
from electra_tf.files import naming_write_errors

RANGE_BYTES = 32 << 20


class SharedBuild(NamedTuple):
    """A build under way.

    Attributes:
      folder: what it becomes.
      splits: the shards of each split, for workers to write.
      scratch: an existing folder for what is not finished.
    """

    folder: RecordsFolder
    splits: dict[str, PartShards]
    scratch: str

    def shards(self) -> list[tuple[PartShards, int]]:
        """Every shard, as its split's and its number there."""
        return [
            (planned, shard)
            for planned in self.splits.values()
            for shard in range(len(planned.paths))
        ]


@contextlib.contextmanager
def shared_build(
    output_dir: str, num_shards: int, overwrite: bool
) -> Iterator[SharedBuild]:
    """A records folder to be filled by workers, and their scratch folder.

    Args:
      output_dir: the records folder, which all workers can write.
      num_shards: files of the train split.
      overwrite: replace records that are in output_dir.

    Raises:
      InputError: as `RecordsFolder`.
    """
    output_dir = _path_anywhere(output_dir)
    place = new_build(output_dir)
    scratch = os.path.join(place, "parts")
    splits = {
        "train": PartShards(place, "train", num_shards, scratch),
        "eval": PartShards(place, "eval", 1, scratch),
    }
    with (
        RecordsFolder(output_dir, splits, overwrite) as folder,
        scratch_folder(scratch),
    ):
        yield SharedBuild(folder, splits, scratch)


def numbered_ranges(
    inputs: Sequence[str], text_field: str
) -> list[NumberedRange]:
    """The ranges of files, in order, for workers to read.

    Raises:
      InputError: as `expand_inputs`.
    """
    files = map(_path_anywhere, expand_inputs(inputs, text_field))
    return list(enumerate(cut_files(list(files), RANGE_BYTES, text_field)))


def _path_anywhere(path: str) -> str:
    """The path, from whatever folder a worker was started in."""
    return path if "://" in path else os.path.abspath(path)


@contextlib.contextmanager
def scratch_folder(path: str) -> Iterator[str]:
    """An empty folder that is removed afterwards.

    It loses its name before it is emptied: a worker that goes on after a
    failure finds no folder, and neither adds to it nor takes files out of it.
    """
    _remove(path)
    with naming_write_errors(path):
        tf.io.gfile.makedirs(path)
    try:
        yield path
    finally:
        with contextlib.suppress(OSError, tf.errors.OpError):
            _remove(path)


def _remove(path: str) -> None:
    leaving = path
    if "://" not in path:  # Elsewhere a folder is renamed file by file.
        leaving = f"{path}.old"
        _remove_tree(leaving)
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, leaving)
    _remove_tree(leaving)


def _remove_tree(path: str) -> None:
    if tf.io.gfile.isdir(path):
        tf.io.gfile.rmtree(path)
