"""Every mistake of a user: one line that names it, nothing half-written."""

import errno
import json
import os
import pathlib
import shutil
import subprocess
from collections import Counter

import pytest
import tensorflow as tf
import tiny

from electra_tf.training import checkpoints, run_folder

# ---------------------------------------------------------------------------
# Values that break a rule: refused before anything is read or written.


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--no_such_flag=1", "no_such_flag"),
        ("--objective=gpt", "must be one of electra, electra_15, "),
        ("--tying=some", "none, embeddings, all"),
        ("--model_size=huge", "small, small_released, base, large"),
        ("--num_train_steps=many", "many"),
        ("--num_train_steps=1.5", "1.5"),
        ("--learning_rate=fast", "fast"),
        ("--do_lower_case=perhaps", "perhaps"),
        ("stray", "stray"),
        ("--flagfile=/no/such/flags", "/no/such/flags"),
        ("--max_seq_length=33", "max_position_embeddings (32); received 33"),
        ("--max_seq_length=4", "at least 5; received 4"),
        ("--mask_prob=0", "between 0 and 1; received 0.0"),
        ("--mask_prob=1", "between 0 and 1; received 1.0"),
        ("--mask_prob=-0.1", "received -0.1"),
        ("--mask_prob=nan", "received nan"),
        ("--hidden_dropout_prob=1", "[0, 1); received 1.0"),
        ("--learning_rate=0", "must be positive; received 0.0"),
        ("--learning_rate=nan", "must be finite in float32; received nan"),
        ("--learning_rate=inf", "must be finite in float32; received inf"),
        ("--num_train_steps=0", "must be positive; received 0"),
        ("--train_batch_size=-1", "must be positive; received -1"),
        ("--num_warmup_steps=-1", "must not be negative; received -1"),
        ("--seed=-1", "must not be negative; received -1"),
        ("--seed=4294967296", "below 4294967296; received 4294967296"),
        ("--num_attention_heads=3", "num_attention_heads (3); received 32"),
        ("--generator_hidden_size=0.001", "generator_hidden_size"),
        ("--generator_layers=0.1", "generator_layers"),
        ("--tying=all", "generator_hidden_size"),  # with 0.5 in tiny.FLAGS
        ("--model_dir=", "model_dir must name a folder"),
    ],
)
def test_values_that_break_a_rule(flag, told, records_dir, tmp_path):
    finished = tiny.pretrain(
        flag, model_dir=str(tmp_path / "run"), data_dir=records_dir
    )
    assert told in finished.error()
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------
# Text and vocabularies.


def build(*arguments):
    return tiny.command("build_pretraining_data", *arguments)


@pytest.mark.parametrize("content", [None, "", "\n \n\n"])
def test_a_corpus_that_is_missing_or_empty(content, vocab_file, tmp_path):
    corpus, folder = tmp_path / "corpus.txt", tmp_path / "records"
    if content is not None:
        corpus.write_text(content)
    before = tiny.tree(tmp_path)
    finished = build(
        f"--input={corpus}",
        f"--output_dir={folder}",
        f"--vocab_file={vocab_file}",
    )
    line = finished.error()
    assert (str(corpus) if content is None else "must have tokens") in line
    assert tiny.tree(tmp_path) == before


def test_a_corpus_without_words_gives_no_vocabulary(tmp_path):
    corpus, output = tmp_path / "corpus.txt", tmp_path / "vocab.txt"
    corpus.write_text("\n\n")
    finished = tiny.command(
        "train_vocab", f"--input={corpus}", f"--output={output}"
    )
    assert "text" in finished.error()
    assert not output.exists()


def broken_vocabs():
    for piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"):
        yield piece, lambda v, piece=piece: [p for p in v if p != piece]
    yield "lines 6 and 31", lambda v: [*v[:30], v[5], *v[30:]]
    yield "an empty line 31", lambda v: [*v[:30], "", *v[30:]]


