"""The blocks of an encoder as calls of one graph function, in training.

Blocks differ in their weights and in the random streams of their dropout, and
in nothing else. With both as arguments one block is traced, differentiated and
optimised, and called n times: a third of the nodes, and of the time until the
first step.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from electra_tf.modeling.attention import EncoderBlock
from electra_tf.modeling.noise import ToldNoise, current_noise


class TracedBlock:
    """Computes blocks like `template`, each by its own weights and streams.

    Args:
      template: the block whose computation is traced.
    """

    def __init__(self, template: EncoderBlock):
        self._template = template
        # Inlined, the graph would be as large again.
        self._function = tf.function(
            self._compute,
            autograph=False,
            experimental_attributes={"_noinline": True},
        )

    def serves(self, block: EncoderBlock) -> bool:
        """Whether that block may be computed so, here.

        In a graph; and where all its weights learn, since gradients of all
        are computed.
        """
        return (
            tf.inside_function()
            and len(block.trainable_variables) == len(block.variables)
            and _form(block) == _form(self._template)
        )

    def __call__(
        self,
        block: EncoderBlock,
        x: tf.Tensor,
        bias: tf.Tensor,
        training: bool = True,
    ) -> tf.Tensor:
        """`block(x, bias, training=True)`; float [B, L, H]."""
        noise = current_noise()
        place = tf.cast(noise.first_row, tf.int64)
        streams = [noise.stream(layer.path) for layer in block.dropouts]
        # In one tensor, of which a part moves with the step: by a constant
        # TensorFlow would make a function of its own for each call.
        numbers = tf.stack([place, *streams])
        weights = [tf.convert_to_tensor(v) for v in block.variables]
        return self._function(weights, noise.seed, numbers, x, bias)

    def _compute(
        self,
        weights: Sequence[tf.Tensor],
        seed: int | tf.Tensor,
        numbers: tf.Tensor,
        x: tf.Tensor,
        bias: tf.Tensor,
    ) -> tf.Tensor:
        block = self._template
        first_row, *streams = tf.unstack(numbers)
        paths = [layer.path for layer in block.dropouts]
        named = dict(zip(paths, streams, strict=True))
        noise = ToldNoise(seed, first_row=first_row, streams=named)
        values = zip(block.variables, weights, strict=True)
        # The bias is no weight's: without a gradient none is computed.
        bias = tf.stop_gradient(bias)
        with keras.StatelessScope(state_mapping=list(values)), noise.scope():
            return block(x, bias, training=True)


def _form(block: EncoderBlock) -> list[tuple]:
    return [(v.shape, v.dtype) for v in block.variables]
