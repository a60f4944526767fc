"""A build on Beam: record for record what the local builder makes."""

import itertools
import json
import os
import sys

import corpus_forms
import numpy as np
import pytest
import tiny

pytest.importorskip("apache_beam", reason="pip install 'electra_tf[beam]'")

from electra_tf.data.cluster import shared
from electra_tf.data.cluster.beam import build_records_on_beam
from electra_tf.data.records import open_records, verify_records
from electra_tf.data.records.batches import train_batches
from electra_tf.data.records.build import build_records
from electra_tf.data.records.settings import BuildSettings
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError

WORDS = ["the", "cat", "sat", "on", "mat", "walk", "dog", "ran"]
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##ing", "."]
LENGTH = 16


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(VOCAB)


@pytest.fixture
def small_ranges(monkeypatch):
    monkeypatch.setattr(shared, "RANGE_BYTES", 700)


def documents(num, seed):
    rng = np.random.default_rng(seed)
    for _ in range(num):
        yield [
            " ".join(rng.choice([*WORDS, "walking"], rng.integers(1, 12))) + "."
            for _ in range(rng.integers(1, 8))
        ]


def write(path, texts, newline="\n", between="\n"):
    path.parent.mkdir(exist_ok=True)
    blocks = ["".join(line + newline for line in text) for text in texts]
    path.write_bytes((between + newline).join(blocks).encode())


@pytest.fixture
def few(tmp_path):
    """Fewer documents than `HeldOut` treats singly; every oddity, any form."""
    folder = tmp_path / "few"
    write(folder / "b.txt", documents(7, 1), "\r\n", " \t\r\n\r\n")
    write(folder / "a.txt", documents(9, 2), between="\n\n\n")
    (folder / "c.txt").write_bytes(b"")
    (folder / "d.txt").write_bytes(b"\n \n the cat\n\x0c\nthe \xe9 dog\n\n")
    (folder / "e.txt").write_bytes("\ufeff\u3000\nthe mat\n\n\nran".encode())
    # One document longer than a range, without a blank line.
    write(folder / "f.txt", [itertools.chain(*documents(60, 3))])
    text = "\n\n".join(map("\n".join, documents(18, 4)))
    corpus_forms.write_spread(text, folder / "g")
    return str(folder)


@pytest.fixture
def many(tmp_path):
    folder = tmp_path / "many"
    for name in "cab":
        write(folder / f"{name}.txt", documents(90, ord(name)))
    return str(folder)


def both(text, folder, tokenizer, num_shards, **settings):
    """Manifests of the two builders, in `local` and `beam`."""
    local = build_records(
        [text],
        str(folder / "local"),
        tokenizer,
        LENGTH,
        num_shards=num_shards,
        num_processes=1,
        progress=False,
        **settings,
    )
    return local, build_on_beam(
        text,
        folder / "beam",
        tokenizer,
        num_shards=num_shards,
        **settings,
    )


def build_on_beam(text, folder, tokenizer, num_shards=2, **settings):
    overwrite = settings.pop("overwrite", False)
    return build_records_on_beam(
        [text],
        str(folder),
        BuildSettings(tokenizer, LENGTH, **settings),
        "DirectRunner",
        num_shards=num_shards,
        overwrite=overwrite,
        progress=False,
    )


def contents(folder, split):
    records = open_records(str(folder), split)
    return records.read(np.arange(records.num_records))


def assert_same_records(folder, ours, theirs):
    for split in ("train", "eval"):
        expected = contents(folder / "local", split)
        assert contents(folder / "beam", split) == expected
        assert len(set(expected)) > 5
    counts = [
        open_records(str(folder / name), "train").token_counts
        for name in ("local", "beam")
    ]
    np.testing.assert_array_equal(*counts)
    assert ours["stats"] == theirs["stats"]
    # It covers lengths, checksums and order of all records.
    assert ours["fingerprint"] == theirs["fingerprint"]
    without_shards = [
        {k: v for k, v in manifest.items() if k != "splits"}
        for manifest in (ours, theirs)
    ]
    assert without_shards[0] == without_shards[1]


@pytest.mark.parametrize(
    "num_shards", [3, pytest.param(400, marks=pytest.mark.slow)]
)
def test_few_documents(
    tmp_path, few, tokenizer, small_ranges, num_shards, caplog
):
    manifests = both(few, tmp_path, tokenizer, num_shards, eval_fraction=0.3)
    assert_same_records(tmp_path, *manifests)
    assert manifests[0]["stats"]["documents"] == 21 + 18
    names = os.listdir(tmp_path / "beam")
    assert sorted(names) == sorted(os.listdir(tmp_path / "local"))
    counts = verify_records(str(tmp_path / "beam"))
    assert counts == verify_records(str(tmp_path / "local"))
    assert_same_batches(tmp_path)
    warnings = [m for m in caplog.messages if "UTF-8" in m]
    assert len(warnings) == 2
    for message in warnings:
        assert message.startswith(f"{few}/d.txt: 1 lines are not UTF-8")


