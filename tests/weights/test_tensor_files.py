"""Tensors of Hugging Face folders: one file's as any other's."""

import json
import os
import pathlib
import shutil

import h5py
import ml_dtypes
import numpy as np
import pytest
import tensor_bytes
import tensorflow as tf
from safetensors.numpy import save_file

from electra_tf.errors import InputError
from electra_tf.weights.tensor_files import TENSOR_FILES, open_tensors

HERE = pathlib.Path(__file__).parents[1]
GOLDEN = pathlib.Path(os.environ.get("ELECTRA_GOLDEN_DIR", HERE / "golden"))
# Of Keras' names, without the model's in front.
PYTORCH_NAMES = {
    "layer_._": "layer.",
    "/": ".",
    ":0": "",
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "embeddings.embeddings": "embeddings.weight",
}


def copied(source: pathlib.Path, folder: pathlib.Path) -> str:
    folder.mkdir()
    shutil.copy(source, folder)
    return str(folder)


def as_pytorch_has_it(name: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    array = array.T if "kernel" in name else array
    name = name.partition("/")[2]
    for theirs, pytorchs in PYTORCH_NAMES.items():
        name = name.replace(theirs, pytorchs)
    return name, array


@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_three_files_of_hf_electra_hold_the_same_arrays(tmp_path, network):
    source = GOLDEN / "hf_electra" / network
    names = TENSOR_FILES[0], TENSOR_FILES[2], TENSOR_FILES[3]
    truth, h5, pickled = (
        open_tensors(copied(source / name, tmp_path / str(number)))
        for number, name in enumerate(names)
    )
    assert [e.kind for e in (truth, h5, pickled)] == [
        "safetensors",
        "h5",
        "bin",
    ]
    found = dict(as_pytorch_has_it(name, h5[name]) for name in h5)
    assert set(found) == set(truth)
    # The pickle has the table once more, as the output's.
    assert set(pickled) - set(truth) <= {"generator_lm_head.weight"}
    for name, array in truth.items():
        assert truth.shapes[name] == array.shape == pickled.shapes[name]
        for other in (found[name], pickled[name]):
            assert other.dtype == array.dtype
            assert other.tobytes() == array.tobytes()


@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_pytorch_tensors_of_every_kind(tmp_path, layout):
    source = tensor_bytes.PYTORCH / f"{layout}.bin"
    shutil.copy(source, tmp_path / "pytorch_model.bin")
    row = np.arange(12, dtype=np.float32)
    expected = {
        "whole": row,
        "part": row[3:7],
        "transposed": row.reshape(3, 4).T,
        "parameter": np.array([0.5, -0.25], np.float32),
        "half": np.array([[1.5, -2.0]], np.float16),
        "brain": np.array([1.0, 3.140625], ml_dtypes.bfloat16),
        "ids": np.arange(5)[None],
        "flag": np.array([True, False]),
        "scalar": np.array(7, np.int32),
        "empty": np.zeros([0, 3], np.float32),
    }
    found = open_tensors(str(tmp_path))
    assert list(found) == list(expected)
    for name, array in found.items():
        assert found.shapes[name] == array.shape == expected[name].shape
        assert array.dtype == expected[name].dtype
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, expected[name])


def test_safetensors_come_as_they_are_stored(tmp_path):
    arrays = {
        "half": np.array([[1.5, -2.0]], np.float16),
        "brain": np.array([1.0, 3.140625], ml_dtypes.bfloat16),
        "ids": np.arange(5)[None],
    }
    header, data = {}, b""
    for name, array in arrays.items():
        dtype = {"half": "F16", "brain": "BF16", "ids": "I64"}[name]
        end = len(data) + array.nbytes
        header[name] = dtype, list(array.shape), [len(data), end]
        data += array.tobytes()
    content = tensor_bytes.safetensors(header, data)
    (tmp_path / "model.safetensors").write_bytes(content)
    for name, array in open_tensors(str(tmp_path)).items():
        assert array.dtype == arrays[name].dtype
        np.testing.assert_array_equal(array, arrays[name])


