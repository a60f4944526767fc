"""Low-rank adapters: x W + (x A) B, of which A and B learn and W rests.

Reference: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models";
on all of a block's Dense layers, as in Dettmers et al. 2023, "QLoRA".
"""

import contextlib
from collections.abc import Mapping, MutableMapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from electra_tf.data.columns import WHOLE
from electra_tf.errors import require

ADAPTERS = ("lora_kernel_a", "lora_kernel_b")


@keras.saving.register_keras_serializable("electra_tf")
class Dense(keras.layers.Dense):
    """Keras' layer, which trains on from a file with its adapters.

    A file holds kernel, bias and, with adapters, A [in, r] and B [r, out]
    beside them. Keras' own holds W + A B, and sets both to zero when it is
    read: from there nothing is learned any more. A layer without adapters
    reads the sum.
    """

    def call(self, inputs, training=None):
        if not self.lora_enabled:
            return super().call(inputs, training=training)
        # By a sum of the kernels, a gradient of W's size would be computed.
        low = tf.matmul(inputs, tf.cast(self.lora_kernel_a, inputs.dtype))
        low = tf.matmul(low, tf.cast(self.lora_kernel_b, inputs.dtype))
        kernel = tf.cast(self._kernel, inputs.dtype)
        bias = tf.cast(self.bias, inputs.dtype)
        return tf.matmul(inputs, kernel) + bias + low

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        if self.quantization_mode or not self.lora_enabled:
            return super().save_own_variables(store)
        store["0"], store["1"] = self._kernel, self.bias
        for name in ADAPTERS:
            store[name] = getattr(self, name)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        found = {name: store[name] for name in store.keys()}
        adapters = [found.pop(n) for n in ADAPTERS if n in found]
        if self.quantization_mode or not self.lora_enabled:
            if adapters:
                a, b = (np.asarray(each) for each in adapters)
                found["0"] = np.asarray(found["0"]) + a @ b
            return super().load_own_variables(found)
        super().load_own_variables(found)  # sets both to zero
        if not adapters:
            start = keras.initializers.get("he_uniform")
            adapters = [start(self.lora_kernel_a.shape)]
        for name, array in zip(ADAPTERS, adapters, strict=False):
            variable = getattr(self, name)
            rule = f"adapters must have the shape {tuple(variable.shape)}"
            require(array.shape == variable.shape, rule, array.shape)
            variable.assign(array)

    def quantize(self, mode=None, type_check=True, config=None):
        """As Keras' layer, which refuses subclasses that might differ."""
        super().quantize(mode, type_check=False, config=config)


def check_rank(rank: int) -> None:
    """Raises InputError where no adapter can have it."""
    is_rank = isinstance(rank, WHOLE) and rank >= 1
    require(is_rank, "rank must be a positive whole number", rank)


def add_adapters(layer: Dense, rank: int) -> None:
    """A [in, r], at random, and B [r, out], zeros, beside the kernel.

    Their paths are the kernel's but for the name, so that the layer-wise
    optimizer knows whose they are.
    """
    *scopes, _, _ = layer.kernel.path.split("/")
    with contextlib.ExitStack() as stack:
        for scope in scopes:
            stack.enter_context(keras.name_scope(scope))
        layer.enable_lora(rank)
