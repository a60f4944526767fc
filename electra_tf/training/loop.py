"""The training loop: batches in, a trained model and its logs out."""

import contextlib
import dataclasses
import json
import math
import signal
import time
from collections.abc import Iterator

import tensorflow as tf

from electra_tf.data.records.batches import naming_bad_records, train_batches
from electra_tf.errors import InputError
from electra_tf.pretraining.pretrainer import Pretrainer
from electra_tf.training.checkpoints import Checkpoints
from electra_tf.training.console import (
    Progress,
    collapse_warning,
    say,
    shown,
)
from electra_tf.training.distribution import Distribution
from electra_tf.training.evaluation import Evaluator, Measure
from electra_tf.training.run_folder import RunFolder, RunLogs
from electra_tf.training.sources import Source

EXAMPLES = "examples.json"


class Stopped(Exception):  # noqa: N818 - not an error
    """A signal, or stop_at_step, ended the run early; its checkpoint is saved.

    `signum` is None for stop_at_step.
    """

    def __init__(self, signum: int | None, step: int):
        super().__init__(signum, step)
        self.signum, self.step = signum, step


@dataclasses.dataclass(eq=False)
class TrainingLoop:
    """Runs steps up to the next event (log, evaluate, save), then that.

    Every worker goes through the same events at the same steps; the chief
    alone writes.

    Args:
      source: the records that are trained on, those held out, and the
        configuration.
      pretrainer: compiled; its optimizer's iterations are the step.
      distribution: who computes which rows.
      folder: where logs and examples go.
      checkpoints: where it goes.
      more: what else evaluations measure.
    """

    source: Source
    pretrainer: Pretrainer
    distribution: Distribution
    folder: RunFolder
    checkpoints: Checkpoints
    more: Measure = dict

    def __post_init__(self) -> None:
        source = self.source
        self.config, self.records = source.config, source.train
        self.logs = self.evaluate = None
        if self.distribution.is_chief:
            self.logs = RunLogs(self.folder.path, self.step)
        if source.held_out is not None:
            self.evaluate = Evaluator(
                self.pretrainer, source, self.distribution, self.more
            )
        self._signal: int | None = None
        self._warned = False
        self._steps = tf.function(self._run_steps)
        self._mark = (self.step, time.time())

    @property
    def step(self) -> int:
        """Updates made so far."""
        return self.pretrainer.step

    def _run_steps(self, batches, count, stage):
        # Traced once a stage: the objective computes something else in each.
        strategy = self.distribution.strategy
        for _ in tf.range(count):
            strategy.run(self.pretrainer.update, args=(next(batches),))

    def run(self) -> None:
        """Trains to num_train_steps.

        Raises:
          Stopped: SIGTERM or SIGINT came, or stop_at_step; the checkpoint
            is saved.
          NonFiniteError: the loss is no longer finite.
        """
        run, total = self.config.run, self.config.optimizer.num_train_steps
        stop = run.stop_at_step or total
        length = self.config.data.max_seq_length
        progress = Progress(self.config.optimizer, self.step, length)
        entered = batches = None
        with (
            contextlib.closing(progress),
            self._listening(),
            naming_bad_records(self.records),
        ):
            while self.step < total:
                if self.step >= stop:
                    raise Stopped(None, self.step)
                stage = self.config.optimizer.batch_stage(self.step)
                if stage != entered:
                    entered, batches = stage, self._batches(stage.batch_size)
                self._advance(batches, progress)
                self._events(progress)

    def _batches(self, size: int):
        """The batches from this step on, of a stage with this batch size."""
        seed, first = self.config.run.seed, self.step
        place = self.config.optimizer.examples_before(first)

        def rows_of_worker(row, count):
            return train_batches(
                self.records, size, seed, first, None, row, count, place
            )

        return iter(self.distribution.batches(rows_of_worker, size))

    def _advance(self, batches, progress: Progress) -> None:
        first, objective, run = (
            self.step,
            self.pretrainer.objective,
            self.config.run,
        )
        objective.enter(first)
        ends = [
            self.config.optimizer.num_train_steps,
            first + self.config.execution.iterations_per_loop,
        ]
        stages = self.config.optimizer.batch_stages()
        stops = [*objective.boundaries, run.stop_at_step]
        stops += [stage.first_step for stage in stages]
        ends += [step for step in stops if step > first]
        intervals = (
            run.log_every_steps,
            run.save_checkpoints_steps,
            run.eval_every_steps,
        )
        ends += [(first // every + 1) * every for every in intervals if every]
        count = min(ends) - first
        self._steps(batches, tf.constant(count), objective.stage)
        check_loss(self._loss(), first, first + count)
        progress.advance(count)

    def _events(self, progress: Progress) -> None:
        config, step = self.config.run, self.step
        last = step == self.config.optimizer.num_train_steps
        if last or step % config.log_every_steps == 0:
            self._log(step, progress)
        every = config.eval_every_steps
        if self.evaluate and (last or (every and step % every == 0)):
            self._evaluate(step)
        # A signal that one worker got stops all, at the same step.
        stop = self.distribution.agreed(int(self._signal is not None))
        save = last or step == config.stop_at_step
        if stop or save or step % config.save_checkpoints_steps == 0:
            check_weights(self.pretrainer.trainable_variables, step)
            if self.distribution.is_chief:
                self.checkpoints.save(step)
        if stop:
            raise Stopped(self._signal or signal.SIGTERM, step)

    def _log(self, step: int, progress: Progress) -> None:
        optimizer, measures = self.config.optimizer, self.pretrainer.measures
        values = measures.measured()
        values["learning_rate"] = float(self.pretrainer.optimizer.learning_rate)
        rows = optimizer.examples_before(step)
        values["tokens_seen"] = rows * self.config.data.max_seq_length
        values["epoch"] = rows / self.records.num_records
        measures.reset_state()
        speed = self._speed(step)
        if self.logs is not None:
            self.logs.write(step, values)
            self.logs.write_timing(step, speed)
        progress.show(step, values, speed["sequences_per_second"])
        warning = collapse_warning(
            values, step, optimizer.num_warmup_steps, optimizer.num_train_steps
        )
        if warning and not self._warned:
            self._warned = True
            say(warning)

    def _speed(self, step: int) -> dict[str, float]:
        before, then = self._mark
        now = time.time()
        self._mark = (step, now)
        seen = self.config.optimizer.examples_before
        seconds = max(now - then, 1e-9)
        return {
            "sequences_per_second": (seen(step) - seen(before)) / seconds,
            "steps_per_second": (step - before) / seconds,
        }

    def _evaluate(self, step: int) -> None:
        before = time.time()
        evaluation = self.evaluate()
        if self.logs is not None:
            self.logs.write(step, evaluation.values)
        say(f"step {step:,} held out | {shown(evaluation.values, 'eval_')}")
        if evaluation.examples and self.distribution.is_chief:
            content = {"step": step, "examples": evaluation.examples}
            self.folder.write(EXAMPLES, json.dumps(content) + "\n")
        # The time of an evaluation is not the training's.
        self._mark = (self._mark[0], self._mark[1] + time.time() - before)

    def _loss(self) -> float:
        sums, _ = tf.unstack(self.pretrainer.measures.state["ratios"])
        return float(tf.reduce_sum(sums))

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """Inside, SIGTERM and SIGINT stop the run at its next event."""

        def note(signum, frame):
            self._signal = signum

        signals = (signal.SIGTERM, signal.SIGINT)
        old = {number: signal.signal(number, note) for number in signals}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)


class NonFiniteError(InputError):
    """The loss or the weights are no longer finite; the run stops."""


def check_loss(loss: float, first: int, last: int) -> None:
    """Raises NonFiniteError where the loss of these steps is not finite."""
    if not math.isfinite(loss):
        raise NonFiniteError(
            f"the loss became {loss} between step {first} and step {last}; "
            "the checkpoint before is whole. Try a lower learning_rate or a "
            "longer warm-up"
        )


def check_weights(variables: list[tf.Variable], step: int) -> None:
    """Raises NonFiniteError where a weight is not finite."""
    for variable in variables:
        if not bool(tf.reduce_all(tf.math.is_finite(variable))):
            raise NonFiniteError(
                f"the weight {variable.path} is not finite at step {step}; "
                "no checkpoint is saved. Try a lower learning_rate"
            )
