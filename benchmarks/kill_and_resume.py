"""Kills a pre-training run again and again; its end must not show it.

    python benchmarks/kill_and_resume.py --work_dir=/tmp/kill --kills=10 -- \
        --flagfile=configs/demo.flags --num_train_steps=300 \
        --log_every_steps=5 --save_checkpoints_steps=20 --eval_every_steps=50

The same command runs twice, in two folders: once without a stop, once with
SIGKILL at random moments and a restart after each: while it starts, between
steps, and while it saves. Beside each a second start of the command is made,
which must be refused as long as the first one lives. Compared are all bits of
the last checkpoint (weights, Adam's moments, metric sums) and metrics.jsonl
byte for byte. Exit code 1 if they differ.
"""

import argparse
import filecmp
import os
import pathlib
import random
import re
import subprocess
import sys
import time

from stored_tensors import differing, stored

ROOT = pathlib.Path(__file__).resolve().parents[1]
MOMENTS = ("step", "saving", "start")
REFUSED = 2  # exit code of a second start
_POLL = 0.0005


class Run:
    """A process of `pretrain.py`, and how far it has got."""

    def __init__(
        self, folder: pathlib.Path, flags: list[str], log: str = ".log"
    ):
        self.folder = folder
        self.log = folder.with_suffix(log)
        self.started = time.time()
        with open(self.log, "a") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    str(ROOT / "scripts" / "pretrain.py"),
                    *flags,
                    f"--model_dir={folder}",
                ],
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )

    def ended(self) -> bool:
        return self.process.poll() is not None

    def step(self) -> int:
        """The last step that this process logged, 0 before any."""
        with open(self.log, "rb") as file:
            file.seek(self.log_start)
            found = re.findall(rb"^step ([\d,]+)/", file.read(), re.MULTILINE)
        return int(found[-1].replace(b",", b"")) if found else 0

    def half_saved(self) -> list[str]:
        """What a checkpoint in the making has on the disk."""
        with_temp = (self.folder / "checkpoints").glob("*_temp*")
        return [path.name for path in with_temp]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def wait_for(run: Run, moment: str, target: int, rng: random.Random) -> None:
    """Returns at a random moment of the kind, or when the run has ended."""
    if moment == "start":
        run_until = run.started + rng.uniform(0.1, 12.0)
        while not run.ended() and time.time() < run_until:
            time.sleep(_POLL)
        return
    while not run.ended() and run.step() < target:
        time.sleep(0.02)
    if moment == "step":
        time.sleep(rng.uniform(0, 0.6))
        return
    # A directory of that name may be left of an earlier kill.
    old = set(run.half_saved())
    while not run.ended() and not set(run.half_saved()) - old:
        time.sleep(_POLL)
    time.sleep(rng.choice([0.0, 0.001, 0.003, 0.01]))


def broken_run(
    folder: pathlib.Path, flags: list[str], kills: int, last: int, seed: int
) -> None:
    """Runs to the end with that many kills on the way."""
    rng = random.Random(seed)
    # Not at the very end, which could come before the signal.
    targets = sorted(rng.randrange(int(0.85 * last)) for _ in range(kills))
    moments = [MOMENTS[number % len(MOMENTS)] for number in range(kills)]
    rng.shuffle(moments)
    for number, (target, moment) in enumerate(
        zip(targets, moments, strict=True)
    ):
        run = Run(folder, flags)
        time.sleep(rng.uniform(0, 3))
        second = Run(folder, flags, ".second.log")
        wait_for(run, moment, target, rng)
        # One of the two has the lock; the other one is refused or starting.
        code, other = run.process.poll(), second.process.poll()
        if code not in (None, REFUSED) or other not in (None, REFUSED):
            raise SystemExit(f"codes {code}, {other}, see {run.log}")
        step = max(run.step(), second.step())
        run.kill()
        second.kill()
        print(
            f"kill {number + 1:2d}: while {moment:6s} after "
            f"{time.time() - run.started:5.1f} s, last logged step {step}, "
            f"half-saved: {run.half_saved() or 'nothing'}, second start: "
            f"{'killed' if other is None else 'refused'}",
            flush=True,
        )
    finish(folder, flags)


def finish(folder: pathlib.Path, flags: list[str]) -> None:
    run = Run(folder, flags)
    if run.process.wait():
        raise SystemExit(f"pretrain.py failed, see {run.log}")


def compare(whole: pathlib.Path, broken: pathlib.Path, step: int) -> int:
    """Prints what differs at the end; returns how many things do."""
    ends = [stored(folder, step) for folder in (whole, broken)]
    found = differing(*ends)
    values = sum(tensor.size for tensor in ends[0].values())
    logs = [str(f / "metrics.jsonl") for f in (whole, broken)]
    if not filecmp.cmp(*logs, shallow=False):
        found.append("metrics.jsonl")
    lines = pathlib.Path(logs[0]).read_text().count("\n")
    print(
        f"compared {len(ends[0])} tensors, {values:,} values, and {lines} "
        f"lines of metrics.jsonl: {len(found)} differ {found[:5]}"
    )
    return len(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work_dir", type=pathlib.Path, required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--last_step", type=int, default=300)
    parser.add_argument("flags", nargs="+", help="of pretrain.py, after --")
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    given.work_dir.mkdir(parents=True)
    whole, broken = (given.work_dir / name for name in ("whole", "broken"))
    before = time.time()
    finish(whole, given.flags)
    print(f"unbroken run: {time.time() - before:.0f} s", flush=True)
    broken_run(broken, given.flags, given.kills, given.last_step, given.seed)
    print(f"all: {time.time() - before:.0f} s")
    return 1 if compare(whole, broken, given.last_step) else 0


if __name__ == "__main__":
    sys.exit(main())
