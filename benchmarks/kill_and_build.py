"""Kills overlapping builds again and again; what stood there must stay.

    python benchmarks/kill_and_build.py --work_dir=/tmp/builds --rounds=20

In each round two builds of one folder are started shortly after each other
and are ended at random moments by SIGKILL or SIGTERM, or left alone. Rounds
take turns: a new folder, --overwrite of finished records, the same on a disk
of 68 KB (where mounting a tmpfs is allowed) and beside a vocabulary of the
user's. After each: records that read as complete are whole and are the old or
the new ones; old ones are never lost; the user's file is as it was; no process
is left. After the last a build that is left alone finds nothing in its way.
Exit code 1 where something was not so.
"""

import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
KINDS = ("new", "overwrite", "new, full disk", "overwrite, full disk")
SECONDS_TO_END = 30.0
SMALL_TEXT = "a man, a plan, a canal\n\nable was i\n\nere i saw elba\n"


class Build:
    """A process of `build_pretraining_data.py` and all that it starts."""

    def __init__(self, text: pathlib.Path, folder: pathlib.Path, *flags: str):
        script = ROOT / "scripts" / "build_pretraining_data.py"
        log = open(folder.parent.parent / "builds.log", "a")
        with log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, str(script), f"--input={text}"),
                    f"--vocab_file={folder / 'vocab.txt'}",
                    *(f"--output_dir={folder}", "--max_seq_length=16"),
                    *("--num_shards=3", "--eval_fraction=0.3", *flags),
                ],
                stdout=log,
                stderr=log,
                cwd=ROOT,
                start_new_session=True,
            )

    def processes(self) -> list[int]:
        """Those of its session that have not ended."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid and fields[0] != "Z":
                found.append(int(path.parent.name))
        return found


def end_at_random(builds: list[Build], seconds: float, rng: random.Random):
    """Ends both or one; returns how."""
    told = []
    for build in builds:
        how = rng.choice([signal.SIGKILL, signal.SIGTERM, None])
        if how is not None:
            time.sleep(rng.uniform(0, seconds))
            build.process.send_signal(how)
        told.append(how.name if how else "left alone")
    codes = [str(build.process.wait()) for build in builds]
    return f"{', '.join(told)}: codes {', '.join(codes)}"


def fingerprint(folder: pathlib.Path) -> str | None:
    """Of the records in a folder, every one of which is read; None: none."""
    from electra_tf.data.records import open_records, verify_records

    if not (folder / "manifest.json").exists():
        return None
    verify_records(str(folder))
    return open_records(str(folder), "train").fingerprint


def wrong(folder, builds, vocab, allowed) -> list[str]:
    """What is not as it must be after a round."""
    found = []
    until = time.monotonic() + SECONDS_TO_END
    while any(build.processes() for build in builds):
        if time.monotonic() > until:
            found.append("processes are left")
            break
        time.sleep(0.2)
    try:
        is_there = fingerprint(folder)
    except ValueError as error:
        found.append(f"records that read as complete are not: {error}")
    else:
        if is_there not in allowed:
            found.append(f"records are {is_there}, not of {allowed}")
    if (folder / "vocab.txt").read_bytes() != vocab:
        found.append("the user's vocabulary is changed")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work_dir", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["PYTHONPATH"] = str(ROOT)
    sys.path.insert(0, str(ROOT))
    given.work_dir.mkdir(parents=True)
    return Rounds(given.work_dir, given.seed).run(given.rounds)


class Rounds:
    """The rounds, with what they have in common.

    Args:
      work_dir: an empty folder.
      seed: of kinds, signals and moments.
    """

    def __init__(self, work_dir: pathlib.Path, seed: int):
        from electra_tf.data.text import embedded_corpus_path

        self.rng, self.work_dir = random.Random(seed), work_dir
        self.text, self.small = work_dir / "text.txt", work_dir / "small.txt"
        shutil.copy(embedded_corpus_path(), self.text)
        self.small.write_text(SMALL_TEXT)
        specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        letters = "abcdefghijklmnopqrstuvwxyz,."
        pieces = [*specials, *letters, *(f"##{x}" for x in letters)]
        self.vocab = "".join(f"{piece}\n" for piece in pieces).encode()
        self.mounts: list[pathlib.Path] = []

    def run(self, rounds: int) -> int:
        """Prints a line a round; returns the exit code."""
        begin = time.monotonic()
        self.old = self._unbroken(self.small, "old")
        whole = time.monotonic()
        self.new = self._unbroken(self.text, "whole")
        self.seconds = time.monotonic() - whole
        print(f"a build left alone: {self.seconds:.1f} s", flush=True)
        bad = 0
        for number in range(rounds):
            kind = KINDS[number % len(KINDS)]
            told, found = self._round(number, kind)
            bad += bool(found)
            print(f"{number + 1:2d} {kind:20} {told}: {found or 'as it must'}")
            sys.stdout.flush()
        for place in self.mounts:
            subprocess.run(["umount", "-l", str(place)], check=True)
        print(f"{rounds} rounds, {time.monotonic() - begin:.0f} s, {bad} bad")
        return 1 if bad else 0

    def _folder(self, name: str, is_small: bool = False) -> pathlib.Path:
        place = self.work_dir / name
        place.mkdir()
        if is_small:
            mount = ["mount", "-t", "tmpfs", "-o", "size=68k", "tmpfs"]
            subprocess.run([*mount, str(place)], check=True)
            self.mounts.append(place)
        folder = place / "records"
        folder.mkdir()
        (folder / "vocab.txt").write_bytes(self.vocab)
        return folder

    def _unbroken(self, text: pathlib.Path, name: str) -> str | None:
        folder = self._folder(name)
        if code := Build(text, folder).process.wait():
            raise SystemExit(f"a build ended with {code}: see builds.log")
        return fingerprint(folder)

    def _round(self, number: int, kind: str) -> tuple[str, list[str]]:
        folder = self._folder(f"round{number}", "full disk" in kind)
        replaces = kind.startswith("overwrite")
        if replaces:
            source = self.work_dir / "old" / "records"
            shutil.copytree(source, folder, dirs_exist_ok=True)
        flags = ["--num_processes=2", *(["--overwrite"] * replaces)]
        builds = []
        for _ in range(2):
            builds.append(Build(self.text, folder, *flags))
            time.sleep(self.rng.uniform(0, 0.2) * self.seconds)
        told = end_at_random(builds, self.seconds, self.rng)
        allowed = {self.old if replaces else None, self.new}
        if "full disk" in kind:
            allowed.discard(self.new)
        found = wrong(folder, builds, self.vocab, allowed)
        if not found and "full disk" not in kind and number % 4 < 2:
            found = self._again(folder)
        return told, found

    def _again(self, folder: pathlib.Path) -> list[str]:
        """A build that is left alone; what it leaves beside the records."""
        if code := Build(self.text, folder, "--overwrite").process.wait():
            return [f"the next build ended with {code}"]
        left = [p.name for p in folder.rglob("*") if p.suffix == ".tmp"]
        shards = len(list(folder.rglob("*.tfrecord")))
        if fingerprint(folder) != self.new or shards != 4 or left:
            return [f"the next build left {left}, {shards} shards"]
        return []


if __name__ == "__main__":
    sys.exit(main())
