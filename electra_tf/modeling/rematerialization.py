"""Activations computed twice rather than kept: memory for time."""

from collections.abc import Callable

import tensorflow as tf

from electra_tf.modeling.noise import current_noise, fresh_noise


def recomputed(layer: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """`layer(x, *rest, **options)`, whose inner values are not kept.

    The backward pass calls it a second time, with the same noise, so that
    dropout drops the same values.

    Args:
      layer: float [B, L, H] and more -> float [B, L, H]; gradients flow to
        the first argument and the layer's variables alone.

    Reference: Chen et al. 2016, "Training Deep Nets with Sublinear Memory".
    """

    def call(x, *rest, **options):
        noise = current_noise() or fresh_noise()

        @tf.recompute_grad
        def run(x):
            with noise.scope():
                return layer(x, *rest, **options)

        return run(x)

    return call
