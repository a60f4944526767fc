"""The pre-training model: one train step with the combined loss."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.generators import Batch
from electra_tf.pretraining.losses import LossTerm
from electra_tf.pretraining.metrics import PretrainingMetrics
from electra_tf.pretraining.objectives import Objective, Outcome


def total_loss(terms: Sequence[LossTerm]) -> tf.Tensor:
    """Weighted sum of the terms' means, as this replica contributes to it.

    The counts are global, so that the replicas' contributions add up to the
    loss of the whole batch, and their gradients to its gradient.
    """
    return tf.add_n(
        [
            term.weight * term.sum / (_sum_over_replicas(term.count) + 1e-6)
            for term in terms
        ]
    )


def _sum_over_replicas(value: tf.Tensor) -> tf.Tensor:
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


class Pretrainer(keras.Model):
    """Trains an objective's networks, under `fit` or a loop of one's own.

    Args:
      objective: `Electra`, `MaskedLanguageModel`, ...
      metrics: what is measured.
      seed: of masks, samples and dropout.

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
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.networks = objective.networks
        self.objective = objective
        self.measures = metrics
        self.seed = seed
        self.built = True

    def compile(self, optimizer="rmsprop", jit_compile=False, **kwargs):
        """As `keras.Model.compile`, without XLA unless asked for.

        Keras would turn it on by itself; on a CPU the step is then six times
        slower.
        """
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)

    def call(self, batch: Batch, training: bool = False) -> Outcome:
        """One pass of the objective."""
        return self.objective(batch, training=training)

    def update(self, batch: Batch) -> Outcome:
        """One optimizer step on one batch; adds to the metrics."""
        step = tf.cast(self.optimizer.iterations.value, tf.int64)
        variables = self.objective.trainable_variables
        noise = Noise(self.seed, step, name="train")
        with noise.scope(), tf.GradientTape() as tape:
            outcome = self.objective(batch, training=True)
            loss = total_loss(outcome.losses)
        gradients = tape.gradient(loss, [v.value for v in variables])
        self.optimizer.apply(gradients, variables)
        self.measures.update_state(outcome)
        return outcome

    def measure(self, batch: Batch) -> Outcome:
        """Adds one evaluation batch to the metrics.

        Masks and samples depend on the batch's place since the last reset,
        so every evaluation of the same data sees the same ones.
        """
        first_row = tf.convert_to_tensor(self.measures.rows)
        with Noise(self.seed, 0, first_row, "eval").scope():
            outcome = self.objective(batch, training=False)
        self.measures.update_state(outcome)
        return outcome

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
