"""What is measured in training and evaluation, each as (sum, count)."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from electra_tf.config.description import DISC
from electra_tf.pretraining.losses import hits, sum_over_replicas, summed
from electra_tf.pretraining.objectives import Outcome

# The discriminator's probabilities crowd near the base rate, so the curve
# needs far more thresholds than Keras' 200.
AUC_THRESHOLDS = 2000


Statistics = dict[str, tf.Tensor]


class PretrainingMetrics(keras.metrics.Metric):
    """All measures of a pre-training run; padding never counts.

    Args:
      weights: loss term -> its weight in the total.
      unigram_log_probs: float [V], log frequencies of the training tokens;
        with them the unigram level of the same targets is measured.
      figures: names of what the objective measures itself.

    `result()` is a dict of floats: `loss` is the weighted sum of the terms'
    means; `mlm_loss_masked` counts only slots whose token the generator did
    not see, since a kept one can be copied; `disc_base_rate` is the fraction
    of tokens that were not replaced, the accuracy of a discriminator that says
    "original" always; precision and recall are of "replaced", at probability
    0.5. Detection is measured where it is trained (`Detection.judged`).

    The state is the same on every replica: what one batch adds (`statistics`)
    is summed over replicas before `add`. So any one of them may save it, and
    a run may go on with another number of replicas.
    """

    def __init__(
        self,
        weights: dict[str, float],
        unigram_log_probs: Sequence[float] | np.ndarray | None = None,
        figures: Sequence[str] = (),
    ):
        super().__init__(name="pretraining")
        self.weights_of_terms = weights
        self.unigram_log_probs = unigram_log_probs
        names = ["mlm_loss", "mlm_loss_masked", "mlm_accuracy", *figures]
        if unigram_log_probs is not None:
            names.append("unigram_loss")
        self.has_discriminator = DISC.name in weights
        if self.has_discriminator:
            names += ["sampled_accuracy", "disc_accuracy"]
            names += ["disc_precision", "disc_recall", "disc_base_rate"]
        names += [f"{name}_loss" for name in weights]
        self.names = list(dict.fromkeys(names))  # each once, in this order
        self.curve = keras.metrics.AUC(num_thresholds=AUC_THRESHOLDS)
        shapes = {"ratios": (2, len(self.names)), "rows": ()}
        if self.has_discriminator:
            shapes["confusion"] = (4, AUC_THRESHOLDS)
        self.state = {
            name: keras.Variable(
                "zeros",
                shape,
                "int64" if name == "rows" else "float32",
                trainable=False,
                aggregation="only_first_replica",
                name=name,
            )
            for name, shape in shapes.items()
        }

    @property
    def variables(self):
        # Without the curve's own, which nothing fills.
        return list(self.state.values())

    @property
    def rows(self) -> tf.Tensor:
        """Rows seen: the place of the next evaluation batch."""
        return tf.convert_to_tensor(self.state["rows"])

    def statistics(self, outcome: Outcome) -> Statistics:
        """What one batch adds to each variable; a pure function.

        `ratios`: sums and counts by name, [2, names]; `confusion`: the
        curve's four counts at each threshold; `rows`.
        """
        values = {**self._masked_lm(outcome), **outcome.figures}
        for term in outcome.losses:
            values[f"{term.name}_loss"] = (term.sum, term.count)
        found = self.no_statistics()
        found["rows"] = tf.shape(outcome.input_mask, out_type=tf.int64)[0]
        if self.has_discriminator and outcome.detection is not None:
            values |= self._detection(outcome)
            found["confusion"] = self._confusion(outcome)
        # A stage of training may lack what another has.
        pairs = [values.get(name, (0.0, 0.0)) for name in self.names]
        sums, counts = zip(*pairs, strict=True)
        found["ratios"] = tf.stack([tf.stack(sums), tf.stack(counts)])
        return found

    def no_statistics(self) -> Statistics:
        """What no batch at all adds."""
        return {
            name: tf.zeros(variable.shape, variable.dtype)
            for name, variable in self.state.items()
        }

    def add(self, statistics: Statistics) -> None:
        """Adds statistics that were summed over replicas."""
        for name, variable in self.state.items():
            variable.value.assign_add(statistics[name])

    def update_state(self, outcome: Outcome) -> None:
        """Adds one batch, of all replicas."""
        self.add(sum_over_replicas(self.statistics(outcome)))

    def _confusion(self, outcome: Outcome) -> tf.Tensor:
        detection = outcome.detection
        zeros = [tf.zeros(v.shape, v.dtype) for v in self.curve.variables]
        # Differs from TF1: padding is no certain negative here.
        return tf.stack(
            self.curve.stateless_update_state(
                zeros,
                detection.labels,
                tf.sigmoid(tf.cast(detection.logits, tf.float32)),
                sample_weight=detection.judged,
            )
        )

    def _masked_lm(self, outcome: Outcome) -> dict[str, tuple]:
        masked, proposal = outcome.masked, outcome.proposal
        losses, hidden = proposal.slot_losses, proposal.hidden
        best = tf.argmax(proposal.logits, -1, tf.int32)
        values = {
            "mlm_loss": summed(losses, masked.weights),
            "mlm_loss_masked": summed(losses, hidden),
            "mlm_accuracy": summed(hits(best, masked.ids), masked.weights),
        }
        if self.unigram_log_probs is not None:
            log_probs = tf.constant(self.unigram_log_probs, tf.float32)
            level = -tf.gather(log_probs, masked.ids)
            values["unigram_loss"] = summed(level, hidden)
        return values

    def _detection(self, outcome: Outcome) -> dict[str, tuple]:
        masked, detection = outcome.masked, outcome.detection
        real = detection.judged
        replaced = tf.cast(detection.labels, tf.float32)
        called = tf.cast(detection.logits > 0, tf.float32)
        sampled = hits(outcome.corrupted.sampled_ids, masked.ids)
        return {
            "sampled_accuracy": summed(sampled, masked.weights),
            "disc_accuracy": summed(hits(called, replaced), real),
            "disc_precision": summed(replaced, called * real),
            "disc_recall": summed(called, replaced * real),
            "disc_base_rate": summed(1 - replaced, real),
        }

    def result(self) -> dict[str, tf.Tensor]:
        sums, counts = tf.unstack(tf.convert_to_tensor(self.state["ratios"]))
        means = tf.unstack(tf.math.divide_no_nan(sums, counts))
        values = dict(zip(self.names, means, strict=True))
        if self.has_discriminator:
            counts = tf.unstack(tf.convert_to_tensor(self.state["confusion"]))
            values["disc_auc"] = self.curve.stateless_result(counts)
        total = tf.add_n(
            [w * values[f"{n}_loss"] for n, w in self.weights_of_terms.items()]
        )
        return {"loss": total, **values}

    def measured(self) -> dict[str, float]:
        """`result` as floats, without detection where none took place."""
        values = {name: float(v) for name, v in self.result().items()}
        if self.has_discriminator:
            counts = self.state["ratios"].numpy()[1]
            if not counts[self.names.index("disc_base_rate")]:
                of = ("disc_", "sampled_accuracy")
                return {n: v for n, v in values.items() if not n.startswith(of)}
        return values


def unigram_log_probs(
    token_counts: np.ndarray, special_ids: Sequence[int]
) -> np.ndarray:
    """Add-one log frequencies over all tokens but the special ones: [V]."""
    counts = token_counts.astype(np.float64) + 1
    counts[list(special_ids)] = 0
    with np.errstate(divide="ignore"):
        logs = np.log(counts / counts.sum())
    # Specials are never targets; unused slots point at id 0.
    logs[list(special_ids)] = 0.0
    return logs.astype(np.float32)
