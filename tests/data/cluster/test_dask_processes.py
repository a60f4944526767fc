"""Builds on a Dask scheduler and two workers, processes that may be killed."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest
import tiny

pytest.importorskip("distributed", reason="pip install 'electra_tf[dask]'")

from distributed import Client

from electra_tf.data.cluster import dask as dask_build
from electra_tf.data.cluster import shared
from electra_tf.data.records import verify_records

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).parents[3]
SECONDS = 120  # after which nothing is waited for any longer


class Cluster:
    """A scheduler and its workers, each started in an empty folder.

    Args:
      folder: for the scheduler's file and for what they print.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        (folder / "elsewhere").mkdir(parents=True)
        self.file = folder / "scheduler.json"
        self.processes: list[subprocess.Popen] = []
        self.scheduler = self.start("scheduler", "--host=127.0.0.1", "--port=0")
        self.workers = [self.start_worker() for _ in range(2)]

    def start_worker(self) -> subprocess.Popen:
        return self.start(
            "worker", "--host=127.0.0.1", "--nthreads=1", "--no-nanny"
        )

    def start(self, kind: str, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}"]
        command += [f"--scheduler-file={self.file}", "--no-dashboard"]
        log = self.folder / f"{kind}{len(self.processes)}.log"
        with open(log, "w") as printed:
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=self.folder / "elsewhere",
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def wait_for_workers(self) -> None:
        """Returns when all have joined, so that each gets work."""
        end = time.monotonic() + SECONDS
        while not self.file.exists():
            assert time.monotonic() < end
            time.sleep(0.1)
        with Client(
            scheduler_file=str(self.file), set_as_default=False
        ) as client:
            client.wait_for_workers(len(self.workers), timeout=SECONDS)

    def __enter__(self) -> "Cluster":
        try:
            self.wait_for_workers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def corpus(tmp_path, text_file, monkeypatch):
    """The folder that the test is in, with text of many ranges."""
    monkeypatch.setattr(shared, "RANGE_BYTES", 500)
    shutil.copy(text_file, tmp_path / "corpus.txt")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def build(folder, vocab_file, *arguments):
    """The command of a user, with the paths that he would give."""
    return tiny.command(
        "build_pretraining_data",
        "--input=corpus.txt",
        f"--output_dir={folder}",
        f"--vocab_file={vocab_file}",
        "--max_seq_length=16",
        "--num_shards=3",
        *arguments,
    )


def on(cluster):
    return ["--runner=dask", f"--dask_scheduler={cluster.file}"]


def manifest(folder):
    values = json.loads(pathlib.Path(folder, "manifest.json").read_text())
    return {name: value for name, value in values.items() if name != "splits"}


@contextlib.contextmanager
def killed_in_the_middle(process):
    """Kills the process when the first of many ranges has been packed."""
    run = dask_build._Cluster.map

    def killing(self, name, function, items):
        for result in run(self, name, function, items):
            if name == "packing ranges" and process.poll() is None:
                process.kill()
                process.wait()
            yield result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dask_build._Cluster, "map", killing)
        yield
    assert process.poll() is not None


def test_a_worker_that_is_killed(corpus, vocab_file):
    assert build("local", vocab_file).code == 0
    with Cluster(corpus / "cluster") as cluster:
        with killed_in_the_middle(cluster.workers[0]):
            finished = build("dask", vocab_file, *on(cluster))
        assert finished.code == 0, finished.err
        assert manifest("dask") == manifest("local")
        # On the one that is left and one that is new.
        cluster.start_worker()
        finished = build("again", vocab_file, *on(cluster))
        assert finished.code == 0, finished.err
    assert manifest("again") == manifest("local")
    for folder in ("dask", "again"):
        verify_records(folder)
        assert sorted(os.listdir(folder)) == sorted(os.listdir("local"))
    assert not list((corpus / "cluster/elsewhere").rglob("*.tfrecord*"))


def test_a_scheduler_that_is_killed(corpus, vocab_file):
    assert build("records", vocab_file, "--seed=1").code == 0
    before = tiny.tree(corpus / "records")
    with Cluster(corpus / "cluster") as cluster:
        with killed_in_the_middle(cluster.scheduler):
            error = build(
                "records", vocab_file, "--overwrite", *on(cluster)
            ).error()
        assert error.startswith("error: the scheduler must live until")
        # Workers write on for a while.
        assert tiny.tree(corpus / "records") == before
        time.sleep(3)
        assert tiny.tree(corpus / "records") == before
