"""Files of tensors as Hugging Face's libraries write them, read by name.

Arrays come as they are stored: under their names, in their types, kernels the
way round that their kind of file has them. One is in memory at a time.
"""

import contextlib
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import h5py
import ml_dtypes  # noqa: F401 so that NumPy knows bfloat16
import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError, require, require_packages
from electra_tf.files import read_json
from electra_tf.weights.pytorch_files import open_pytorch_file
from electra_tf.weights.record import LazyArrays

# In the order in which they are looked for.
TENSOR_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "tf_model.h5",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_INDEX = ".index.json"
_REMEDY = "fetch it again, whole (no pointer of Git LFS), or in another format"
_LONGEST = 300

_Shapes = dict[str, tuple[int, ...]]
_Read = Callable[[str], np.ndarray]


class StoredTensors(LazyArrays):
    """Arrays by the names that a folder's file has for them.

    Attributes:
      files: paths of those that hold them.
      kind: "safetensors", "bin" (kernels are `weight` [out, in] in both) or
        "h5" (`kernel:0` [in, out]).
      shapes: of the arrays by name, known without reading these.
    """

    def __init__(
        self,
        files: tuple[str, ...],
        shapes: Mapping[str, tuple[int, ...]],
        read: _Read,
    ):
        super().__init__(shapes, read)
        self.kind = files[0].rpartition(".")[2]
        self.files = files
        self.shapes = shapes


def open_tensors(folder: str) -> StoredTensors:
    """Opens the first of `TENSOR_FILES` that a folder holds.

    Args:
      folder: of any file system that TensorFlow knows; what is not local is
        copied to a temporary folder first, for as long as it is in use.

    Raises:
      InputError: there is none; one is damaged, or has more in it than
        tensors. Reading an array raises it, too, also for values that are not
        finite.
    """
    names = [
        name
        for name in TENSOR_FILES
        if tf.io.gfile.exists(os.path.join(folder, name))
    ]
    require(
        bool(names),
        f"a folder of weights must hold one of {', '.join(TENSOR_FILES)}",
        folder,
    )
    path = os.path.join(folder, names[0])
    if path.endswith(_INDEX):
        return _open_shards(folder, path)
    return open_file(path)


def _open_shards(folder: str, index: str) -> StoredTensors:
    weight_map: Any = read_json(index, _REMEDY).get("weight_map")
    require(
        isinstance(weight_map, dict)
        and bool(weight_map)
        and all(isinstance(shard, str) for shard in weight_map.values()),
        f"{index!r} must hold a weight_map of tensors and files",
        type(weight_map).__name__,
    )
    suffix = os.path.splitext(index.removesuffix(_INDEX))[1]
    beside = set(tf.io.gfile.listdir(folder))
    files = {}
    for shard in dict.fromkeys(weight_map.values()):
        require(
            shard in beside and shard.endswith(suffix),
            f"{index!r} must name {suffix} files that are beside it",
            shard,
        )
        path = os.path.join(folder, shard)
        files[shard] = open_file(path)
    for name, shard in weight_map.items():
        require(
            name in files[shard],
            f"{shard!r} must hold the tensors that {index!r} says it does",
            f"none called {name!r}",
        )
    return StoredTensors(
        tuple(file for each in files.values() for file in each.files),
        {name: files[shard].shapes[name] for name, shard in weight_map.items()},
        lambda name: files[weight_map[name]][name],
    )


def open_file(path: str) -> StoredTensors:
    """One file, as `open_tensors` a folder's; errors name it."""
    kind = os.path.splitext(path)[1]
    if kind == ".safetensors":
        require_packages("safetensors files need", ("safetensors",), "convert")
    with _naming_damage(path):
        local, forget = _local(path)
        shapes, read = _OPENERS[kind](local)

    def read_finite(name: str) -> np.ndarray:
        with _naming_damage(path, name):
            array = read(name)
        check_finite(f"{name!r} of {path!r}", array)
        return array

    # A copy goes when nobody can read from it any more.
    weakref.finalize(read_finite, forget)
    return StoredTensors((path,), shapes, read_finite)