def assert_same_batches(folder):
    """What training would see."""
    streams = [
        train_batches(open_records(str(folder / name), "train"), 8, 1, 0, 9)
        for name in ("local", "beam")
    ]
    for ours, theirs in zip(
        *(s.as_numpy_iterator() for s in streams), strict=True
    ):
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])


@pytest.mark.parametrize(
    ("num_shards", "settings"),
    [
        (5, {"seed": 5, "eval_fraction": 0.1}),
        (1, {"seed": -1, "eval_fraction": 0.05, "split_long_lines": False}),
    ],
)
def test_many_documents(
    tmp_path, many, tokenizer, small_ranges, num_shards, settings
):
    manifests = both(many, tmp_path, tokenizer, num_shards, **settings)
    assert manifests[0]["stats"]["documents"] == 270
    assert_same_records(tmp_path, *manifests)


def test_a_worker_that_fails_leaves_nothing(tmp_path, few, tokenizer):
    with open(f"{few}/utf16.txt", "w", encoding="utf-16") as f:
        f.write("one\n\ntwo\n")
    with pytest.raises(InputError, match=r"^inputs must be UTF-8 text.*t it$"):
        build_on_beam(few, tmp_path / "out", tokenizer)
    assert sorted(os.listdir(tmp_path)) == ["few"]


def test_the_old_records_stay_until_the_new_are_complete(
    tmp_path, few, many, tokenizer, monkeypatch
):
    out = tmp_path / "out"
    build_on_beam(few, out, tokenizer)
    before = tiny.tree(out)
    with pytest.raises(InputError, match="--overwrite"):
        build_on_beam(many, out, tokenizer)
    # The last thing that a worker does.
    monkeypatch.setattr("electra_tf.data.cluster._rename", fail)
    with pytest.raises(InputError, match=r"cannot write to .*: No space"):
        build_on_beam(many, out, tokenizer, overwrite=True)
    assert tiny.tree(out) == before
    monkeypatch.undo()
    build_on_beam(many, out, tokenizer, overwrite=True, num_shards=1)
    assert verify_records(str(out))["train"] > 100
    assert len([path for path in out.rglob("*") if path.is_file()]) == 9


def fail(*_):
    raise OSError("No space")


@pytest.mark.parametrize(
    ("runner", "options", "match"),
    [
        ("NoSuchRunner", "", "NoSuchRunner"),
        ("DirectRunner", "--direct_num_workers=x", "direct_num_workers"),
        ("DirectRunner", "'", "closing quotation"),
        ("DaskRunner", "", "for Dask give --runner=dask"),
        ("apache_beam.runners.dask.dask_runner.DaskRunner", "", "=dask"),
        ("DirectRunner", "--runner=DaskRunner", "--dask_scheduler"),
    ],
)
def test_what_beam_refuses_is_one_line(
    tmp_path, few, tokenizer, runner, options, match
):
    with pytest.raises(InputError, match=match) as caught:
        build_records_on_beam(
            [few],
            str(tmp_path / "out"),
            BuildSettings(tokenizer, LENGTH),
            runner,
            options,
        )
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["few"]


def test_the_command(tmp_path, text_file, vocab_file):
    with open(text_file, encoding="utf-8") as file:
        text = file.read()
    spread = corpus_forms.write_spread(text, tmp_path / "spread", "body")
    arguments = [
        f"--input={spread}",
        "--text_field=body",
        f"--vocab_file={vocab_file}",
        "--max_seq_length=16",
        "--num_shards=2",
    ]
    for name, more in (("local", []), ("beam", ["--runner=DirectRunner"])):
        finished = tiny.command(
            "build_pretraining_data",
            f"--output_dir={tmp_path}/{name}",
            *arguments,
            *more,
        )
        assert finished.code == 0, finished.err
        assert "20 documents" in finished.out
    manifests = [
        json.loads((tmp_path / name / "manifest.json").read_text())
        for name in ("local", "beam")
    ]
    assert_same_records(tmp_path, *manifests)


def test_beam_is_imported_for_a_runner_alone(
    tmp_path, text_file, vocab_file, monkeypatch
):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    monkeypatch.delitem(sys.modules, "electra_tf.data.cluster.beam", False)
    command = (
        "build_pretraining_data",
        f"--input={text_file}",
        f"--vocab_file={vocab_file}",
        f"--output_dir={tmp_path}/out",
        "--max_seq_length=16",
    )
    error = tiny.command(*command, "--runner=DirectRunner").error()
    assert 'pip install -e ".[beam]"' in error
    assert os.listdir(tmp_path) == []
    assert tiny.command(*command).code == 0
