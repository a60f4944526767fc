"""The training loop: batches in, a trained model and its logs out."""

import math
import signal
import time
from collections.abc import Callable

import tensorflow as tf

from electra_tf.config.pretraining import PretrainingConfig
from electra_tf.data.records import Records
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
from electra_tf.training.evaluation import Evaluation, Evaluator
from electra_tf.training.run_folder import RunLogs


class Stopped(Exception):  # noqa: N818 - not an error
    """A signal, or stop_at_step, ended the run early; its checkpoint is saved.

    `signum` is None for stop_at_step.
    """

    def __init__(self, signum: int | None, step: int):
        super().__init__(signum, step)
        self.signum, self.step = signum, step


class TrainingLoop:
    """Runs steps up to the next event (log, evaluate, save), then that.

    Every worker goes through the same events at the same steps; the chief
    alone writes.

    Args:
      config: intervals, batch, length and the number of steps are used.
      pretrainer: compiled; its optimizer's iterations are the step.
      records: what is trained on.
      distribution: who computes which rows.
      checkpoints: where it goes.
      logs: where it goes; None for a worker that writes nothing.
      evaluate: gives an Evaluation, or None for no evaluation.
      on_evaluation: called with step and Evaluation.
    """

    def __init__(
        self,
        config: PretrainingConfig,
        pretrainer: Pretrainer,
        records: Records,
        distribution: Distribution,
        checkpoints: Checkpoints,
        logs: RunLogs | None,
        evaluate: Evaluator | None,
        on_evaluation: Callable[[int, Evaluation], None],
    ):
        self.run_config, self.optimizer_config = config.run, config.optimizer
        self.iterations_per_loop = config.execution.iterations_per_loop
        self.length = config.data.max_seq_length
        self.pretrainer = pretrainer
        self.records = records
        self.distribution = distribution
        self.checkpoints = checkpoints
        self.logs = logs
        self.evaluate = evaluate
        self.on_evaluation = on_evaluation
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
        config, total = self.run_config, self.optimizer_config.num_train_steps
        stop = config.stop_at_step or total
        batch, first = self.optimizer_config.train_batch_size, self.step

        def rows_of_worker(row, count):
            return train_batches(
                self.records, batch, config.seed, first, None, row, count
            )

        batches = iter(self.distribution.batches(rows_of_worker, batch))
        progress = Progress(total, first, batch, self.length)
        restore_signals = self._listen()
        try:
            with naming_bad_records(self.records):
                while self.step < total:
                    if self.step >= stop:
                        raise Stopped(None, self.step)
                    self._advance(batches, progress)
                    self._events(progress)
        finally:
            restore_signals()
            progress.close()

    def _advance(self, batches, progress: Progress) -> None:
        first = self.step
        objective = self.pretrainer.objective
        objective.enter(first)
        total = self.optimizer_config.num_train_steps
        ends = [total, first + self.iterations_per_loop]
        stops = (*objective.boundaries, self.run_config.stop_at_step)
        ends += [step for step in stops if step > first]
        for interval in self._intervals():
            ends.append((first // interval + 1) * interval)
        count = min(ends) - first
        self._steps(batches, tf.constant(count), objective.stage)
        check_loss(self._loss(), first, first + count)
        progress.advance(count)

    def _intervals(self) -> list[int]:
        config = self.run_config
        intervals = [config.log_every_steps, config.save_checkpoints_steps]
        if config.eval_every_steps:
            intervals.append(config.eval_every_steps)
        return intervals

    def _events(self, progress: Progress) -> None:
        config, step = self.run_config, self.step
        last = step == self.optimizer_config.num_train_steps
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
        optimizer, measures = self.optimizer_config, self.pretrainer.measures
        values = measures.measured()
        values["learning_rate"] = float(self.pretrainer.optimizer.learning_rate)
        values["tokens_seen"] = step * optimizer.train_batch_size * self.length
        values["epoch"] = (
            step * optimizer.train_batch_size / self.records.num_records
        )
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
        steps = (step - before) / max(now - then, 1e-9)
        batch = self.optimizer_config.train_batch_size
        return {
            "sequences_per_second": steps * batch,
            "steps_per_second": steps,
        }

    def _evaluate(self, step: int) -> None:
        before = time.time()
        evaluation = self.evaluate()
        if self.logs is not None:
            self.logs.write(step, evaluation.values)
        say(f"step {step:,} held out | {shown(evaluation.values, 'eval_')}")
        self.on_evaluation(step, evaluation)
        # The time of an evaluation is not the training's.
        self._mark = (self._mark[0], self._mark[1] + time.time() - before)

    def _loss(self) -> float:
        sums, _ = tf.unstack(self.pretrainer.measures.state["ratios"])
        return float(tf.reduce_sum(sums))

    def _listen(self) -> Callable[[], None]:
        """From now on SIGTERM and SIGINT stop the run at the next call."""

        def note(signum, frame):
            self._signal = signum

        signals = (signal.SIGTERM, signal.SIGINT)
        old = {number: signal.signal(number, note) for number in signals}

        def restore():
            for number, handler in old.items():
                signal.signal(number, handler)

        return restore


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
