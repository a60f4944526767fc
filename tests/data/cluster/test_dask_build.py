"""A build on Dask: record for record what the local builder makes."""

import contextlib
import json
import os
import pathlib
import re
import sys
import threading
import types
from concurrent.futures import CancelledError

import corpus_forms
import numpy as np
import pytest
import tiny

pytest.importorskip("distributed", reason="pip install 'electra_tf[dask]'")
from distributed import KilledWorker, LocalCluster
from distributed.comm.core import CommClosedError

from electra_tf.data.cluster import dask as dask_build
from electra_tf.data.cluster import shared
from electra_tf.data.cluster.dask import build_records_on_dask
from electra_tf.data.records import open_records, verify_records
from electra_tf.data.records.build import build_records
from electra_tf.data.records.settings import BuildSettings
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError

LENGTH = 16
WORKER = types.SimpleNamespace(address="tcp://127.0.0.1:1")
UNREAD = "Error during deserialization of the task graph."


@pytest.fixture
def tokenizer(vocab_file):
    return Tokenizer.from_file(vocab_file)


@pytest.fixture
def small_ranges(monkeypatch):
    monkeypatch.setattr(shared, "RANGE_BYTES", 3000)


@contextlib.contextmanager
def threads(count=1):
    """The address of a scheduler and of workers in this process."""
    with LocalCluster(
        n_workers=count,
        threads_per_worker=2,
        processes=False,
        dashboard_address=None,
    ) as cluster:
        yield cluster


def build(text, folder, tokenizer, scheduler, **settings):
    return build_records_on_dask(
        [str(text)],
        str(folder),
        BuildSettings(tokenizer, LENGTH, eval_fraction=0.2),
        scheduler,
        num_shards=3,
        progress=False,
        **settings,
    )


def build_here(text, folder, tokenizer):
    return build_records(
        [str(text)],
        str(folder),
        tokenizer,
        LENGTH,
        eval_fraction=0.2,
        num_shards=3,
        num_processes=1,
        progress=False,
    )


def contents(folder, split):
    records = open_records(str(folder), split)
    return records.read(np.arange(records.num_records))


def assert_same_records(folder, ours, theirs):
    # It covers lengths, checksums and order of all records.
    assert ours["fingerprint"] == theirs["fingerprint"]
    assert ours["stats"] == theirs["stats"]
    for split in ("train", "eval"):
        expected = contents(folder / "local", split)
        assert contents(folder / "dask", split) == expected
        assert len(set(expected)) > 100
    counts = [
        open_records(str(folder / name), "train").token_counts
        for name in ("local", "dask")
    ]
    np.testing.assert_array_equal(*counts)
    names = sorted(os.listdir(folder / "dask"))
    assert names == sorted(os.listdir(folder / "local"))
    verify_records(str(folder / "dask"))


# ---------------------------------------------------------------------------
# Workers in this process.


def test_the_records_are_the_local_ones(
    tmp_path, text_file, tokenizer, small_ranges
):
    local = build_here(text_file, tmp_path / "local", tokenizer)
    with threads() as cluster:
        address = cluster.scheduler_address
        ours = build(text_file, tmp_path / "dask", tokenizer, address)
        assert_same_records(tmp_path, ours, local)
        with open(text_file, encoding="utf-8") as file:
            spread = corpus_forms.write_spread(
                file.read(), tmp_path / "spread", "body"
            )
        forms = build(
            spread, tmp_path / "forms", tokenizer, address, text_field="body"
        )
        assert forms["fingerprint"] == local["fingerprint"]
        before = tiny.tree(tmp_path)
        with pytest.raises(InputError, match="--overwrite"):
            build(text_file, tmp_path / "dask", tokenizer, address)
        utf16 = tmp_path / "utf16.txt"
        utf16.write_text("one\n\ntwo\n", encoding="utf-16")
        for folder in ("dask", "new"):
            with pytest.raises(InputError, match=r"^inputs must be UTF-8"):
                build(
                    utf16, tmp_path / folder, tokenizer, address, overwrite=True
                )
    utf16.unlink()
    assert tiny.tree(tmp_path) == before