def test_hdf5_with_the_high_byte_first(tmp_path):
    with h5py.File(tmp_path / "tf_model.h5", "w") as file:
        file["head/m/bias:0"] = np.array([1.0, 2.0], ">f4")
    array = open_tensors(str(tmp_path))["m/bias:0"]
    assert array.dtype == np.float32
    assert array.tolist() == [1.0, 2.0]


def test_the_first_of_several_files_is_taken(tmp_path):
    one = {"w": np.ones([2], np.float32)}
    save_file(one, tmp_path / "shard.safetensors")
    (tmp_path / "shard.bin").write_bytes(tensor_bytes.a_tensor())
    for suffix in ("safetensors", "bin"):
        index = [n for n in TENSOR_FILES if n.endswith(f"{suffix}.index.json")]
        weight_map = {"weight_map": {"w": f"shard.{suffix}"}}
        (tmp_path / index[0]).write_text(json.dumps(weight_map))
    shutil.copy(tmp_path / "shard.safetensors", tmp_path / TENSOR_FILES[0])
    shutil.copy(tmp_path / "shard.bin", tmp_path / "pytorch_model.bin")
    with h5py.File(tmp_path / "tf_model.h5", "w") as file:
        file["head/w"] = one["w"]
    for name in TENSOR_FILES:
        found = open_tensors(str(tmp_path))
        file = name.replace("model.safetensors.index.json", "shard.safetensors")
        file = file.replace("pytorch_model.bin.index.json", "shard.bin")
        assert found.files == (str(tmp_path / file),)
        assert list(found) == ["w"]
        (tmp_path / name).unlink()
    with pytest.raises(InputError, match="must hold one of model"):
        open_tensors(str(tmp_path))


def test_shards_are_one_folder_of_tensors(tmp_path):
    arrays = {n: np.full([2], i, np.float32) for i, n in enumerate("abc")}
    shards = {"a": "1.safetensors", "b": "2.safetensors", "c": "1.safetensors"}
    for shard in set(shards.values()):
        held = {n: a for n, a in arrays.items() if shards[n] == shard}
        save_file(held, tmp_path / shard)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    found = open_tensors(str(tmp_path))
    assert found.kind == "safetensors"
    assert [os.path.basename(f) for f in found.files] == sorted(
        set(shards.values())
    )
    assert found.shapes == {"a": (2,), "b": (2,), "c": (2,)}
    assert {n: a.tolist() for n, a in found.items()} == {
        n: a.tolist() for n, a in arrays.items()
    }


def test_an_array_is_read_when_it_is_asked_for(tmp_path):
    header = {"good": ("F32", [1], [0, 4]), "bad": ("F32", [2], [4, 12])}
    data = np.array([1.0, np.nan, 2.0], np.float32).tobytes()
    content = tensor_bytes.safetensors(header, data)
    (tmp_path / "model.safetensors").write_bytes(content)
    found = open_tensors(str(tmp_path))
    assert found["good"].tolist() == [1.0]
    with pytest.raises(InputError, match="received 1 of 2 that are not") as e:
        found["bad"]
    assert "'bad' of " in str(e.value)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_what_is_not_local_is_read_from_a_copy(tmp_path, name):
    save_file({"w": np.zeros([2, 2], np.float32)}, tmp_path / TENSOR_FILES[0])
    (tmp_path / "pytorch_model.bin").write_bytes(tensor_bytes.a_tensor())
    tf.io.gfile.makedirs(f"ram://{name}")
    tf.io.gfile.copy(str(tmp_path / name), f"ram://{name}/{name}")
    found = open_tensors(f"ram://{name}")
    assert found.files == (f"ram://{name}/{name}",)
    assert found["w"].tolist() == [[0, 0], [0, 0]]
