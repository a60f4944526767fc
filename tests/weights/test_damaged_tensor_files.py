"""Tensor files that are damaged, or mean harm: one line, and nothing else."""

import functools
import importlib.util
import json
import pathlib
import zipfile

import h5py
import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensor_bytes import (
    PYTORCH,
    a_tensor,
    called,
    dictionary,
    legacy,
    named,
    number,
    pickled,
    safetensors,
    several,
    storage,
    tensor,
    text,
    zipped,
)

from electra_tf.errors import InputError
from electra_tf.weights.tensor_files import open_tensors

ONE = {"w": ("F32", [2], [0, 8])}
TWO = {"v": ("F32", [2], [4, 12]), "w": ("F32", [2], [0, 8])}
SAFETENSORS = "model.safetensors"
INDEX = "model.safetensors.index.json"
BIN = "pytorch_model.bin"
NOT_WHOLE = "must be numbers, stored whole"


def w(value: bytes) -> bytes:
    return zipped(dictionary((text("w"), value)))


def bfloat16_nan() -> bytes:
    data = np.array([1, np.nan], ml_dtypes.bfloat16).tobytes()
    return safetensors({"w": ("BF16", [2], [0, 4])}, data)


FILES = {
    "truncated": (SAFETENSORS, safetensors(ONE, bytes(7)), "Safetensor"),
    "too long": (SAFETENSORS, safetensors(ONE, bytes(9)), "Safetensor"),
    "huge header": (SAFETENSORS, safetensors(ONE, length=2**40), "Safetensor"),
    "negative": (SAFETENSORS, safetensors(ONE, length=2**64 - 8), "Safetensor"),
    "beyond": (SAFETENSORS, safetensors(ONE, length=10**4), "Safetensor"),
    "no JSON": (SAFETENSORS, safetensors(b"{]"), "Safetensor"),
    "empty file": (SAFETENSORS, b"", "Safetensor"),
    "overlap": (SAFETENSORS, safetensors(TWO, bytes(12)), "Safetensor"),
    "bfloat16 NaN": (SAFETENSORS, bfloat16_nan(), "finite numbers"),
    "pointer": (SAFETENSORS, b"version https://git-lfs.x", "Git LFS"),
    "call": (
        BIN,
        w(called("posix.system", text("true"))),
        "nothing but .*'posix.system'",
    ),
    "name alone": (BIN, w(named("builtins.eval")), "'builtins.eval'"),
    "dotted": (BIN, w(named("torch.os.system")), "'torch.os.system'"),
    "other layout": (BIN, pickled(called("os.system")), "'os.system'"),
    "new operation": (BIN, w(text("os") + text("system") + b"\x93"), "STACK_"),
    "a number": (BIN, w(number(3)), "'w' in a pickle .* must be a tensor"),
    "a list": (BIN, zipped(b"]"), "must be a dictionary"),
    "no text": (BIN, zipped(dictionary((number(1), tensor()))), "be texts"),
    "module": (BIN, w(storage(kind="module")), "storages; received 'module'"),
    "marked": (
        BIN,
        w(tensor(None, 0, (4,), (1,), dictionary((text("neg"), b"\x88")))),
        "must be a plain view",
    ),
    "no storage": (BIN, a_tensor(number(1)), "must be a plain view"),
    "negative stride": (BIN, a_tensor(strides=(-2, 1)), "must be a plain view"),
    "outside": (BIN, a_tensor(offset=1), "must lie within its storage of 4"),
    "far strides": (BIN, a_tensor(strides=(2, 2)), "must lie within"),
    "repeated": (BIN, a_tensor(shape=(5,), strides=(0,)), "must lie within"),
    "overflow": (BIN, a_tensor(strides=(2**62, 1)), "must lie within"),
    "no member": (BIN, a_tensor(storage(key="1")), "received '0 bytes'"),
    "long storage": (BIN, a_tensor(storage(size=5)), "received '16 bytes'"),
    "bomb": (BIN, a_tensor(storage(size=2**40)), "received '16 bytes'"),
    "compressed": (
        BIN,
        zipped(b"}", bytes(10**5), zipfile.ZIP_DEFLATED),
        "must not be compressed",
    ),
    "big endian": (BIN, zipped(b"}", byteorder=b"big"), "low byte first"),
    "no data.pkl": (
        BIN,
        zipped(b"}").replace(b"data.pkl", b"data.pkk"),
        "hold",
    ),
    "legacy magic": (BIN, legacy(magic=1), "magic number"),
    "legacy endian": (BIN, legacy(little=False), "low byte first"),
    "legacy count": (
        BIN,
        legacy(count=2**40),
        "storage '0' must have 4 values",
    ),
    "legacy stranger": (BIN, legacy(keys=("0", "1")), "received '1'"),
    "legacy lacks": (BIN, legacy(keys=()), "received '0 bytes'"),
    "legacy short": (BIN, legacy()[:-1], "received '15 bytes'"),
    "no HDF5": ("tf_model.h5", b"no HDF5", "OSError"),
}


@pytest.mark.parametrize("case", FILES)
def test_damage_is_one_line_with_the_file(tmp_path, case):
    name, content, words = FILES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        dict(open_tensors(str(tmp_path)))
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)


