"""Signs that a run has gone wrong."""

import math
from collections.abc import Mapping

import tensorflow as tf

from electra_tf.errors import InputError

COLLAPSED_RECALL = 0.01
# A discriminator that ranks replaced tokens higher has learned something,
# however few it puts above 0.5; a collapsed one is constant.
COLLAPSED_AUC = 0.6


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


def collapse_warning(
    values: Mapping[str, float],
    step: int,
    num_warmup_steps: int,
    num_train_steps: int,
) -> str | None:
    """A warning where the discriminator calls every token original.

    Early on that is as it should be: few tokens are replaced, so few reach a
    probability of 0.5. Well after the warm-up (twice its steps, and half of
    the run), with an AUC of a guesser's, it hints at a collapse.
    """
    late = step >= max(2 * num_warmup_steps, num_train_steps // 2)
    recall = values.get("disc_recall", 1.0)
    learned = values.get("disc_auc", 0.5) >= COLLAPSED_AUC
    if not late or recall >= COLLAPSED_RECALL or learned:
        return None
    return (
        f"warning: at step {step:,} the discriminator finds {recall:.1%} of "
        "the replaced tokens: it calls nearly all original. Its accuracy "
        f"({values['disc_accuracy']:.3f}) is then the base rate "
        f"({values['disc_base_rate']:.3f}), its AUC {values['disc_auc']:.3f}: "
        "it may have collapsed; a lower learning_rate often helps"
    )
