"""Text to records: independent of processes, and clear about bad input."""

import filecmp
import os

import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf.cli.records import build_pretraining_data
from electra_tf.data.records import open_records
from electra_tf.data.records.build import build_records
from electra_tf.data.records.settings import HeldOut
from electra_tf.data.records.shards import ShardWriter
from electra_tf.data.text import tfds_documents
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError

WORDS = ["the", "cat", "sat", "on", "mat", "walk", "dog", "ran"]
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##ing", "."]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(VOCAB)


def write_text(path, num_documents, longest_line=30, seed=0):
    rng = np.random.default_rng(seed)
    with open(path, "w") as f:
        for _ in range(num_documents):
            for _ in range(rng.integers(1, 12)):
                words = rng.choice([*WORDS, "walking"], rng.integers(1, 12))
                line = " ".join(words) + ". "
                f.write(line * rng.integers(1, longest_line // 10 + 1) + "\n")
            f.write("\n")
    return str(path)


def all_ids(folder, split="train"):
    records = open_records(str(folder), split)
    features = tf.io.parse_example(
        records.read(np.arange(records.num_records)),
        {
            name: tf.io.FixedLenFeature([records.max_seq_length], tf.int64)
            for name in ("input_ids", "input_mask", "segment_ids")
        },
    )
    return {name: values.numpy() for name, values in features.items()}


def test_the_text_is_in_the_records(tmp_path, tokenizer):
    path = write_text(tmp_path / "text.txt", 30)
    manifest = build_records(
        [path], str(tmp_path / "out"), tokenizer, 32, progress=False
    )
    stats = manifest["stats"]
    features = all_ids(tmp_path / "out")
    held_out = all_ids(tmp_path / "out", "eval")
    with open(path) as f:
        expected = tokenizer.tokenize(tf.constant(f.read().split("\n")))
    expected = expected.values.numpy()
    ids = np.concatenate([features["input_ids"], held_out["input_ids"]])
    real = np.concatenate([features["input_mask"], held_out["input_mask"]])
    text = ids[(real == 1) & ~np.isin(ids, [2, 3])]
    np.testing.assert_array_equal(np.sort(text), np.sort(expected))
    assert stats["tokens_seen"] == stats["tokens_kept"] == expected.size
    assert stats["dropped_percent"] == 0
    assert stats["documents"] == 30
    assert stats["examples"] == len(ids)
    padding = 100 * np.mean(real == 0)
    assert stats["padding_percent"] == pytest.approx(padding, abs=0.01)
    train = open_records(str(tmp_path / "out"), "train")
    counts = np.bincount(
        features["input_ids"][features["input_mask"] == 1],
        minlength=len(VOCAB),
    )
    np.testing.assert_array_equal(train.token_counts, counts)
    # Layout: [CLS] first [SEP] second [SEP], segments 0 and 1, zeros behind.
    assert np.all(ids[:, 0] == 2)
    lengths = real.sum(1)
    assert np.all(ids[np.arange(len(ids)), lengths - 1] == 3)
    segments = features["segment_ids"]
    pairs = segments.any(1)
    assert 0.5 < pairs.mean() < 1
    for row in np.flatnonzero(pairs):
        first = int(np.argmax(segments[row]))
        assert features["input_ids"][row, first - 1] == 3
        assert segments[row].sum() == features["input_mask"][row].sum() - first


def test_the_authors_rule_drops_and_says_so(tmp_path, tokenizer):
    path = write_text(tmp_path / "text.txt", 30, longest_line=100)
    stats = build_records(
        [path],
        str(tmp_path / "out"),
        tokenizer,
        16,
        split_long_lines=False,
        progress=False,
    )["stats"]
    assert stats["dropped_percent"] > 20
    assert (
        stats["tokens_seen"] - stats["tokens_kept"] == stats["tokens_dropped"]
    )


def test_unknown_tokens_are_counted(tmp_path, tokenizer):
    documents = [["the cat", "xyz xyz"], ["the dog sat"]]
    stats = build_records(
        documents, str(tmp_path / "out"), tokenizer, 16, progress=False
    )["stats"]
    assert stats["unknown_percent"] == pytest.approx(100 * 2 / 7, abs=0.01)


@pytest.mark.slow
def test_bytes_do_not_depend_on_processes(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr(
        "electra_tf.data.records.settings._TASK_CHARACTERS", 1000
    )
    path = write_text(tmp_path / "text.txt", 40)
    for processes in (1, 2):
        build_records(
            [path],
            str(tmp_path / str(processes)),
            tokenizer,
            32,
            seed=4,
            num_shards=3,
            num_processes=processes,
            progress=False,
        )
    names = sorted(os.listdir(tmp_path / "1"))
    assert len(names) == 3 + 1 + 2 + 3
    _, different, missing = filecmp.cmpfiles(
        tmp_path / "1", tmp_path / "2", names, shallow=False
    )
    assert (different, missing) == ([], [])


def test_tasks_and_shards_do_not_change_the_records(
    tmp_path, tokenizer, monkeypatch
):
    path = write_text(tmp_path / "text.txt", 40)

    def fingerprint(name, **kwargs):
        return build_records(
            [path],
            str(tmp_path / name),
            tokenizer,
            32,
            progress=False,
            **kwargs,
        )["fingerprint"]

    base = fingerprint("a")
    assert fingerprint("b", num_shards=2) == base
    assert fingerprint("c", seed=1) != base
    monkeypatch.setattr("electra_tf.data.records.settings._TASK_CHARACTERS", 1)
    assert fingerprint("d") == base


def test_a_document_does_not_change_the_others(tmp_path, tokenizer):
    documents = [["the cat sat. " * 9, "a dog"] for _ in range(8)]
    for name, first in (("a", ["the mat"]), ("b", ["walk " * 50])):
        build_records(
            [first, *documents],
            str(tmp_path / name),
            tokenizer,
            16,
            eval_fraction=0,
            progress=False,
        )
    a, b = (all_ids(tmp_path / name)["input_ids"] for name in "ab")
    tail = len(a) - 1
    np.testing.assert_array_equal(a[1:], b[-tail:])


def test_held_out_documents_are_not_trained_on(tmp_path, tokenizer):
    documents = [[f"{word} " * 30] for word in WORDS]
    build_records(
        documents,
        str(tmp_path),
        tokenizer,
        16,
        eval_fraction=0.25,
        progress=False,
    )
    train = set(all_ids(tmp_path)["input_ids"].ravel()) - set(range(5))
    held_out = set(all_ids(tmp_path, "eval")["input_ids"].ravel())
    held_out -= set(range(5))
    assert (len(train), len(held_out)) == (6, 2)
    assert not train & held_out


@pytest.mark.parametrize(
    ("documents", "fraction", "expected"),
    [
        (1, 0.5, 0),
        (2, 0.02, 1),
        (15, 0.02, 1),
        (25, 0.02, 2),
        (62, 0.02, 3),
        (62, 0.1, 6),
        (62, 0.0, 0),
        (100, 0.001, 3),
    ],
)
def test_how_many_of_few_documents_are_held_out(documents, fraction, expected):
    chosen = HeldOut(0, fraction, documents)
    numbers = [n for n in range(documents) if chosen(n)]
    assert len(numbers) == expected
    again = HeldOut(0, fraction, documents)
    assert numbers == [n for n in range(documents) if again(n)]
    if expected > 2:
        other = HeldOut(1, fraction, documents)
        assert numbers != [n for n in range(documents) if other(n)]


def test_how_many_of_many_documents_are_held_out():
    chosen = HeldOut(3, 0.05, 100)
    assert sum(map(chosen, range(4000))) == pytest.approx(200, abs=45)
    assert not any(map(HeldOut(3, 0.0, 100), range(1000)))


def test_the_full_disk(tmp_path, tokenizer, monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    path = write_text(tmp_path / "text.txt", 10)
    out = tmp_path / "out"
    out.mkdir()

    def open_full(shards):
        os.symlink("/dev/full", shards.paths[0])
        opened(shards)

    opened = ShardWriter.open
    monkeypatch.setattr(ShardWriter, "open", open_full)
    with pytest.raises(InputError, match="No space"):
        build_records([path], str(out), tokenizer, 32, progress=False)
    assert os.listdir(out) == []


def run_command(arguments):
    tiny.call(build_pretraining_data, *arguments)


def vocab_file(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{piece}\n" for piece in VOCAB))
    return f"--vocab_file={path}"


def test_command(tmp_path, capsys):
    write_text(tmp_path / "a.txt", 20)
    write_text(tmp_path / "b.txt", 20, seed=1)
    arguments = [
        f"--input={tmp_path}/a.txt,{tmp_path}/b*.txt",
        f"--output_dir={tmp_path}/out",
        vocab_file(tmp_path),
        "--max_seq_length=24",
        "--num_shards=2",
        "--nodo_lower_case",
        "--strip_accents",
    ]
    run_command(arguments)
    printed = capsys.readouterr().out
    assert "0.00 % dropped" in printed
    assert f"vocab.txt, {len(VOCAB)} pieces" in printed
    train = open_records(f"{tmp_path}/out", "train", 24)
    assert train.manifest["tokenizer"]["do_lower_case"] is False
    assert train.manifest["tokenizer"]["strip_accents"] is True
    assert train.manifest["stats"]["documents"] == 40
    with pytest.raises(InputError, match="--overwrite"):
        run_command(arguments)
    run_command([*arguments, "--overwrite"])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--input={}/none.txt"], "none.txt"),
        (
            ["--input={}/empty.txt"],
            "must have tokens to train on",
        ),
        ([], "--input and --tfds_name"),
        (["--input={}/a.txt", "--tfds_name=x"], "--input and --tfds_name"),
        (["--input={}/a.txt", "--max_seq_length=4"], "at least 5; received 4"),
        (["--input={}/a.txt", "--eval_fraction=1"], r"\[0, 1\); received 1\.0"),
        (["--input={}/a.txt", "--num_shards=0"], "at least 1; received 0"),
        (
            ["--input={}/a.txt", "--num_processes=-1"],
            "not be negative; received -1",
        ),
        (["--input={}/a.txt", "--output_dir={}/a.txt/x"], "cannot write"),
        (["--input={}/a.txt", "--output_dir="], "output_dir must be given"),
        (["--input={}/a.txt", "--vocab_file={}/bad.txt"], "MASK"),
        (
            ["--tfds_name=x", "--runner=y"],
            "reads files only.*; received 'x'",
        ),
        (
            ["--input={}/a.txt", "--runner=y", "--num_processes=3"],
            "without --runner.*; received 3",
        ),
        (
            ["--input={}/a.txt", "--beam_options=--x"],
            "must come with a --runner of Beam; received ",
        ),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, arguments, match):
    write_text(tmp_path / "a.txt", 3)
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "bad.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n")
    vocab = vocab_file(tmp_path)
    arguments = [argument.format(tmp_path) for argument in arguments]
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(InputError, match=match) as caught:
        run_command([f"--output_dir={tmp_path}/out", vocab, *arguments])
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == before


def test_an_unknown_tfds_name_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no_such_dataset") as caught:
        list(tfds_documents("no_such_dataset", str(tmp_path)))
    assert "\n" not in str(caught.value)


def test_a_dataset_of_tfds(tmp_path):
    import tensorflow_datasets as tfds

    texts = [f"Title {i}\n\nThe text. \n é{i}" for i in range(5)]
    texts.append(" \n")
    tfds.dataset_builders.store_as_tfds_dataset(
        name="small_wikipedia",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {"year": tf.int64, "text": tfds.features.Text()}
        ),
        split_datasets={
            "train": tf.data.Dataset.from_tensor_slices(
                {"year": [1961] * 6, "text": texts}
            )
        },
        data_dir=str(tmp_path),
        disable_shuffling=True,
    )
    found = list(tfds_documents("small_wikipedia:1.0.0", str(tmp_path)))
    expected = [[f"Title {i}", "The text.", f"é{i}"] for i in range(5)]
    assert found == expected
    with pytest.raises(InputError, match=r"'year' of small_wik.* be a text"):
        list(
            tfds_documents(
                "small_wikipedia:1.0.0", str(tmp_path), text_field="year"
            )
        )
