"""Builds on a Dask scheduler and two workers, processes that may be killed."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest
import tiny

pytest.importorskip("distributed", reason="pip install 'electra_tf[dask]'")

from electra_tf.data.records import verify_records
from electra_tf.data.text import embedded_corpus_path

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).parents[3]
SECONDS = 120  # after which nothing is waited for any longer
FILES = 12  # each of them is a range at least


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
        address = "--host=127.0.0.1"
        self.scheduler = self.start("scheduler", address, "--port=0")
        self.workers = [
            self.start("worker", address, "--nthreads=1", "--no-nanny")
            for _ in range(2)
        ]

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

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def corpus(tmp_path):
    """The embedded corpus in several files, whose folder the test is in."""
    with open(embedded_corpus_path(), encoding="utf-8") as file:
        documents = file.read().split("\n\n")
    (tmp_path / "corpus").mkdir()
    for number in range(FILES):
        text = "\n\n".join(documents[number::FILES])
        (tmp_path / "corpus" / f"{number:02d}.txt").write_text(text)
    with contextlib.chdir(tmp_path):
        yield tmp_path


def command(folder, *arguments):
    """What a user would start, with the paths that he would give."""
    return [
        sys.executable,
        str(ROOT / "scripts/build_pretraining_data.py"),
        "--input=corpus",
        f"--output_dir={folder}",
        "--num_shards=3",
        *arguments,
    ]


def build(folder, *arguments):
    finished = subprocess.run(
        command(folder, *arguments),
        capture_output=True,
        text=True,
        timeout=3 * SECONDS,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return tiny.Finished(finished.returncode, finished.stdout, finished.stderr)


def on(cluster):
    return ["--runner=dask", f"--dask_scheduler={cluster.file}"]


def manifest(folder):
    values = json.loads(pathlib.Path(folder, "manifest.json").read_text())
    return {name: value for name, value in values.items() if name != "splits"}


def kill_in_the_middle(process, folder):
    """Kills the process once some parts, but not all, are begun."""
    killed = threading.Event()

    def watch():
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                parts = os.listdir(f"{folder}/parts.tmp")
                if len(parts) >= 4:  # two splits a part
                    process.kill()
                    if len(parts) < 2 * FILES:
                        killed.set()
                    return
            time.sleep(0.01)

    threading.Thread(target=watch, daemon=True).start()
    return killed


def test_two_workers_and_the_end_of_one(corpus):
    assert build("local", "--num_processes=1").code == 0
    with Cluster(corpus / "cluster") as cluster:
        finished = build("dask", *on(cluster))
        assert finished.code == 0, finished.err
        assert manifest("dask") == manifest("local")
        killed = kill_in_the_middle(cluster.workers[0], corpus / "again")
        finished = build("again", *on(cluster))
        assert finished.code == 0, finished.err
        assert killed.is_set()
        assert cluster.workers[0].poll() is not None
    assert manifest("again") == manifest("local")
    verify_records("again")
    assert sorted(os.listdir("again")) == sorted(os.listdir("local"))
    assert os.listdir(corpus / "cluster/elsewhere") == []


def test_the_end_of_the_scheduler(corpus):
    assert build("records", "--num_processes=1", "--seed=1").code == 0
    before = tiny.tree(corpus / "records")
    for folder, more in (("new", []), ("records", ["--overwrite"])):
        with Cluster(corpus / "cluster" / folder) as cluster:
            killed = kill_in_the_middle(cluster.scheduler, corpus / folder)
            error = build(folder, *on(cluster), *more).error()
            assert killed.is_set()
            # They come to no end by themselves, and so write on for a while.
            time.sleep(5)
        assert error.startswith("error: the scheduler must live until")
        assert tiny.tree(corpus / "records") == before
        assert not (corpus / "new").exists()
