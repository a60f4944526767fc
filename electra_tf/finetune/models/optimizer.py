"""AdamW whose rate falls from the head down to the embeddings."""

import math
import re
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from electra_tf.data.columns import WHOLE
from electra_tf.errors import require
from electra_tf.training.adamw import AdamW
from electra_tf.training.schedules import WarmupPolynomialDecay

_EMBEDDINGS = re.compile(r"(^|/)electra/embeddings(_project)?/")
_BLOCK = re.compile(r"(^|/)electra/encoder/layer_(\d+)/")
_ENCODER = re.compile(r"(^|/)electra/")


def layer_depths(model: keras.Model) -> dict[str, int]:
    """Depth of each trainable variable, by its path.

    Embeddings and their projection have depth 0, block i has i + 1, and all
    that stands outside the encoder, the task's head, has n + 1 with n blocks.

    Raises:
      InputError: there is no encoder, two variables have one path, or one
        inside the encoder has no place in this order.
    """
    blocks = [_BLOCK.search(v.path) for v in model.variables]
    rule = (
        "create_optimizer takes a model on an ELECTRA encoder, with variables "
        "under electra/encoder/layer_0"
    )
    require(any(blocks), rule, model.name)
    head = max(int(found[2]) for found in blocks if found) + 2
    depths: dict[str, int] = {}
    for variable in model.trainable_variables:
        path = variable.path
        is_new = path not in depths
        require(is_new, "no two variables may have one path", path)
        depths[path] = _depth(path, head)
    return depths


def _depth(path: str, head: int) -> int:
    if _EMBEDDINGS.search(path):
        return 0
    if found := _BLOCK.search(path):
        return int(found[2]) + 1
    rule = "a variable of the encoder must be of its embeddings or of a block"
    require(not _ENCODER.search(path), rule, path)
    return head


@keras.saving.register_keras_serializable("electra_tf")
class LayerwiseAdamW(AdamW):
    """AdamW with a factor on the rate of each variable.

    Weight decay is at the variable's own rate, too.

    Args:
      factors: factor by variable path; the variables that the optimizer is
        built for must be these, all of them.
      Others as in `AdamW`.
    """

    def __init__(self, *args, factors: Mapping[str, float], **kwargs):
        super().__init__(*args, **kwargs)
        self.factors = dict(factors)

    def build(self, variables: Sequence[keras.Variable]):
        if self.built:
            return
        paths = [variable.path for variable in variables]
        odd = sorted(set(paths) ^ set(self.factors)) or ["(one twice)"]
        rule = (
            "the variables must be the trainable ones that the optimizer was "
            "created for (create it anew after freezing layers or changing the "
            "head)"
        )
        require(sorted(paths) == sorted(self.factors), rule, odd[:3])
        self._rate_factors = [self.factors[path] for path in paths]
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        factor = self._rate_factors[self._get_variable_index(variable)]
        step = learning_rate._replace(rate=learning_rate.rate * factor)
        super().update_step(gradient, variable, step)

    def get_config(self):
        return {**super().get_config(), "factors": self.factors}


def create_optimizer(
    model: keras.Model,
    num_train_steps: int | None = None,
    learning_rate: float | None = None,
    warmup_fraction: float = 0.1,
    layerwise_decay: float = 0.8,
    weight_decay_rate: float | None = None,
    clip_norm: float | None = 1.0,
    compat: str = "none",
    *,
    num_examples: int | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
) -> LayerwiseAdamW:
    """The paper's optimizer for fine-tuning.

    The rate of a variable at depth d (see `layer_depths`) is that of the head
    times layerwise_decay ** (n + 1 - d): the last block's is multiplied once.

    Args:
      model: holds one encoder; any Keras model will do.
      num_train_steps: T, over which the rate falls linearly to 0.
      learning_rate: the head's peak. The paper's are 3e-4 for Small (the
        default), 1e-4 for Base, 5e-5 for Large.
      warmup_fraction: of T, over which the rate rises.
      layerwise_decay: 0.8; the paper's Large has 0.9.
      weight_decay_rate: 0 by default.
      clip_norm: largest global norm of the gradients.
      compat: "google" repeats the authors' code where it departs from the
        paper: a step more of decay everywhere but on the head, weight decay
        0.01, and 1e-4 for Small.
      num_examples, batch_size, epochs: of `fit`, in place of num_train_steps.

    Raises:
      InputError: see `layer_depths`; a value that breaks a rule.

    Reference: ELECTRA, Table 7.
    """
    num_train_steps = _steps(num_train_steps, num_examples, batch_size, epochs)
    _check_arguments(num_train_steps, warmup_fraction, layerwise_decay, compat)
    _check_rates(learning_rate, weight_decay_rate, clip_norm)
    is_google = compat == "google"
    if learning_rate is None:
        learning_rate = 1e-4 if is_google else 3e-4
    if weight_decay_rate is None:
        weight_decay_rate = 0.01 if is_google else 0.0
    return LayerwiseAdamW(
        WarmupPolynomialDecay(
            learning_rate,
            num_train_steps,
            int(warmup_fraction * num_train_steps),
        ),
        decay_rate=weight_decay_rate,
        clip_norm=clip_norm,
        factors=_factors(layer_depths(model), layerwise_decay, is_google),
    )


def _check_rates(learning_rate, weight_decay_rate, clip_norm):
    """None is open, and a decay of 0 is none; a rate of 0 learns nothing."""
    for name, rate in {
        "learning_rate": learning_rate,
        "weight_decay_rate": weight_decay_rate or None,
        "clip_norm": clip_norm,
    }.items():
        is_rate = rate is None or 0 < rate < math.inf
        require(is_rate, f"{name} must be positive and finite", rate)


def _factors(
    depths: Mapping[str, int], layerwise_decay: float, is_google: bool
) -> dict[str, float]:
    head = max(depths.values())
    # Differs from TF1: its head stands two above the last block.
    top = head + 1 if is_google else head
    return {
        path: 1.0 if depth == head else layerwise_decay ** (top - depth)
        for path, depth in depths.items()
    }


def _steps(num_train_steps: int | None, *parts: int | None) -> int:
    """T, which is given, or follows from what `fit` gets."""
    names = ("num_examples", "batch_size", "epochs")
    is_whole = num_train_steps is not None
    require(
        all((part is None) == is_whole for part in parts),
        f"num_train_steps must be given, or {', '.join(names)} in its place",
        (num_train_steps, *parts),
    )
    if num_train_steps is not None:
        return num_train_steps
    counts: list[int] = []
    for name, part in zip(names, parts, strict=True):
        is_count = isinstance(part, int | np.integer) and part >= 1
        require(is_count, f"{name} must be a positive whole number", part)
        counts.append(int(part))
    num_examples, batch_size, epochs = counts
    return -(-num_examples // batch_size) * epochs


def _check_arguments(num_train_steps, warmup_fraction, layerwise_decay, compat):
    is_count = isinstance(num_train_steps, WHOLE) and num_train_steps >= 1
    rule = "num_train_steps must be a positive whole number"
    require(is_count, rule, num_train_steps)
    is_fraction = 0 <= warmup_fraction <= 1
    require(is_fraction, "warmup_fraction must lie in [0, 1]", warmup_fraction)
    is_factor = 0 < layerwise_decay <= 1
    require(is_factor, "layerwise_decay must lie in (0, 1]", layerwise_decay)
    is_known = compat in ("none", "google")
    require(is_known, "compat must be one of none, google", compat)
