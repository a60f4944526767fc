"""The comparison runner: pre-trains systems alike, and probes each.

A run is trained from probe to probe (`--stop_at_step`), with the schedule of
its whole length; the weights at each probe are kept, so that other probes and
more trials can follow later. What is done is known from the files that are
there, so the same command goes on wherever it was stopped.
"""

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf
from tqdm import tqdm

from electra_tf.config.pretraining import (
    differences,
    flat_values,
    make_config,
)
from electra_tf.errors import InputError
from electra_tf.experiments import Comparison, Point, results
from electra_tf.experiments.processes import Processes
from electra_tf.files import check_path
from electra_tf.training.checkpoints import latest_checkpoint
from electra_tf.training.console import say
from electra_tf.training.run_folder import CONFIG, read_config
from electra_tf.training.sources import open_source


@dataclasses.dataclass(frozen=True)
class Job:
    """A part of the work, in one or two processes.

    Attributes:
      kind: jobs of a kind take time in proportion to their cost.
      label: to be shown.
      cost: train-FLOPs, or trials that are missing.
      run: does it.
    """

    kind: str
    label: str
    cost: float
    run: Callable[[], None]


def compare(comparison: Comparison, draw: results.Draw) -> str:
    """Trains and probes what is missing; writes results, table and plots.

    Args:
      comparison: what is compared, and where.
      draw: makes the plots of the results, after every job.

    Returns:
      the table, as Markdown.

    Raises:
      InputError: an input is not as it must be (before anything is trained),
        or a process failed.
      Interrupted: a signal came; the same command goes on.
    """
    metrics = {}
    for probe in comparison.probes:
        try:
            metrics[probe.name] = probe.metric()
        except InputError as error:
            raise InputError(f"probe {probe.name}: {error}") from None
    folder = check_path("output_dir", comparison.output_dir)
    processes = Processes(folder, comparison.plugins)
    with processes.sitting():
        comparison = _with_records(comparison)
        _check_folders(comparison)
        jobs = missing_jobs(comparison, metrics, processes)
        clock = Clock(jobs)
        for number, job in enumerate(jobs, start=1):
            say(f"[{number}/{len(jobs)}] {job.label} | {clock.left()} left")
            begin = time.monotonic()
            job.run()
            clock.add(job, time.monotonic() - begin)
            results.write(comparison, metrics, draw)
        return results.write(comparison, metrics, draw)


def _with_records(comparison: Comparison) -> Comparison:
    """The comparison with one folder of records for all systems.

    Where no data_dir is given, that is `<output_dir>/data`, of the embedded
    corpus. The vocabulary's size, on which FLOPs depend, is the records'.

    Raises:
      InputError: records, vocabulary and configuration do not fit.
    """
    base = {**comparison.base, "model_dir": comparison.output_dir}
    source = open_source(make_config(base), say)
    data_dir = comparison.base.get("data_dir")
    found = {
        "data_dir": data_dir or os.path.join(comparison.output_dir, "data"),
        "vocab_size": source.config.model.vocab_size,
    }
    return dataclasses.replace(comparison, base={**comparison.base, **found})


def _check_folders(comparison: Comparison) -> None:
    """Refuses an output_dir whose runs are not this comparison's.

    Raises:
      InputError: a run there has another configuration, or is past a step
        whose weights were not kept.
    """
    for point in comparison.points():
        folder = point.config.run.model_dir
        if not tf.io.gfile.exists(os.path.join(folder, CONFIG)):
            continue
        changed = differences(read_config(folder), point.config)
        if changed:
            listed = "; ".join(
                f"{name} was {old!r}, now {new!r}"
                for name, (old, new) in changed.items()
            )
            raise InputError(
                f"{folder!r} holds a run that differs from this comparison's: "
                f"{listed}. Use another output_dir, or the old values"
            )
        trained = _latest_step(folder)
        if trained > point.step and not tf.io.gfile.exists(point.weights):
            raise InputError(
                f"{folder!r} is at step {trained:,} already, and the weights "
                f"of step {point.step:,} were not kept: use the old probe_at, "
                "or another output_dir"
            )


def _latest_step(model_dir: str) -> int:
    """The step of a run's newest checkpoint; 0 where there is none."""
    latest = latest_checkpoint(model_dir)
    return int(latest.rpartition("-")[2]) if latest else 0


def missing_jobs(
    comparison: Comparison, metrics: Mapping[str, str], processes: Processes
) -> list[Job]:
    """What is not on disk yet, in the order in which it is to be done."""
    jobs, before = [], 0.0
    for point in comparison.points():
        if point.step == comparison.steps(point.system)[0]:
            before = 0.0
        cost, before = point.train_flops - before, point.train_flops
        name = f"{point.system.name}, seed {point.seed}"
        if not tf.io.gfile.exists(point.weights):
            total = point.system.config.optimizer.num_train_steps
            label = f"{name}: to step {point.step:,} of {total:,}"
            jobs.append(
                Job("training", label, cost, _training(processes, point, label))
            )
        for probe in comparison.probes:
            trials = comparison.trials(probe)
            done = probe.scores(point, metrics[probe.name])
            missing = trials - len(done)
            if missing > 0:
                label = f"{name}: {probe.name} at step {point.step:,}"
                command, flags = probe.command(point, trials)
                run = functools.partial(processes.run, command, flags, label)
                jobs.append(Job(f"probe {probe.name}", label, missing, run))
    return jobs


def _training(
    processes: Processes, point: Point, label: str
) -> Callable[[], None]:
    def run() -> None:
        config = point.config
        values = flat_values(config)
        # None is not given: it follows from others.
        told = {n: value for n, value in values.items() if value is not None}
        flags = [f"--{name}={value}" for name, value in told.items()]
        processes.run("pretrain", flags, label)
        model_dir = config.run.model_dir
        if _latest_step(model_dir) != point.step:
            raise InputError(
                f"{label}: stopped at step {_latest_step(model_dir):,}; the "
                "same command goes on"
            )
        # Under another name until it is whole.
        half = f"{point.weights}.tmp"
        flags = [f"--input={model_dir}", f"--output={half}"]
        processes.run("weights.convert_weights", flags, f"{label}: its weights")
        tf.io.gfile.rename(half, point.weights)

    return run


class Clock:
    """Time left, from what the jobs of this sitting took.

    Args:
      jobs: all that are to be done.
    """

    def __init__(self, jobs: Sequence[Job]):
        self._cost = dict.fromkeys((job.kind for job in jobs), 0.0)
        for job in jobs:
            self._cost[job.kind] += job.cost
        # Of each kind: (seconds, cost) of what is done.
        self._done = dict.fromkeys(self._cost, (0.0, 0.0))

    def add(self, job: Job, seconds: float) -> None:
        """Notes what a job took."""
        spent, cost = self._done[job.kind]
        self._done[job.kind] = (spent + seconds, cost + job.cost)

    def left(self) -> str:
        """As 1:02:05; "?" until a job of each kind was timed."""
        seconds = 0.0
        for kind, (spent, cost) in self._done.items():
            if not cost:
                return "?"
            seconds += spent / cost * (self._cost[kind] - cost)
        return tqdm.format_interval(seconds)
