"""Records: the authors' files open unchanged, damage is named."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.data.records import open_records, verify_records
from electra_tf.data.records.folder import RecordWriter
from electra_tf.data.records.format import (
    ExampleSerializer,
    parse_examples,
)
from electra_tf.data.records.manifest import MANIFEST
from electra_tf.data.records.packer import Counted, Packed
from electra_tf.data.records.scan import natural_order
from electra_tf.data.records.shards import ShardWriter
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError
from electra_tf.locks import LOCK

LENGTH = 16
NAMES = ("input_ids", "input_mask", "segment_ids")
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]


def authors_example(features):
    """Written as build_pretraining_dataset.py does."""

    def feature(values):
        values = tf.train.Int64List(value=list(values))
        return tf.train.Feature(int64_list=values)

    return tf.train.Example(
        features=tf.train.Features(
            feature={key: feature(value) for key, value in features.items()}
        )
    ).SerializeToString()


def random_features(rng, length=LENGTH):
    used = int(rng.integers(3, length + 1))
    mask = np.arange(length) < used
    return {
        "input_ids": rng.integers(1, 30000, length) * mask,
        "input_mask": mask.astype(np.int64),
        "segment_ids": (np.arange(length) > used // 2).astype(np.int64) * mask,
    }


def write_authors_folder(folder, num_records, num_shards=3, **kwargs):
    rng = np.random.default_rng(0)
    os.makedirs(folder / "pretrain_tfrecords")
    examples, paths = [], []
    for shard in range(num_shards):
        path = str(
            folder
            / "pretrain_tfrecords"
            / f"pretrain_data.tfrecord-{shard}-of-{num_shards}"
        )
        paths.append(path)
        with tf.io.TFRecordWriter(path) as writer:
            for _ in range(num_records // num_shards):
                examples.append(random_features(rng, **kwargs))
                writer.write(authors_example(examples[-1]))
    return examples, paths


def parse(records, numbers):
    batch = parse_examples(
        tf.constant(records.read(np.array(numbers))), records.max_seq_length
    )
    return {name: values.numpy() for name, values in batch.items()}


def packed(train, held_out=()):
    records = [[*map(authors_example, x)] for x in (train, held_out)]
    return Packed(*records, Counted.nothing(len(VOCAB)))


def write_ours(folder, train, held_out=(), num_shards=2, **kwargs):
    tokenizer = Tokenizer(VOCAB)
    shards = {"train": num_shards, "eval": 1}
    with RecordWriter(
        str(folder), shards, **{"overwrite": False, **kwargs}
    ) as w:
        w.write(packed(train, held_out))
        return w.finish(tokenizer, LENGTH, np.arange(len(VOCAB)), {"seed": 3})


@pytest.fixture
def examples():
    rng = np.random.default_rng(5)
    return [random_features(rng) for _ in range(20)]


def flip_byte(path, place):
    with open(path, "rb") as f:
        content = bytearray(f.read())
    content[place] ^= 0x10
    with open(path, "wb") as f:
        f.write(content)


def test_serializer_equals_protobuf():
    rng = np.random.default_rng(0)
    for length in (5, 16, 127, 128, 200, 512):
        serialize = ExampleSerializer(70_000, length)
        for _ in range(20):
            first = int(rng.integers(2, length))
            second = int(rng.integers(0, length - first + 1))
            ids = rng.integers(0, 70_000, first + second).tolist()
            features = tf.train.Example.FromString(
                serialize(ids, first, second)
            ).features.feature
            pad = [0] * (length - first - second)
            assert set(features) == set(NAMES)
            for name, expected in {
                "input_ids": ids + pad,
                "input_mask": [1] * (first + second) + pad,
                "segment_ids": [0] * first + [1] * second + pad,
            }.items():
                assert list(features[name].int64_list.value) == expected


@pytest.mark.parametrize("given", ["folder", "inner", "glob"])
def test_authors_files_open_unchanged(tmp_path, given):
    examples, _ = write_authors_folder(tmp_path, 240)
    data_dir = {
        "folder": str(tmp_path),
        "inner": str(tmp_path / "pretrain_tfrecords"),
        "glob": str(tmp_path / "pretrain_tfrecords" / "*tfrecord-*"),
    }[given]
    train = open_records(data_dir, "train", LENGTH)
    held_out = open_records(data_dir, "eval")
    assert (train.num_records, held_out.num_records) == (238, 2)
    assert train.max_seq_length == held_out.max_seq_length == LENGTH
    assert train.manifest is None
    assert train.fingerprint == held_out.fingerprint
    kept = [e for i, e in enumerate(examples) if i not in (99, 199)]
    found = parse(train, np.arange(238))
    for name in NAMES:
        np.testing.assert_array_equal(found[name], [e[name] for e in kept])
    found = parse(held_out, [1, 0])
    np.testing.assert_array_equal(
        found["input_ids"],
        [examples[199]["input_ids"], examples[99]["input_ids"]],
    )
    counts = np.zeros_like(train.token_counts)
    for example in kept:
        for token in example["input_ids"][example["input_mask"] > 0]:
            counts[token] += 1
    np.testing.assert_array_equal(train.token_counts, counts)


def test_few_records_are_all_for_training(tmp_path):
    examples, _ = write_authors_folder(tmp_path, 150)
    train = open_records(str(tmp_path), "train")
    assert train.num_records == 150
    real = sum(int(example["input_mask"].sum()) for example in examples)
    assert train.token_counts.sum() == real
    assert open_records(str(tmp_path), "eval") is None


def test_shards_are_in_the_order_of_their_numbers():
    names = [f"p.tfrecord-{i}-of-1000" for i in (0, 1, 2, 10, 11, 100)]
    assert natural_order(names[::-1]) == names


def test_our_folder(tmp_path, examples):
    folder = tmp_path / "records"
    manifest = write_ours(folder, examples[:15], examples[15:])
    train = open_records(str(folder), "train", LENGTH)
    held_out = open_records(str(folder), "eval", LENGTH)
    assert (train.num_records, held_out.num_records) == (15, 5)
    numbers = [14, 0, 3, 3]
    found = parse(train, numbers)
    for name in NAMES:
        np.testing.assert_array_equal(
            found[name], [examples[i][name] for i in numbers]
        )
    np.testing.assert_array_equal(
        parse(held_out, [0])["input_ids"][0], examples[15]["input_ids"]
    )
    assert train.manifest["seed"] == 3
    assert train.manifest["tokenizer"] == Tokenizer(VOCAB).settings()
    assert train.fingerprint == manifest["fingerprint"]
    np.testing.assert_array_equal(train.token_counts, np.arange(len(VOCAB)))
    assert Tokenizer.from_folder(str(folder)).vocab == tuple(VOCAB)
    assert not [n for n in os.listdir(folder) if n.endswith(".tmp")]
    # Others read the files as plain TFRecords.
    shards = sorted(str(p) for p in folder.glob("train-*.tfrecord"))
    sizes = [sum(1 for _ in tf.data.TFRecordDataset(p)) for p in shards]
    assert sizes == [8, 7]


def test_fingerprint_tells_contents_not_files(tmp_path, examples):
    def fingerprint(name, *args, **kwargs):
        return write_ours(tmp_path / name, *args, **kwargs)["fingerprint"]

    base = fingerprint("a", examples[:15], examples[15:])
    assert base == fingerprint("b", examples[:15], examples[15:], num_shards=5)
    assert base != fingerprint("c", examples[:16], examples[16:])
    assert base != fingerprint("d", examples[14::-1], examples[15:])


def test_other_file_systems(examples):
    folder = "ram://records_test/out"
    write_ours(folder, examples)
    train = open_records(folder, "train")
    found = parse(train, [19, 2])["input_ids"]
    np.testing.assert_array_equal(
        found, [examples[19]["input_ids"], examples[2]["input_ids"]]
    )


@pytest.mark.parametrize("damage", ["flip", "truncate", "truncate_later"])
def test_damage_to_our_shard_is_named(tmp_path, examples, damage):
    write_ours(tmp_path, examples)
    path = str(tmp_path / "train-00001-of-00002.tfrecord")
    size = os.path.getsize(path)
    if damage == "truncate":
        os.truncate(path, size - 7)
        with pytest.raises(InputError, match=f"{path}.*truncated"):
            open_records(str(tmp_path), "train")
        return
    train = open_records(str(tmp_path), "train")
    if damage == "flip":
        flip_byte(path, size // 2)
        match = f"{path}.* record 9 .* corrupt"
    else:
        os.truncate(path, size // 2)
        match = f"{path}.* record 9 .* truncated"
    train.read(np.arange(0, 20, 2))  # the other shard
    with pytest.raises(InputError, match=match) as caught:
        train.read(np.arange(20))
    assert train.failure is caught.value
    assert "\n" not in str(caught.value)
    if damage == "flip":
        with pytest.raises(InputError, match=path):
            verify_records(str(tmp_path))


@pytest.mark.parametrize("damage", ["flip", "truncate"])
def test_damage_to_foreign_shard_is_named(tmp_path, damage):
    _, paths = write_authors_folder(tmp_path, 30)
    size = os.path.getsize(paths[1])
    if damage == "flip":
        flip_byte(paths[1], size // 2)
    else:
        os.truncate(paths[1], size // 2)
    match = f"{paths[1]}.* truncated or corrupt at record [45]"
    with pytest.raises(InputError, match=match) as caught:
        open_records(str(tmp_path), "train")
    assert "\n" not in str(caught.value)


def test_missing_shard_is_named(tmp_path, examples):
    write_ours(tmp_path, examples)
    path = str(tmp_path / "train-00001-of-00002.tfrecord")
    os.remove(path)
    with pytest.raises(InputError, match=f"received no .{path}"):
        open_records(str(tmp_path), "train")


def test_other_length_names_both(tmp_path, examples):
    write_ours(tmp_path / "ours", examples)
    write_authors_folder(tmp_path / "theirs", 6)
    for name in ("ours", "theirs"):
        with pytest.raises(InputError, match=r"must be 16.* received 128"):
            open_records(str(tmp_path / name), "train", 128)


def test_records_of_two_lengths_are_named(tmp_path):
    _, paths = write_authors_folder(tmp_path, 6)
    with tf.io.TFRecordWriter(paths[2]) as writer:
        rng = np.random.default_rng(0)
        writer.write(authors_example(random_features(rng)))
        writer.write(authors_example(random_features(rng, length=17)))
    match = f"{paths[2]}., record 1 with 17 values of input_ids, not 16"
    with pytest.raises(InputError, match=match):
        open_records(str(tmp_path), "train")


def test_missing_feature_is_named(tmp_path):
    path = str(tmp_path / "x.tfrecord")
    example = random_features(np.random.default_rng(0))
    del example["segment_ids"]
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(authors_example(example))
    with pytest.raises(InputError, match="record 0 without segment_ids"):
        open_records(path, "train")


def test_other_content_is_refused(tmp_path):
    path = str(tmp_path / "x.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"no example")
    with pytest.raises(InputError, match="each record must have input_ids"):
        open_records(path, "train")


@pytest.mark.parametrize("name", ["", "*.nothing", "no/such/folder"])
def test_nothing_matches(tmp_path, name):
    with pytest.raises(InputError, match="records must be a folder"):
        open_records(str(tmp_path / name), "train")


def test_no_examples_in_files(tmp_path):
    write_authors_folder(tmp_path, 0)
    with pytest.raises(
        InputError, match="an example at least; received 3 file"
    ):
        open_records(str(tmp_path), "train")


def test_empty_eval_split(tmp_path, examples):
    write_ours(tmp_path, examples)
    assert open_records(str(tmp_path), "eval") is None


def test_a_build_that_does_not_finish_leaves_nothing(tmp_path, examples):
    folder = tmp_path / "new"
    with RecordWriter(str(folder), {"train": 3, "eval": 1}, False) as writer:
        writer.write(packed(examples[:1]))
        [build] = set(os.listdir(folder)) - {LOCK}
        assert len(os.listdir(folder / build)) == 4
    assert not folder.exists()


def test_a_failure_at_the_last_step_leaves_nothing(
    tmp_path, examples, monkeypatch
):
    def fail(*args):
        raise tf.errors.ResourceExhaustedError(None, None, "disk full")

    monkeypatch.setattr("electra_tf.data.records.folder.write_manifest", fail)
    with pytest.raises(InputError, match=r"cannot write to .*disk full"):
        write_ours(tmp_path / "x", examples)
    assert not (tmp_path / "x").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk(tmp_path, examples, monkeypatch):
    # What is written to this file meets ENOSPC.
    def open_full(shards):
        os.symlink("/dev/full", shards.paths[0])
        opened(shards)

    opened = ShardWriter.open
    monkeypatch.setattr(ShardWriter, "open", open_full)
    with pytest.raises(InputError, match=r"cannot write to .*[Nn]o space"):
        write_ours(tmp_path, examples * 100)
    assert os.listdir(tmp_path) == []


def test_an_unwritable_folder(tmp_path, examples):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to"):
        write_ours(tmp_path / "file" / "x", examples)


def test_finished_records_are_not_overwritten(tmp_path, examples):
    write_ours(tmp_path, examples)
    with pytest.raises(InputError, match="--overwrite"):
        write_ours(tmp_path, examples[:2])
    assert open_records(str(tmp_path), "train").num_records == 20
    write_ours(tmp_path, examples[:3], num_shards=1, overwrite=True)
    assert open_records(str(tmp_path), "train").num_records == 3
    assert len(list(tmp_path.rglob("*.tfrecord"))) == 2


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "not JSON .*: build the records again"),
        ("[]", "JSON that is a list: build"),
        ('{"version": 1}', "must have a usable tokenizer"),
    ],
)
def test_damaged_manifest(tmp_path, examples, text, match):
    write_ours(tmp_path, examples)
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(InputError, match=match):
        open_records(str(tmp_path), "train")


def test_damaged_index(tmp_path, examples):
    write_ours(tmp_path, examples)
    flip_byte(tmp_path / "train.index.npz", 150)
    with pytest.raises(InputError, match=r"train\.index\.npz"):
        open_records(str(tmp_path), "train")


def test_a_copied_folder_opens(tmp_path, examples):
    write_ours(tmp_path / "a", examples)
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert open_records(str(tmp_path / "b"), "train").num_records == 20


def test_verifying_reads_everything(tmp_path, examples):
    for example in examples:
        example["input_ids"] %= len(VOCAB)
    write_ours(tmp_path / "a", examples[:15], examples[15:])
    assert verify_records(str(tmp_path / "a")) == {"train": 15, "eval": 5}
    examples[17]["input_ids"][0] = len(VOCAB)
    write_ours(tmp_path / "b", examples[:15], examples[15:])
    match = "below the vocabulary's 13.*13 in .*eval-00000.*, record 2"
    with pytest.raises(InputError, match=match):
        verify_records(str(tmp_path / "b"))


def test_one_build_at_a_time_in_a_folder(tmp_path, examples):
    """The second one ends, and takes nothing from the first."""
    folder = tmp_path / "new"
    shards = {"train": 1, "eval": 1}
    with RecordWriter(str(folder), shards, False):
        before = set(os.listdir(folder))
        second = RecordWriter(str(folder), shards, False)
        with pytest.raises(InputError, match="one process at a time"):
            second.__enter__()
        assert set(os.listdir(folder)) == before
    assert not folder.exists()


def test_folders_named_like_patterns_are_refused(tmp_path):
    with pytest.raises(InputError, match="output_dir must have none"):
        RecordWriter(f"{tmp_path}/a[1]", {"train": 1, "eval": 1}, False)
