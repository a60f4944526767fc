"""Names of files and folders that are no names, or read as patterns."""

import pathlib
import shutil

import pytest
import tiny
from test_numeric_flags import (  # noqa: F401, fixtures
    CASES,
    BegunError,
    begin,
    command_of,
    place,
    short_ways,
)

from electra_tf.config import fields_of, kind_of
from electra_tf.weights import NAMES

LONG = "x" * 5000
# Asked of the network, or imported.
NO_NAMES = ("tpu_name", "strategy", "plugin")


def text_flags(name: str) -> list[str]:
    fields = fields_of(*command_of(name).every_kind())
    return [
        n
        for n, f in fields.items()
        if kind_of(f)[0] in (str, tuple) and not f.metadata["argument"]
        if f.metadata["choices"] is None and n not in NO_NAMES
    ]


@pytest.mark.usefixtures("short_ways")
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.command}{c.flags}")
def test_a_command_begins_or_says_one_line(case, place, monkeypatch):  # noqa: F811
    """Whatever a flag names: too long, a folder, a file, below a file."""
    if case.work:
        monkeypatch.setattr(case.work, begin)
    before = tiny.tree(place)
    wrong = []
    for name in text_flags(case.command):
        for value in ("", LONG, place, f"{place}/text", f"{place}/text/below"):
            try:
                finished = case.run(place, f"--{name}={value}")
                if finished.code:
                    finished.error()
            except BegunError:
                continue
            except Exception as error:
                wrong.append(f"{name}={value[:99]}: {type(error)} {error}")
    assert not wrong, "\n".join(wrong)
    assert tiny.tree(place) == before


REFUSED = "must have none of the characters"


@pytest.fixture
def odd(tmp_path) -> pathlib.Path:
    """A folder that reads as a pattern, which no file in it matches."""
    folder = tmp_path / "lr[15]"
    folder.mkdir()
    return folder


def test_a_runs_folder_that_reads_as_a_pattern_is_refused(tiny_run, odd):
    """TensorFlow finds no checkpoint there: it would be "none yet"."""
    run = odd / "run"
    shutil.copytree(tiny_run.folder, run)
    before = tiny.tree(odd)
    for command, *flags in (
        ("evaluate_pretraining", "--model_dir={}"),
        ("convert_weights", "--input={}", "--output={}/../out"),
        ("export_saved_model", "--model_dir={}", "--output_dir=out"),
        ("pretrain", "--init_checkpoint={}", "--model_dir={}/../../new"),
        ("pretrain", "--model_dir={}"),
        ("verify_saved_model", "{}"),
        ("demo", "--saved_model={}"),
        ("export_saved_model", "--model_dir=tiny", "--output_dir={}/new"),
    ):
        finished = tiny.command(command, *(flag.format(run) for flag in flags))
        assert REFUSED in finished.error(), command
    assert tiny.tree(odd) == before
    assert [path.name for path in odd.parent.iterdir()] == [odd.name]


def test_what_takes_a_pattern_as_a_name(
    odd, text_file, vocab_file, records_dir
):
    """What goes through no search of TensorFlow's works."""
    data, weights = odd / "data", odd / "weights"
    shutil.copytree(records_dir, data)
    shutil.copytree(NAMES["tiny"], weights)
    shutil.copy(text_file, odd / "text*.txt")
    shutil.copy(text_file, odd / "text2.txt")
    shutil.copy(vocab_file, odd / "vocab[1].txt")
    authors = odd / "authors" / "pretrain_tfrecords"
    authors.mkdir(parents=True)
    shard = next(data.glob("train-*.tfrecord"))
    shutil.copy(shard, authors / "pretrain_data.tfrecord-0")
    shutil.copy(shard, odd / "one*.tfrecord")
    shutil.copy(shard, odd / "one2.tfrecord")
    out = odd.parent / "records"
    for command, *flags in (
        ("verify_records", f"--data_dir={data}"),
        ("verify_records", f"--data_dir={odd}/authors"),
        ("verify_records", f"--data_dir={odd}/one*.tfrecord"),
        (
            "build_pretraining_data",
            f"--input={odd}/text*.txt",
            f"--vocab_file={odd}/vocab[1].txt",
            f"--output_dir={out}",
        ),
        ("convert_weights", f"--input={weights}", f"--output={out}2"),
    ):
        finished = tiny.command(command, *flags)
        assert finished.code == 0, (command, finished.err)
        if "one*" in flags[0]:
            single = finished.out
    # A file of exactly that name comes first: one was read, not both.
    count = tiny.command("verify_records", f"--data_dir={odd}/one2.tfrecord")
    assert single.partition(": ")[2] == count.out.partition(": ")[2]
