"""The pre-training model: one train step with the combined loss."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from electra_tf.errors import require
from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.generators import Batch
from electra_tf.pretraining.losses import LossTerm, sum_over_replicas
from electra_tf.pretraining.masking import MaskedBatch
from electra_tf.pretraining.metrics import PretrainingMetrics, Statistics
from electra_tf.pretraining.objectives import Objective, Outcome

Counts = Mapping[str, tf.Tensor]
Rows = tuple[Batch, MaskedBatch]
Found = tuple[list[tf.Tensor], Statistics]  # gradients, what is measured


def total_loss(terms: Sequence[LossTerm], counts: Counts) -> tf.Tensor:
    """Weighted sum of the terms' means, as these rows contribute to it.

    Args:
      terms: sums over some rows of the global batch.
      counts: of each term over the whole global batch, so that the rows'
        contributions add up to its loss, and their gradients to its gradient.
    """
    return tf.add_n(
        [term.weight * term.sum / (counts[term.name] + 1e-6) for term in terms]
    )


class Pretrainer(keras.Model):
    """Trains an objective's networks, under `fit` or a loop of one's own.

    Under a strategy each replica calls `update` with its rows of the global
    batch; losses and gradients are those of the whole, however many replicas
    share it and in however many parts each computes its rows.

    Args:
      objective: `Electra`, `MaskedLanguageModel`, ...
      metrics: what is measured.
      seed: of masks, samples and dropout.
      accumulation_steps: parts in which a replica computes its rows, one after
        another; their number must be a multiple of it.

    Batches are dicts of int [B, L]: `input_ids`, `input_mask`, `segment_ids`.

    Example:
      pretrainer = build_pretrainer(config, tokenizer)
      pretrainer.compile(optimizer=create_pretraining_optimizer(...))
      pretrainer.fit(batches, steps_per_epoch=1000)
    """

    def __init__(
        self,
        objective: Objective,
        metrics: PretrainingMetrics,
        seed: int = 0,
        accumulation_steps: int = 1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.networks = objective.networks
        self.objective = objective
        self.measures = metrics
        self.seed = seed
        self.accumulation_steps = accumulation_steps
        self._traced_stages: dict[str, int] = {}
        self.built = True

    def compile(self, optimizer="rmsprop", jit_compile=False, **kwargs):
        """As `keras.Model.compile`, without XLA unless asked for.

        Keras would turn it on by itself; on a CPU the step is then six times
        slower. What is compiled is the forward and backward pass: sums over
        replicas cannot stand inside.
        """
        super().compile(optimizer=optimizer, jit_compile=False, **kwargs)
        # Now, since a loss scale is asked for before the first update.
        self.optimizer.build(self.trainable_variables)
        self._backward = self._accumulated
        if jit_compile:
            # Traced once a stage of training, whose counts have other names.
            self._backward = tf.function(self._accumulated, jit_compile=True)

    @property
    def step(self) -> int:
        """Updates made so far; to be read between graph calls."""
        return int(tf.convert_to_tensor(self.optimizer.iterations))

    def call(self, batch: Batch, training: bool = False) -> Outcome:
        """One pass of the objective."""
        return self.objective(batch, training=training)

    # Nothing that it calls branches on tensors, and AutoGraph's rewriting of
    # all of it took a third of the tracing.
    @tf.autograph.experimental.do_not_convert
    def update(self, batch: Batch) -> None:
        """One optimizer step on this replica's rows; adds to the metrics."""
        step = tf.cast(self.optimizer.iterations.value, tf.int64)
        first_row = first_row_of_replica(batch)
        noise = Noise(self.seed, step, first_row, "train")
        with noise.scope():
            masked = self.objective.masker(batch)
        # What losses are divided by: of the global batch, before any network.
        counts = sum_over_replicas(self.objective.counts(batch, masked))
        rows = (batch, masked)
        gradients, statistics = self._backward(rows, counts, step, first_row)
        self.optimizer.apply(gradients, self.objective.trainable_variables)
        self.measures.add(sum_over_replicas(statistics))

    def _accumulated(
        self, rows: Rows, counts: Counts, step: tf.Tensor, first_row: tf.Tensor
    ) -> Found:
        """Gradients and statistics of the rows, part after part."""
        count = self.accumulation_steps
        if count == 1:
            return self._gradients(rows, counts, step, first_row)
        parts = tf.nest.map_structure(
            lambda x: tf.reshape(x, [count, -1, x.shape[1]]), rows
        )
        size = tf.shape(parts[0]["input_ids"])[1]

        def add_part(number, totals):
            place = first_row + tf.cast(number * size, tf.int64)
            part = tf.nest.map_structure(lambda x: x[number], parts)
            found = self._gradients(part, counts, step, place)
            return number + 1, tf.nest.map_structure(tf.add, totals, found)

        variables = self.objective.trainable_variables
        nothing = (
            [tf.zeros(v.shape, v.dtype) for v in variables],
            self.measures.no_statistics(),
        )
        _, totals = tf.while_loop(
            lambda number, _: number < count, add_part, (0, nothing)
        )
        return totals

    def _gradients(
        self, rows: Rows, counts: Counts, step: tf.Tensor, first_row: tf.Tensor
    ) -> Found:
        """Dense gradients of `total_loss` (scaled), and the statistics."""
        batch, masked = rows
        noise = Noise(self.seed, step, first_row, "train")
        with noise.scope(), tf.GradientTape() as tape:
            outcome = self.objective(batch, training=True, masked=masked)
            loss = total_loss(outcome.losses, counts)
            loss = self.optimizer.scale_loss(loss)
        variables = [v.value for v in self.objective.trainable_variables]
        gradients = tape.gradient(loss, variables)
        gradients = [tf.convert_to_tensor(g) for g in gradients]
        return gradients, self.measures.statistics(outcome)

    @tf.autograph.experimental.do_not_convert
    def measure(self, batch: Batch) -> Outcome:
        """Adds one evaluation batch to the metrics.

        Masks and samples depend on the row's place since the last reset, so
        every evaluation of the same data sees the same ones.
        """
        first_row = self.measures.rows + first_row_of_replica(batch)
        with Noise(self.seed, 0, first_row, "eval").scope():
            outcome = self.objective(batch, training=False)
        self.measures.update_state(outcome)
        return outcome

    def fit(self, *args, callbacks=None, **kwargs):
        """As `keras.Model.fit`, from stage to stage of the objective.

        Raises:
          ValueError: several steps an execution, within which a stage of the
            objective could end.
        """
        callbacks = keras.tree.flatten(callbacks or [])
        if self.objective.boundaries:
            rule = "steps_per_execution must be 1 for an objective with stages"
            steps = self.steps_per_execution
            require(steps == 1, rule, steps)
            callbacks.append(_EnterStages())
        return super().fit(*args, callbacks=callbacks, **kwargs)

    def make_train_function(self, force=False):
        super().make_train_function(force or self._is_new_stage("train"))

    def make_test_function(self, force=False):
        super().make_test_function(force or self._is_new_stage("test"))

    def _is_new_stage(self, traced: str) -> bool:
        """Whether what Keras keeps as traced computes another stage."""
        before = self._traced_stages.get(traced)
        self._traced_stages[traced] = self.objective.stage
        return before != self.objective.stage

    def train_step(self, data: Batch) -> Mapping[str, tf.Tensor]:
        self.update(data)
        return self.measures.result()

    def test_step(self, data: Batch) -> Mapping[str, tf.Tensor]:
        self.measure(data)
        return self.measures.result()

    @property
    def metrics(self):
        # Not Keras' own loss tracker, which nothing here feeds.
        return [self.measures]


class _EnterStages(keras.callbacks.Callback):
    """Has the objective enter its stages, and Keras trace each of them."""

    def on_train_batch_begin(self, batch, logs=None):
        self.model.objective.enter(self.model.step)
        self.model.make_train_function()


def first_row_of_replica(batch: Batch) -> tf.Tensor:
    """Place in the global batch of this replica's first row: int64 scalar.

    Replicas' parts have as many rows, and stand in the order of their numbers.
    """
    rows = tf.shape(batch["input_ids"])[0]
    context = tf.distribute.get_replica_context()
    if context is None:
        return tf.constant(0, tf.int64)
    number = tf.convert_to_tensor(context.replica_id_in_sync_group)
    return tf.cast(number, tf.int64) * tf.cast(rows, tf.int64)
