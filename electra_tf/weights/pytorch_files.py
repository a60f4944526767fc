"""`pytorch_model.bin`: where the values of its tensors lie, and their reading.

Two layouts exist. A zip file (PyTorch 1.6 and newer) holds `data.pkl` and a
member for each storage, not compressed. Before, five pickles stood in a row:
a magic number, the layout's version, the machine's, the tensors and the list
of storages; after them comes each storage: a count of values, and the values.
"""

import math
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import BinaryIO, NamedTuple

import numpy as np

from electra_tf.errors import require
from electra_tf.weights.pickled_tensors import (
    Tensor,
    load_pickle,
    load_tensors,
)

_ZIP = b"PK\x03\x04"
_ZIP_LOCAL_HEADER = struct.Struct("<26x2H")  # lengths of name and extra field
_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_COUNT = struct.Struct("<q")


class _Place(NamedTuple):
    """Where in the file a storage starts, and how many bytes are there."""

    start: int
    room: int


def open_pytorch_file(
    path: str,
) -> tuple[dict[str, tuple[int, ...]], Callable[[str], np.ndarray]]:
    """Shapes by name, and a function that reads the array of a name.

    Raises:
      InputError: the pickle holds anything but tensors, or tensors that are
        not in the file. What is no such file at all raises whatever the
        standard library does.
    """
    with open(path, "rb") as file:
        is_zip = file.read(len(_ZIP)) == _ZIP
        file.seek(0)
        tensors, places = (_open_zip if is_zip else _open_row)(file)
    for name, tensor in tensors.items():
        _check(name, tensor, places)

    def read(name: str) -> np.ndarray:
        return _read(path, tensors[name], places)

    return {name: each.shape for name, each in tensors.items()}, read


def _open_zip(file: BinaryIO) -> tuple[dict[str, Tensor], dict[str, _Place]]:
    with zipfile.ZipFile(file) as archive:
        members = {each.filename: each for each in archive.infolist()}
        for name, member in members.items():
            require(
                member.compress_type == zipfile.ZIP_STORED
                and member.compress_size == member.file_size,
                f"{name!r} in the zip file must not be compressed",
                f"{member.file_size} bytes in {member.compress_size}",
            )
        main = next((n for n in members if n.endswith("/data.pkl")), "")
        require(bool(main), "the zip file must hold data.pkl", [*members][:3])
        folder = main.removesuffix("data.pkl")
        if f"{folder}byteorder" in members:
            _check_byte_order(archive.read(f"{folder}byteorder") == b"little")
        with archive.open(main) as content:
            tensors = load_tensors(content)
    places = {}
    for key in {tensor.storage.key for tensor in tensors.values()}:
        if f"{folder}data/{key}" in members:
            places[key] = _place(file, members[f"{folder}data/{key}"])
    return tensors, places


def _place(file: BinaryIO, member: zipfile.ZipInfo) -> _Place:
    file.seek(member.header_offset)
    header = file.read(_ZIP_LOCAL_HEADER.size)
    start = file.tell() + sum(_ZIP_LOCAL_HEADER.unpack(header))
    return _Place(start, min(member.file_size, _size(file) - start))


def _open_row(file: BinaryIO) -> tuple[dict[str, Tensor], dict[str, _Place]]:
    magic, version = load_pickle(file), load_pickle(file)
    require(
        (magic, version) == (_MAGIC, _VERSION),
        "the file must start with PyTorch's magic number and version",
        "others",
    )
    _check_byte_order(load_pickle(file)["little_endian"] is True)
    tensors = load_tensors(file)
    storages = {t.storage.key: t.storage for t in tensors.values()}
    places = {}
    for key in load_pickle(file):
        require(
            isinstance(key, str) and key in storages,
            "each storage must be a tensor's",
            key if isinstance(key, str) else type(key).__name__,
        )
        (count,) = _COUNT.unpack(file.read(_COUNT.size))
        require(
            count == storages[key].size,
            f"storage {key!r} must have {storages[key].size} values",
            count,
        )
        start, room = file.tell(), count * storages[key].dtype.itemsize
        places[key] = _Place(start, min(room, _size(file) - start))
        file.seek(room, os.SEEK_CUR)
    return tensors, places


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _check_byte_order(is_little: bool) -> None:
    require(
        is_little, "numbers must be stored low byte first", "high byte first"
    )


def _check(name: str, tensor: Tensor, places: Mapping[str, _Place]) -> None:
    """Refuses a tensor that is not wholly in its storage, or in the file."""
    storage, offset, shape, strides = tensor
    room = places[storage.key].room if storage.key in places else 0
    require(
        storage.size * storage.dtype.itemsize <= room,
        f"{name!r}: its storage of {storage.size} values of {storage.dtype} "
        "must be in the file, whole",
        f"{max(room, 0)} bytes",
    )
    # Not more values than the storage has: strides of 0 would let a few bytes
    # stand for any number of them.
    count = math.prod(shape)
    require(
        count <= storage.size and offset + _span(tensor) <= storage.size,
        f"{name!r} must lie within its storage of {storage.size} values",
        {"shape": shape, "strides": strides, "offset": offset},
    )


def _span(tensor: Tensor) -> int:
    """How many values lie between its first and its last, both included."""
    if 0 in tensor.shape:
        return 0
    steps = zip(tensor.shape, tensor.strides, strict=True)
    return 1 + sum((size - 1) * stride for size, stride in steps)


def _read(
    path: str, tensor: Tensor, places: Mapping[str, _Place]
) -> np.ndarray:
    dtype = tensor.storage.dtype
    values = np.empty(_span(tensor), dtype)
    with open(path, "rb") as file:
        start = places[tensor.storage.key].start
        file.seek(start + tensor.offset * dtype.itemsize)
        count = file.readinto(values.view(np.uint8).data)
    require(
        count == values.nbytes,
        f"the file must not change while it is read: {values.nbytes} bytes",
        count,
    )
    strides = [stride * dtype.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(values, tensor.shape, strides)
    return np.asarray(view, order="C")