@pytest.mark.parametrize(("told", "broken"), list(broken_vocabs()))
def test_a_vocabulary_that_is_broken(told, broken, text_file, tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{p}\n" for p in broken(tiny.vocab())))
    before = tiny.tree(tmp_path)
    for finished in (
        build(
            f"--input={text_file}",
            f"--output_dir={tmp_path / 'records'}",
            f"--vocab_file={path}",
        ),
        # On the embedded corpus.
        tiny.pretrain(model_dir=str(tmp_path / "run"), vocab_file=path),
    ):
        assert told in finished.error()
        assert tiny.tree(tmp_path) == before


def test_a_vocabulary_with_fewer_pieces_than_asked_for_is_used_and_said(
    tmp_path, monkeypatch
):
    from electra_tf.data.tokenizers import WordPieceTokenizer
    from electra_tf.errors import InputError
    from electra_tf.training import sources

    def stop(inputs, folder, tokenizer, *_, **options):
        raise InputError(f"records of {tokenizer.vocab_size} pieces")

    learnt = WordPieceTokenizer(tiny.vocab()), Counter()
    monkeypatch.setattr(
        WordPieceTokenizer, "learn", lambda *_, **options: learnt
    )
    monkeypatch.setattr(sources, "build_records", stop)
    size = len(tiny.vocab())
    finished = tiny.pretrain(
        model_dir=str(tmp_path / "run"), vocab_size=size + 1
    )
    assert f"records of {size} pieces" in finished.err
    assert f"it gives {size:,} pieces, no more" in finished.err


# ---------------------------------------------------------------------------
# Records.


@pytest.fixture
def copied_records(records_dir, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(records_dir, folder)
    return folder


def refused(tmp_path, data_dir, **changed) -> str:
    """The line of a run that must not leave anything behind."""
    before = tiny.tree(tmp_path)
    finished = tiny.pretrain(
        model_dir=str(tmp_path / "run"), data_dir=data_dir, **changed
    )
    assert tiny.tree(tmp_path) == before
    return finished.error()


def test_records_of_another_length(records_dir, tmp_path):
    line = refused(tmp_path, records_dir, max_seq_length=24)
    assert "received 24" in line
    assert f"must be {tiny.LENGTH}" in line


def test_records_of_another_vocabulary(records_dir, tmp_path):
    pieces = [*tiny.vocab(), "another"]
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{p}\n" for p in pieces))
    line = refused(tmp_path, records_dir, vocab_file=path)
    assert f"{len(pieces) - 1} pieces; received" in line
    assert f"{len(pieces)} pieces" in line
    line = refused(tmp_path, records_dir, vocab_size=77)
    assert "; received 77" in line
    assert str(len(pieces) - 1) in line


def test_records_of_another_casing(records_dir, tmp_path):
    line = refused(tmp_path, records_dir, do_lower_case=False)
    assert "do_lower_case must be True" in line
    assert "received False" in line


@pytest.mark.parametrize(
    "wrong",
    [
        {"vocab_size": 77},
        {"vocab_size": 30522},  # the default, but given
        {"max_seq_length": 24},
        {"do_lower_case": False},
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry_run"]])
def test_records_that_do_not_fit(dry, wrong, records_dir, tmp_path):
    [(name, value)] = wrong.items()
    given = {"model_dir": f"{tmp_path}/run", "data_dir": records_dir, **wrong}
    line = tiny.pretrain(*dry, **given).error()
    assert f"{name} must be" in line
    assert f"received {value}" in line
    assert not list(tmp_path.iterdir())


def test_a_comparison_has_the_vocabulary_of_its_records(records_dir, tmp_path):
    finished = tiny.command(
        "compare_objectives",
        "--systems=electra,mlm",
        "--vocab_size=77",
        f"--data_dir={records_dir}",
        f"--output_dir={tmp_path}/out",
    )
    assert f"vocab_size must be {len(tiny.vocab())}" in finished.error()
    assert not list(tmp_path.iterdir())


def test_records_without_manifest_whose_ids_are_too_high(
    records_dir, vocab_file, tmp_path
):
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{p}\n" for p in tiny.vocab()[:60]))
    line = refused(tmp_path, f"{records_dir}/train*.tfrecord", vocab_file=path)
    assert "must be below the vocabulary's 60" in line


def test_records_without_manifest_need_a_vocabulary(records_dir, tmp_path):
    pattern = f"{records_dir}/train*.tfrecord"
    assert "--vocab_file" in refused(tmp_path, pattern)


@pytest.mark.parametrize("pattern", ["missing", "missing-*.tfrecord", "."])
def test_no_records_match(pattern, tmp_path, vocab_file):
    pattern = str(tmp_path / pattern)
    assert pattern in refused(tmp_path, pattern, vocab_file=vocab_file)


def test_a_shard_that_is_truncated_or_missing(copied_records, tmp_path):
    shard = sorted(copied_records.glob("train-*.tfrecord"))[1]
    shard.write_bytes(shard.read_bytes()[:-20])
    line = refused(tmp_path, copied_records)
    assert str(shard) in line
    assert "truncated" in line
    shard.unlink()
    line = refused(tmp_path, copied_records)
    assert str(shard) in line
    assert "received no" in line


def test_a_truncated_shard_without_manifest(
    copied_records, vocab_file, tmp_path
):
    shard = sorted(copied_records.glob("train-*.tfrecord"))[1]
    shard.write_bytes(shard.read_bytes()[:-20])
    pattern = f"{copied_records}/train*.tfrecord"
    assert str(shard) in refused(tmp_path, pattern, vocab_file=vocab_file)


@pytest.mark.slow
def test_a_corrupt_shard_is_named_when_a_batch_meets_it(
    copied_records, tmp_path
):
    shard = sorted(copied_records.glob("train-*.tfrecord"))[1]
    content = bytearray(shard.read_bytes())
    content[len(content) // 3 :: 50] = b"?" * len(
        content[len(content) // 3 :: 50]
    )
    shard.write_bytes(content)
    folder = tmp_path / "run"
    finished = tiny.pretrain(model_dir=str(folder), data_dir=copied_records)
    assert str(shard) in finished.error()
    # The run had begun; it can go on when the shard is whole again.
    assert not [name for name in tiny.tree(folder) if "tmp" in name]
    assert not list((folder / "checkpoints").glob("*_temp*"))


@pytest.mark.parametrize("name", ["manifest.json", "train.index.npz"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[1, 2]"])
def test_a_damaged_manifest_or_index(name, content, copied_records, tmp_path):
    (copied_records / name).write_bytes(content)
    assert name in refused(tmp_path, copied_records)


def test_verify_records_names_a_corrupt_shard(copied_records):
    shard = sorted(copied_records.glob("train-*.tfrecord"))[0]
    content = bytearray(shard.read_bytes())
    content[20] ^= 0xFF
    shard.write_bytes(content)
    finished = tiny.command("verify_records", f"--data_dir={copied_records}")
    assert str(shard) in finished.error()


# ---------------------------------------------------------------------------
# A folder of another run, and folders that cannot be written.


@pytest.fixture(scope="module")
def other_run(tiny_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("other") / "run"
    shutil.copytree(tiny_run.folder, folder)
    return folder


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 8),
        ("hidden_size", 64),
        ("generator_hidden_size", 1.0),
        ("tying", "none"),
        ("objective", "mlm"),
        ("mask_prob", 0.25),
        ("learning_rate", 1e-3),
        ("train_batch_size", 4),
        ("num_warmup_steps", 2),
        ("num_train_steps", 10),
        ("compat", "google"),
        ("max_position_embeddings", 16),
    ],
)
def test_a_model_dir_of_a_run_that_differs(name, value, other_run, records_dir):
    before = tiny.tree(other_run)
    finished = tiny.pretrain(
        **{"model_dir": other_run, "data_dir": records_dir, name: value}
    )
    line = finished.error()
    old = json.loads((other_run / "config.json").read_text())
    old = {k: v for group in old.values() for k, v in group.items()}[name]
    assert f"{name} was {old!r}, now {value!r}" in line
    assert tiny.tree(other_run) == before


def test_a_model_dir_of_a_run_on_other_records(
    other_run, text_file, vocab_file, tmp_path
):
    shorter = tmp_path / "shorter.txt"
    shorter.write_text(pathlib.Path(text_file).read_text()[:20000])
    tiny.build(str(shorter), str(tmp_path / "data"), vocab_file, tiny.LENGTH)
    before = tiny.tree(other_run)
    finished = tiny.pretrain(model_dir=other_run, data_dir=tmp_path / "data")
    old = json.loads((other_run / "records.json").read_text())["fingerprint"]
    new = json.loads((tmp_path / "data/manifest.json").read_text())
    assert old != new["fingerprint"]
    assert f"{old!r}, now {new['fingerprint']!r}" in finished.error()
    assert tiny.tree(other_run) == before


def test_a_model_dir_whose_embedded_records_have_another_vocabulary(
    records_dir, tmp_path
):
    folder = tmp_path / "run"
    shutil.copytree(records_dir, folder / "data")
    before = tiny.tree(tmp_path)
    size = len(tiny.vocab())
    finished = tiny.pretrain(model_dir=folder, vocab_size=size - 10)
    line = finished.error()
    assert f"received {size - 10}" in line
    assert f"{size} pieces" in line
    assert tiny.tree(tmp_path) == before


@pytest.mark.parametrize("has_records", [True, False])
def test_a_folder_that_cannot_be_written(
    has_records, records_dir, vocab_file, tmp_path
):
    """Below a file: permissions would not stop root."""
    (tmp_path / "file").write_text("")
    before = tiny.tree(tmp_path)
    folder = str(tmp_path / "file" / "run")
    finished = tiny.pretrain(
        model_dir=folder,
        data_dir=records_dir if has_records else None,
        vocab_file=vocab_file,
    )
    assert folder in finished.error()
    assert tiny.tree(tmp_path) == before


# ---------------------------------------------------------------------------
# A full disk.


def no_space(*arguments, **named):
    raise tf.errors.ResourceExhaustedError(None, None, "No space left")


@pytest.mark.slow
def test_a_full_disk_while_saving_keeps_the_checkpoint_before(
    tiny_run, records_dir, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    save = tf.train.CheckpointManager.save

    def fill(self, checkpoint_number, **named):
        if checkpoint_number < 21:
            return save(self, checkpoint_number, **named)
        # What TensorFlow leaves when it fails half-way.
        prefix = f"{self.directory}/step-{checkpoint_number}"
        os.makedirs(f"{prefix}_temp")
        pathlib.Path(f"{prefix}_temp/part-00000-of-00001").write_text("half")
        pathlib.Path(f"{prefix}.data-00000-of-00001").write_text("half")
        pathlib.Path(f"{self.directory}/checkpoint.tmp123").write_text("")
        no_space()

    with monkeypatch.context() as patch:
        patch.setattr(tf.train.CheckpointManager, "save", fill)
        finished = tiny.pretrain(model_dir=folder, data_dir=records_dir)
    line = finished.error()
    assert "step 21" in line
    assert "No space left" in line
    names = {path.name for path in (folder / "checkpoints").iterdir()}
    whole = [f"step-{n}" for n in (7, 14)]
    ends = (".index", ".data-00000-of-00001")
    assert names == {"checkpoint", *(n + end for n in whole for end in ends)}
    # With space again the run goes on as if nothing had been.
    assert tiny.pretrain(model_dir=folder, data_dir=records_dir).code == 0
    tiny.assert_same_end(str(folder), tiny_run.folder)


@pytest.mark.parametrize("name", ["config.json", "vocab.txt"])
def test_a_full_disk_at_the_start_leaves_no_folder(
    name, records_dir, tmp_path, monkeypatch
):
    rename = tf.io.gfile.rename

    def fill(source, *arguments, **named):
        if name in source:
            no_space()
        rename(source, *arguments, **named)

    monkeypatch.setattr(tf.io.gfile, "rename", fill)
    assert "No space left" in refused(tmp_path, records_dir)


def test_a_text_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = str(tmp_path / "text")
    run_folder.write_text(path, "old")
    monkeypatch.setattr(tf.io.gfile, "rename", no_space)
    with pytest.raises(ValueError, match="No space left"):
        run_folder.write_text(path, "new")
    assert tiny.tree(tmp_path).keys() == {"text"}
    assert (tmp_path / "text").read_text() == "old"


def test_a_full_disk_while_logging_is_one_line(tmp_path, monkeypatch):
    lines = run_folder.JsonLines(str(tmp_path / "log"), 0)

    class Full:
        def __init__(self, *arguments):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tf.io.gfile, "GFile", Full)
    with pytest.raises(ValueError, match="No space left"):
        lines.append({"step": 1})


@pytest.fixture
def small_disk(tmp_path):
    """A file system of eight megabytes, where mounting is allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no mount command")
    if done.returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("checkpoints", [0, 0.5, 2.5])
def test_a_disk_that_really_fills_up(
    checkpoints, records_dir, small_disk, tiny_run
):
    folder, ballast = small_disk / "run", small_disk / "ballast"
    files = pathlib.Path(tiny_run.folder, "checkpoints").glob("step-7*")
    each = sum(path.stat().st_size for path in files)
    fill_up_to(ballast, int(checkpoints * each))
    finished = tiny.pretrain(model_dir=folder, data_dir=records_dir)
    assert "No space left" in finished.error()
    left = tiny.tree(small_disk)
    assert not [name for name in left if "tmp" in name or "_temp" in name]
    assert folder.exists() == (checkpoints > 0)
    # As many whole ones as had room.
    found = list(folder.glob("checkpoints/*.index"))
    assert len(found) == int(checkpoints)
    ballast.unlink()
    finished = tiny.pretrain(model_dir=folder, data_dir=records_dir)
    assert finished.code == 0, finished.err
    assert ("going on from" in finished.err) == bool(found)
    tiny.assert_same_end(str(folder), tiny_run.folder)


def fill_up_to(ballast: pathlib.Path, spare: int) -> None:
    """Leaves `spare` bytes of the disk free."""
    free = shutil.disk_usage(ballast.parent).free
    ballast.write_bytes(bytes(max(free - spare, 0)))


# ---------------------------------------------------------------------------
# Files of a run that are broken.


@pytest.fixture
def broken_run(tiny_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(tiny_run.folder, folder)
    return folder


NOT_CONFIGS = [
    b"", b"{", b"\xff\xfe\x00", b"[]", b"3", b'{"model": 3}',
    b'{"modell": {}}', b'{"model": {"hidden_sice": 3}}',
    b'{"model": {"hidden_size": "large"}}',
    b'{"model": {"hidden_size": 3.5}}', b'{"model": {"hidden_size": null}}',
    b'{"objective": {"mask_prob": 2.0}}', b'{"model": {"tying": ["all"]}}',
]  # fmt: skip


@pytest.mark.parametrize("content", NOT_CONFIGS)
def test_a_broken_config(content, broken_run, records_dir):
    (broken_run / "config.json").write_bytes(content)
    before = tiny.tree(broken_run)
    finished = tiny.pretrain(model_dir=broken_run, data_dir=records_dir)
    assert str(broken_run / "config.json") in finished.error()
    evaluated = tiny.command(
        "evaluate_pretraining", f"--model_dir={broken_run}"
    )
    assert str(broken_run / "config.json") in evaluated.error()
    assert tiny.tree(broken_run) == before


@pytest.mark.parametrize("name", ["records.json", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00"])
def test_other_files_of_a_run_that_are_broken(
    name, content, broken_run, records_dir
):
    (broken_run / name).write_bytes(content)
    before = tiny.tree(broken_run)
    finished = tiny.pretrain(model_dir=broken_run, data_dir=records_dir)
    assert name in finished.error()
    assert tiny.tree(broken_run) == before


def spoil(path: pathlib.Path) -> None:
    content = bytearray(path.read_bytes())
    content[::100] = b"?" * len(content[::100])
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("pattern", "how"),
    [
        ("step-24.data*", "spoilt"),
        ("step-24.data*", "missing"),
        ("step-24.data*", "short"),
        ("step-24.index", "spoilt"),
        ("step-24.index", "missing"),
        ("checkpoint", "spoilt"),
        ("checkpoint", "empty"),
    ],
)
def test_a_broken_checkpoint(pattern, how, broken_run, records_dir, tmp_path):
    path = next((broken_run / "checkpoints").glob(pattern))
    if how == "missing":
        path.unlink()
    elif how == "spoilt":
        spoil(path)
    else:
        content = path.read_bytes()
        path.write_bytes(content[:1000] if how == "short" else b"")
    logged = (broken_run / "metrics.jsonl").read_bytes()
    finished = tiny.pretrain(
        model_dir=broken_run, data_dir=records_dir, num_train_steps=30
    )
    assert "checkpoint" in finished.error()
    # The run did not start anew over what there is.
    assert (broken_run / "metrics.jsonl").read_bytes() == logged
    output = tmp_path / "export"
    exported = tiny.command(
        "export_saved_model",
        f"--model_dir={broken_run}",
        f"--output_dir={output}",
    )
    assert "checkpoint" in exported.error()
    assert not output.exists()


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"spoilt"])
def test_broken_weights(content, tiny_run, tmp_path):
    folder = tmp_path / "weights"
    arguments = (f"--input={tiny_run.folder}", f"--output={folder}")
    assert tiny.command("convert_weights", *arguments).code == 0
    path = folder / "weights.npz"
    if content is None:
        path.unlink()
    elif content == b"spoilt":
        spoil(path)
    else:
        path.write_bytes(content)
    finished = tiny.command(
        "export_saved_model",
        f"--model_dir={folder}",
        f"--output_dir={tmp_path / 'export'}",
    )
    assert "weights" in finished.error()
    assert not (tmp_path / "export").exists()


def test_initial_weights_that_do_not_fit_leave_no_folder(
    tiny_run, mlm_run, records_dir, tmp_path
):
    """Else the folder would refuse the command once it is put right."""
    for name, value, told in (
        ("intermediate_size", 128, "received 128"),
        ("num_hidden_layers", 3, "received 3"),
        ("init_checkpoint", mlm_run.folder, "must match the model"),
        ("init_checkpoint", str(tmp_path / "none"), str(tmp_path / "none")),
    ):
        values = {"init_checkpoint": tiny_run.folder, name: value}
        assert told in refused(tmp_path, records_dir, **values)


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("evaluate_pretraining", ["--model_dir={empty}"]),
        ("evaluate_pretraining", []),
        ("evaluate_pretraining", ["--model_dir={run}", "--num_eval_steps=0"]),
        ("evaluate_pretraining", ["--model_dir={run}", "--data_dir={empty}"]),
        ("export_saved_model", ["--model_dir={empty}"]),
        (
            "export_saved_model",
            ["--model_dir={run}", "--output_dir={empty}", "--for_finetuning"],
        ),
        ("export_saved_model", ["--model_dir={run}", "--output_dir={below}"]),
        ("convert_weights", ["--input={run}"]),
        ("convert_weights", ["--input={empty}", "--output={new}"]),
        ("convert_weights", ["--input={run}", "--output={below}"]),
        ("convert_weights", ["--input={run}", "--output={run}"]),
        ("verify_records", ["--data_dir={empty}"]),
        ("build_pretraining_data", ["--output_dir={new}"]),
        ("train_vocab", ["--input={empty}", "--output={new}"]),
        ("report", ["--model_dir={empty}"]),
    ],
)
def test_other_commands(command, flags, tiny_run, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    places = {
        "run": tiny_run.folder,
        "empty": tmp_path / "empty",
        "below": tmp_path / "file" / "below",
        "new": tmp_path / "new",
    }
    before = tiny.tree(tmp_path), tiny.tree(tiny_run.folder)
    arguments = [flag.format(**places) for flag in flags]
    tiny.command(command, *arguments).error()
    assert (tiny.tree(tmp_path), tiny.tree(tiny_run.folder)) == before


def test_evaluation_of_a_run_without_a_checkpoint(broken_run, records_dir):
    shutil.rmtree(broken_run / checkpoints.FOLDER)
    finished = tiny.command("evaluate_pretraining", f"--model_dir={broken_run}")
    assert "no checkpoint" in finished.error()


def test_evaluation_gives_what_the_run_gave(tiny_run):
    finished = tiny.command(
        "evaluate_pretraining", f"--model_dir={tiny_run.folder}"
    )
    assert finished.code == 0, finished.err
    assert json.loads(finished.out) == tiny.metrics(tiny_run.folder)[-1]
