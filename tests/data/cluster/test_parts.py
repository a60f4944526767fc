"""Shards made of parts: runs of the text's order, whoever writes them."""

import os

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.data.cluster import PartShards, PartWriter
from electra_tf.data.cluster.shared import scratch_folder
from electra_tf.data.records.packer import Counted, Packed


def write_part(folder, number, train, held_out=()):
    packed = Packed(train, list(held_out), Counted.nothing(1))
    with PartWriter(folder, number, ["train", "eval"]) as writer:
        writer.write(packed)
    return writer.part()


def read(path):
    return list(tf.data.TFRecordDataset(path).as_numpy_iterator())


@pytest.mark.parametrize("num_shards", [1, 2, 3, 7, 12])
def test_shards_are_runs_of_the_order(tmp_path, num_shards):
    scratch = str(tmp_path / "scratch")
    os.mkdir(scratch)
    sizes = [3, 0, 1, 5, 0, 2]
    records = iter([f"record {i}".encode() * (i + 1) for i in range(11)])
    parts = [
        write_part(scratch, number, [next(records) for _ in range(size)])
        for number, size in enumerate(sizes)
    ]
    shards = PartShards(str(tmp_path), "train", num_shards, scratch)
    for shard in reversed(range(num_shards)):
        shards.write(shard, parts)
    expected = [f"record {i}".encode() * (i + 1) for i in range(11)]
    found = [read(path) for path in shards.paths]
    assert [record for shard in found for record in shard] == expected
    counts = [len(shard) for shard in found]
    assert max(counts) - min(counts) <= 1
    shards.finish(None)
    for path, entry in zip(
        shards.paths, shards.describe()["shards"], strict=True
    ):
        assert entry["bytes"] == os.path.getsize(path)
        assert entry["records"] == len(read(path))
    index = shards.close()
    assert np.all(np.diff(index.shard) >= 0)
    for i, record in enumerate(expected):
        with open(shards.paths[index.shard[i]], "rb") as f:
            f.seek(index.offset[i])
            assert f.read(index.length[i]) == record


def test_attempts_at_the_same_work_do_not_meet(tmp_path):
    """A runner may do a piece of work twice, even at once."""
    scratch = str(tmp_path / "scratch")
    os.mkdir(scratch)
    first, second = (write_part(scratch, 0, [b"a", b"b"]) for _ in range(2))
    assert first.paths["train"] != second.paths["train"]
    assert first.records == second.records == {"train": 2, "eval": 0}
    shards = PartShards(str(tmp_path), "train", 1, scratch)
    shards.write(0, [first])
    os.remove(first.paths["train"])
    shards.write(0, [second])
    assert read(shards.paths[0]) == [b"a", b"b"]
    assert len(shards.close()) == 2


def test_the_scratch_folder_goes_whatever_happens(tmp_path):
    path = str(tmp_path / "parts.tmp")
    os.mkdir(path)
    left_over = os.path.join(path, "of a killed build")
    open(left_over, "w").close()
    with scratch_folder(path) as folder:
        assert os.listdir(folder) == []
    assert os.listdir(tmp_path) == []
    with pytest.raises(ZeroDivisionError), scratch_folder(path):
        1 / 0  # noqa: B018
    assert os.listdir(tmp_path) == []


def test_a_worker_that_goes_on_after_a_failure_finds_no_folder(
    tmp_path, monkeypatch
):
    path = str(tmp_path / "parts.tmp")
    remove, late = tf.io.gfile.rmtree, []

    def while_it_is_removed(folder):
        try:
            open(os.path.join(path, "late"), "w").close()
        except OSError as error:
            late.append(error)
        remove(folder)

    with scratch_folder(path):
        monkeypatch.setattr(tf.io.gfile, "rmtree", while_it_is_removed)
    assert len(late) == 1
    assert os.listdir(tmp_path) == []
    os.mkdir(tmp_path / "parts.tmp.old")  # a kill at just that place
    with scratch_folder(path):
        assert os.listdir(tmp_path) == ["parts.tmp"]