def test_it_waits_for_workers_and_says_so(
    tmp_path, text_file, tokenizer, caplog
):
    with threads(0) as cluster:
        waited = threading.Timer(1, cluster.scale, (1,))
        waited.start()
        address = cluster.scheduler_address
        build(text_file, tmp_path / "dask", tokenizer, address)
        assert waited.finished.is_set()
    [message] = [m for m in caplog.messages if "waiting" in m]
    assert address in message


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KilledWorker("key", WORKER, 3), "the last was tcp://127.0.0.1:1"),
        (CommClosedError(), "the scheduler must live until"),
        (CancelledError(), "the scheduler must live until"),
        (RuntimeError(UNREAD), "versions of electra_tf, Python and Dask"),
        (ZeroDivisionError("ours"), None),
    ],
)
def test_what_is_lost_is_told_in_one_line(
    tmp_path, text_file, tokenizer, monkeypatch, error, told
):
    def fail(*_):
        raise error

    monkeypatch.setattr(dask_build, "_write_shards", fail)
    with (
        threads(0) as cluster,
        pytest.raises(InputError if told else type(error)) as caught,
    ):
        build(text_file, tmp_path / "out", tokenizer, cluster.scheduler_address)
    assert (told or "ours") in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_paths_hold_wherever_a_worker_was_started(
    tmp_path, text_file, monkeypatch
):
    monkeypatch.chdir(pathlib.Path(text_file).parent)
    [(_, found)] = shared.numbered_ranges(["addresses.txt"], "text")
    assert found.file == text_file
    monkeypatch.chdir(tmp_path)
    with shared.shared_build("out", 2, overwrite=False) as under_way:
        place = re.escape(f"{tmp_path}/out/records-")
        assert re.fullmatch(place + "[0-9a-f]+/parts", under_way.scratch)
        paths = [planned.paths[shard] for planned, shard in under_way.shards()]
        folder = os.path.dirname(under_way.scratch)
        assert {os.path.dirname(path) for path in paths} == {folder}
    with shared.shared_build("ram://e/out", 2, overwrite=False) as under_way:
        assert under_way.scratch.startswith("ram://e/out/records-")


@pytest.mark.parametrize(
    ("scheduler", "told"),
    [
        ("tcp://127.0.0.1:1", "'tcp://127.0.0.1:1' (Timed out"),
        ("tcp://127.0.0.1:port", "(invalid literal"),
        ("tcp://", "start one with `dask scheduler`"),
        ("tls://127.0.0.1:1", "certificates"),
        ("http://127.0.0.1:1", "an address such as tcp://HOST:8786, or the"),
        ("127.0.0.1:8786", "received no file: --dask_scheduler must be an"),
        ("{tmp_path}", "received a folder"),
        ("{tmp_path}/text", "not JSON"),
        ("{tmp_path}/no_address", "with its address; received None"),
        ("{tmp_path}/number", "with its address; received 8786"),
        ("{tmp_path}/stale", "'tcp://127.0.0.1:1' (Timed out"),
    ],
)
def test_a_scheduler_that_is_none(
    tmp_path, text_file, tokenizer, monkeypatch, scheduler, told
):
    monkeypatch.setattr(dask_build, "_CONNECT_SECONDS", 0.1)
    stale = json.dumps({"address": "tcp://127.0.0.1:1"})
    for name, content in {
        "text": "tcp://127.0.0.1:1",
        "no_address": "{}",
        "number": '{"address": 8786}',
        "stale": stale,
    }.items():
        (tmp_path / name).write_text(content)
    before = tiny.tree(tmp_path)
    with pytest.raises(InputError) as caught:
        build(
            text_file,
            tmp_path / "out",
            tokenizer,
            scheduler.format(tmp_path=tmp_path),
        )
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert tiny.tree(tmp_path) == before


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--runner=dask"], "--dask_scheduler must be given together"),
        (["--dask_scheduler=tcp://a:1"], "must be given together"),
        (["--runner=Direct", "--dask_scheduler=tcp://a:1"], "together"),
        (["DASK", "--beam_options=--a=b"], "come with a --runner of Beam"),
        (["--beam_options=--a=b"], "come with a --runner of Beam"),
        (["DASK", "--num_processes=2"], "start as many Dask workers"),
        (["DASK", "--num_shards=501"], "at most 500"),
    ],
)
def test_flags_that_do_not_go_together(tmp_path, text_file, flags, told):
    on_dask = ["--runner=Dask", "--dask_scheduler=tcp://127.0.0.1:1"]
    given = [
        f for flag in flags for f in (on_dask if flag == "DASK" else [flag])
    ]
    finished = tiny.command(
        "build_pretraining_data",
        f"--input={text_file}",
        f"--output_dir={tmp_path}/out",
        *given,
    )
    assert told in finished.error()
    assert os.listdir(tmp_path) == []


def test_the_extra_is_named_where_it_is_missing(
    tmp_path, text_file, monkeypatch
):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "electra_tf.data.cluster.dask", False)
    error = tiny.command(
        "build_pretraining_data",
        f"--input={text_file}",
        f"--output_dir={tmp_path}/out",
        "--runner=dask",
        "--dask_scheduler=tcp://127.0.0.1:1",
    ).error()
    assert 'pip install -e ".[dask]"' in error
    assert os.listdir(tmp_path) == []
