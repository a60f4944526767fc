"""Whatever happens to a build, what stood in its folder stands there still."""

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf.data.records import open_records
from electra_tf.data.records.folder import RecordWriter
from electra_tf.data.records.manifest import MANIFEST, tokenizer_of
from electra_tf.data.records.packer import Counted, Packed
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError

VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
LONGER = [*VOCAB, "i"]


class Killed(BaseException):
    """Stands for SIGKILL: nothing is cleaned up after it."""


def build(folder, records=3, vocab=VOCAB, **named):
    shards = {"train": 2, "eval": 1}
    with RecordWriter(str(folder), shards, named.get("overwrite", True)) as w:
        train = [b"a record"] * records
        w.write(Packed(train, [], Counted.nothing(len(vocab))))
        w.finish(Tokenizer(vocab), 16, np.arange(len(vocab)), {})


def records_in(folder):
    """(how many, pieces of the vocabulary); all shards are whole."""
    train = open_records(str(folder), "train")
    train.read(np.arange(train.num_records))
    return train.num_records, tokenizer_of(str(folder)).vocab_size


@pytest.fixture
def fail_at(monkeypatch):
    """Makes the n-th change of a name or file raise."""

    def set_up(number, error):
        count = iter(range(1000))
        for name in ("rename", "makedirs", "remove", "rmtree"):
            change = getattr(tf.io.gfile, name)

            def change_or_fail(*args, change=change, **named):
                place = next(count)
                if place == number or (place > number and error is Killed):
                    raise error("No space left")
                return change(*args, **named)

            monkeypatch.setattr(tf.io.gfile, name, change_or_fail)
        return count

    yield set_up
    monkeypatch.undo()


@pytest.mark.slow
@pytest.mark.parametrize("error", [OSError, Killed])
@pytest.mark.parametrize("old", ["nothing", "a vocabulary", "records"])
def test_a_build_that_fails_anywhere_leaves_what_was_there(
    old, error, tmp_path, fail_at, monkeypatch
):
    """At each change of a file, until there is none left to fail at."""
    for number in range(100):
        folder = tmp_path / str(number)
        furnish(folder, old)
        before = tiny.tree(folder)
        with monkeypatch.context():
            count = fail_at(number, error)
            try:
                build(folder, 5, LONGER)
            except (InputError, Killed):
                pass
            monkeypatch.undo()
            if next(count) <= number:
                break
        if (folder / MANIFEST).exists():
            assert records_in(folder) in [(3, 13), (5, 14)]
        if error is OSError and records_of(folder) != (5, 14):
            assert tiny.tree(folder) == before
        if old == "a vocabulary":
            assert (folder / "vocab.txt").read_text() == "the user's\n"
        # A killed one leaves nothing in the way of the next.
        build(folder, 4, LONGER)
        assert records_in(folder) == (4, 14)
        if error is Killed:
            assert len(list(folder.rglob("*.tfrecord"))) == 3
    assert number > 4
    assert records_in(folder) == (5, 14)


def furnish(folder, old):
    folder.mkdir()
    if old == "a vocabulary":
        (folder / "vocab.txt").write_text("the user's\n")
    elif old == "records":
        build(folder)


@pytest.mark.parametrize("old", ["nothing", "a vocabulary", "records"])
def test_a_build_that_fails_at_the_manifest_leaves_what_was_there(
    old, tmp_path, monkeypatch
):
    folder = tmp_path / "records"
    furnish(folder, old)
    before = tiny.tree(folder)

    def fail(*arguments):
        raise OSError("No space left")

    with monkeypatch.context() as patch:
        patch.setattr("electra_tf.data.records.folder.write_manifest", fail)
        with pytest.raises(InputError, match="No space left"):
            build(folder, 5, LONGER)
    assert tiny.tree(folder) == before


def records_of(folder):
    return records_in(folder) if (folder / MANIFEST).exists() else None


def test_new_records_are_where_globs_look(tmp_path):
    build(tmp_path)
    names = {path.name for path in pathlib.Path(tmp_path).iterdir()}
    assert {"vocab.txt", "tokenizer.json", MANIFEST} < names
    assert len([name for name in names if name.endswith(".tfrecord")]) == 3
    assert not [name for name in names if name.startswith("records-")]


@pytest.mark.parametrize("vocab", [VOCAB, LONGER])
def test_records_are_replaced_again_and_again(vocab, tmp_path):
    for number in range(3, 6):
        build(tmp_path, number, vocab)
        assert records_in(tmp_path) == (number, len(vocab))
    top = Tokenizer.from_folder(str(tmp_path))
    assert top.vocab == tuple(vocab)
    assert len(list(tmp_path.rglob("*.tfrecord"))) == 3
    assert not list(tmp_path.rglob("*.tmp"))


def test_the_users_own_vocabulary_is_used_in_its_place(tmp_path):
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("".join(f"{piece}\n" for piece in VOCAB))
    build(tmp_path)
    assert records_in(tmp_path) == (3, 13)
    assert len(list(tmp_path.glob("*.tfrecord"))) == 3
    assert len(list(tmp_path.rglob("vocab.txt"))) == 1


def test_a_file_of_a_shards_name_is_not_touched(tmp_path):
    path = tmp_path / "train-00000-of-00002.tfrecord"
    path.write_text("the user's")
    build(tmp_path)
    assert path.read_text() == "the user's"
    assert records_in(tmp_path) == (3, 13)


@pytest.mark.parametrize("named", ["..", "/etc", "records-0/../..", 3])
def test_a_manifest_points_nowhere_else(named, tmp_path):
    build(tmp_path)
    path = tmp_path / MANIFEST
    text = path.read_text().replace("{", f'{{"folder": "{named}",', 1)
    path.write_text(text)
    with pytest.raises(InputError, match="usable folder"):
        open_records(str(tmp_path), "train")
    os.remove(path)
