"""What is measured in training and evaluation, each as (sum, count)."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from electra_tf.pretraining.losses import summed
from electra_tf.pretraining.objectives import Outcome

# The discriminator's probabilities crowd near the base rate, so the curve
# needs far more thresholds than Keras' 200.
AUC_THRESHOLDS = 2000


class Ratio(keras.metrics.Metric):
    """A sum over a count, both accumulated in float32."""

    def __init__(self, name: str):
        super().__init__(name=name)
        self.sum = self.add_weight((), "zeros", name="sum")
        self.count = self.add_weight((), "zeros", name="count")

    def update_state(self, total, count):
        self.sum.assign_add(total)
        self.count.assign_add(count)

    def result(self):
        return tf.math.divide_no_nan(
            tf.convert_to_tensor(self.sum), tf.convert_to_tensor(self.count)
        )


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
    0.5. Detection is measured where it is trained (`Outcome.judged`).
    """

    def __init__(
        self,
        weights: dict[str, float],
        unigram_log_probs: Sequence[float] | None = None,
        figures: Sequence[str] = (),
    ):
        super().__init__(name="pretraining")
        self.weights_of_terms = weights
        self.unigram_log_probs = unigram_log_probs
        names = ["mlm_loss", "mlm_loss_masked", "mlm_accuracy", *figures]
        if unigram_log_probs is not None:
            names.append("unigram_loss")
        self.has_discriminator = "disc" in weights
        if self.has_discriminator:
            names += ["sampled_accuracy", "disc_accuracy"]
            names += ["disc_precision", "disc_recall", "disc_base_rate"]
            self.auc = keras.metrics.AUC(
                num_thresholds=AUC_THRESHOLDS, name="disc_auc"
            )
        terms = [f"{name}_loss" for name in weights]
        # Each once, in this order.
        self.ratios = [Ratio(name) for name in dict.fromkeys(names + terms)]
        # How many rows were seen: the place of the next evaluation batch.
        self.rows = self.add_weight((), "zeros", dtype="int64", name="rows")

    def update_state(self, outcome: Outcome) -> None:
        """Adds one batch's sums and counts."""
        values = {**self._masked_lm(outcome), **outcome.figures}
        for term in outcome.losses:
            values[f"{term.name}_loss"] = (term.sum, term.count)
        if self.has_discriminator and outcome.disc_logits is not None:
            values |= self._detection(outcome)
            # Differs from TF1: padding is no certain negative here.
            self.auc.update_state(
                outcome.is_replaced,
                tf.sigmoid(outcome.disc_logits),
                sample_weight=outcome.judged,
            )
        # A stage of training may lack what another has.
        for ratio in self.ratios:
            if ratio.name in values:
                ratio.update_state(*values[ratio.name])
        rows = tf.shape(outcome.input_mask, out_type=tf.int64)[0]
        self.rows.assign_add(rows)

    def _masked_lm(self, outcome: Outcome) -> dict[str, tuple]:
        masked, losses = outcome.masked, outcome.mlm_losses
        best = tf.argmax(outcome.mlm_logits, -1, tf.int32)
        values = {
            "mlm_loss": summed(losses, masked.weights),
            "mlm_loss_masked": summed(losses, outcome.hidden),
            "mlm_accuracy": summed(_equal(best, masked.ids), masked.weights),
        }
        if self.unigram_log_probs is not None:
            level = -tf.gather(
                tf.constant(self.unigram_log_probs, tf.float32), masked.ids
            )
            values["unigram_loss"] = summed(level, outcome.hidden)
        return values

    def _detection(self, outcome: Outcome) -> dict[str, tuple]:
        masked = outcome.masked
        real = outcome.judged
        replaced = tf.cast(outcome.is_replaced, tf.float32)
        called = tf.cast(outcome.disc_logits > 0, tf.float32)
        sampled = _equal(outcome.sampled_ids, masked.ids)
        return {
            "sampled_accuracy": summed(sampled, masked.weights),
            "disc_accuracy": summed(_equal(called, replaced), real),
            "disc_precision": summed(replaced, called * real),
            "disc_recall": summed(called, replaced * real),
            "disc_base_rate": summed(1 - replaced, real),
        }

    def result(self) -> dict[str, tf.Tensor]:
        values = {ratio.name: ratio.result() for ratio in self.ratios}
        if self.has_discriminator:
            values["disc_auc"] = self.auc.result()
        total = tf.add_n(
            [w * values[f"{n}_loss"] for n, w in self.weights_of_terms.items()]
        )
        return {"loss": total, **values}


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


def _equal(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.equal(a, b), tf.float32)