def _local(path: str) -> tuple[str, Callable[[], None]]:
    """A path that any library opens, and what to do when it is read."""
    if "://" not in path:
        return path, lambda: None
    folder = tempfile.TemporaryDirectory()
    copy = os.path.join(folder.name, os.path.basename(path))
    tf.io.gfile.copy(path, copy)
    return copy, folder.cleanup


@contextlib.contextmanager
def _naming_damage(path: str, name: str = "") -> Iterator[None]:
    """Turns whatever a damaged file raises into one line with its path."""
    where = f"{name!r} of {path!r}" if name else repr(path)
    try:
        yield
    except Exception as error:  # each library raises its own
        is_rule = isinstance(error, InputError)
        kind = "" if is_rule else f"{type(error).__name__}: "
        reason = (str(error).splitlines() or [""])[0][:_LONGEST]
        raise InputError(
            f"cannot read {where}: {kind}{reason}: {_REMEDY}"
        ) from None


def check_finite(name: str, array: np.ndarray) -> None:
    """Refuses an array with NaN or infinity; `name` is for the message."""
    count = array.size - np.count_nonzero(np.isfinite(array))
    if count:
        raise InputError(
            f"{name} must hold finite numbers; received {count} of "
            f"{array.size} that are not: take weights from before they diverged"
        )


def _open_safetensors(path: str) -> tuple[_Shapes, _Read]:
    from safetensors import safe_open

    # Opened anew for each array: the pages that it read are free after it.
    def read(name: str) -> np.ndarray:
        with safe_open(path, "numpy") as file:
            return file.get_tensor(name)

    with safe_open(path, "numpy") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}
        return {n: tuple(each.get_shape()) for n, each in slices.items()}, read


def _open_h5(path: str) -> tuple[_Shapes, _Read]:
    """Keras' names: places in the file without the outermost group.

    That is the layer which saved the weight. A table that two layers share is
    there twice, under one name.
    """
    places: dict[str, list[str]] = {}
    shapes: _Shapes = {}
    with h5py.File(path, "r") as file:
        for place in _hard_links(file):
            dataset = file[place]
            if isinstance(dataset, h5py.Group):
                continue
            _check_dataset(place, dataset, os.path.getsize(path))
            name = place.partition("/")[2] or place
            places.setdefault(name, []).append(place)
            shapes[name] = dataset.shape

    def read(name: str) -> np.ndarray:
        with h5py.File(path, "r") as file:
            first, *others = (file[place] for place in places[name])
            array = first[()]
            for other in others:
                require(
                    np.array_equal(array, other[()]),
                    f"all weights called {name!r} must be the same",
                    f"others at {other.name!r}",
                )
        return np.asarray(array, array.dtype.newbyteorder("="))

    return shapes, read


def _hard_links(file: h5py.File) -> list[str]:
    links: list[tuple[str, object]] = []
    # Nothing may be raised in there: HDF5 loses it.
    file.visititems_links(lambda place, link: links.append((place, link)))
    for place, link in links:
        require(
            isinstance(link, h5py.HardLink),
            "an HDF5 file of weights must not point to other places",
            f"{type(link).__name__} {place}",
        )
    return [place for place, _ in links]


def _check_dataset(place: str, dataset: object, room: int) -> None:
    is_stored = (
        isinstance(dataset, h5py.Dataset)
        and dataset.dtype.kind in "fiub"
        and not dataset.external
        and not dataset.is_virtual
        # Neither compressed nor left out, so that few bytes are few numbers.
        and dataset.id.get_storage_size() == dataset.nbytes <= room
    )
    require(
        is_stored,
        f"{place!r} must be numbers, stored whole and uncompressed",
        str(getattr(dataset, "dtype", type(dataset).__name__)),
    )


_OPENERS: dict[str, Callable[[str], tuple[_Shapes, _Read]]] = {
    ".safetensors": _open_safetensors,
    ".h5": _open_h5,
    ".bin": open_pytorch_file,
}