def write_h5(path: pathlib.Path, place: str, value, **options) -> None:
    with h5py.File(path, "w") as file:
        if isinstance(value, (h5py.SoftLink, h5py.ExternalLink)):
            file[place] = value
        else:
            file.create_dataset(place, data=value, **options)


FLOATS = np.ones([100], np.float32)
HDF5 = {
    "soft link": (h5py.SoftLink("/b"), {}, "SoftLink a/w"),
    "external link": (h5py.ExternalLink("x.h5", "/b"), {}, "ExternalLink"),
    "external data": (FLOATS, {"external": [("x", 0, 400)]}, NOT_WHOLE),
    "compressed": (FLOATS, {"compression": "gzip"}, NOT_WHOLE),
    "texts": (["a", "b"], {}, NOT_WHOLE),
    "infinity": (np.array([np.inf, 1], np.float16), {}, "received 1 of 2"),
}


@pytest.mark.parametrize("case", HDF5)
def test_hdf5_with_more_in_it_than_numbers(tmp_path, monkeypatch, case):
    value, options, words = HDF5[case]
    monkeypatch.chdir(tmp_path)  # for the external file
    write_h5(tmp_path / "tf_model.h5", "a/w", value, **options)
    with pytest.raises(InputError, match=words):
        dict(open_tensors(str(tmp_path)))


def test_hdf5_with_two_tables_of_one_name(tmp_path):
    with h5py.File(tmp_path / "tf_model.h5", "w") as file:
        file["a/m/w"], file["b/m/w"] = FLOATS, FLOATS * 2
    with pytest.raises(InputError, match="'m/w' must be the same"):
        open_tensors(str(tmp_path))["m/w"]


INDEXES = {
    "missing": ({"w": "2.safetensors"}, "received '2.safetensors'"),
    "upwards": ({"w": "../1.safetensors"}, "beside it; received '../1.safet"),
    "absolute": ({"w": "/1.safetensors"}, "beside it; received '/1.safet"),
    "NUL": ({"w": "1\0.safetensors"}, "beside it"),
    "other kind": ({"w": "1.bin"}, "must name .safetensors files"),
    "not there": ({"v": "1.safetensors"}, "'v'"),
    "no text": ({"w": 1}, "must hold a weight_map"),
    "list": (["w"], "must hold a weight_map"),
    "empty": ({}, "must hold a weight_map"),
}


@pytest.mark.parametrize("case", INDEXES)
def test_an_index_that_lies(tmp_path, case):
    weight_map, words = INDEXES[case]
    folder = tmp_path / "folder"
    folder.mkdir()
    for place in (folder, tmp_path):
        (place / "1.safetensors").write_bytes(safetensors(ONE, bytes(8)))
    (folder / "1.bin").write_bytes(a_tensor())
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(InputError, match=words) as error:
        open_tensors(str(folder))
    assert "\n" not in str(error.value)


def test_an_index_that_is_no_json(tmp_path):
    (tmp_path / INDEX).write_text("{")
    with pytest.raises(InputError, match="must hold one JSON object"):
        open_tensors(str(tmp_path))


def test_no_code_of_a_pickle_is_run(tmp_path):
    marker = tmp_path / "marker"
    call = called("posix.system", text(f"touch {marker}"))
    (tmp_path / BIN).write_bytes(zipped(call))
    with pytest.raises(InputError, match=r"posix\.system"):
        open_tensors(str(tmp_path))
    assert not marker.exists()


def test_a_pickle_cannot_change_what_reads_it(tmp_path):
    function = "torch._utils._rebuild_tensor_v2"
    state = several(b"N", dictionary((text("__defaults__"), several())))
    changed = named(function) + state + b"b0"  # BUILD on it, then POP
    (tmp_path / BIN).write_bytes(zipped(changed + b"}"))
    with pytest.raises(InputError, match="received POP"):
        open_tensors(str(tmp_path))
    (tmp_path / BIN).write_bytes(a_tensor())
    assert open_tensors(str(tmp_path))["w"].shape == (2, 2)


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / SAFETENSORS).write_bytes(safetensors(ONE, bytes(8)))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"not installed here.*\[convert\]"):
        open_tensors(str(tmp_path))


@functools.cache
def small_file(name: str) -> bytes:
    if name == SAFETENSORS:
        return safetensors(ONE, bytes(8))
    if name.endswith(".bin"):
        return (PYTORCH / name).read_bytes()
    with h5py.File("small.h5", "w", driver="core", backing_store=False) as file:
        file["a/m/w"] = FLOATS
        file["b/m/w"] = FLOATS
        file.flush()
        return file.id.get_file_image()


@pytest.mark.parametrize(
    "source", [SAFETENSORS, "zip.bin", "legacy.bin", "tf_model.h5"]
)
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_whatever_the_bytes_a_result_or_one_line(tmp_path, source, data):
    content = bytearray(small_file(source))
    places = st.integers(0, len(content) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(places)
        cut = data.draw(st.integers(0, 8) | st.just(len(content)))
        content[place : place + cut] = data.draw(st.binary(max_size=8))
    name = BIN if source.endswith(".bin") else source
    (tmp_path / name).write_bytes(content)
    message = ""
    try:
        dict(open_tensors(str(tmp_path)))
    except InputError as error:
        message = str(error)
    assert "\n" not in message
