"""One tiny case of every layer in the package, for the conformance tests."""

import dataclasses
import inspect
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from electra_tf.finetune.models.text_heads import HuggingFaceHead
from electra_tf.modeling.attention import EncoderBlock
from electra_tf.modeling.embeddings import Embeddings
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.heads import (
    DiscriminatorHead,
    MaskedLMHead,
    SelectionHead,
)
from electra_tf.modeling.layers import Dropout, LayerNorm
from electra_tf.modeling.networks import (
    CopyingLM,
    Discriminator,
    MaskedLM,
    Selector,
)
from electra_tf.modeling.two_tower import TwoTowerCloze
from electra_tf.pretraining.masking import TokenMasker

B, L, M, V, E, H, HEADS, FFN = 2, 7, 3, 23, 8, 16, 2, 24


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer, what it is called with, and what it cannot do.

    Attributes:
      make: a fresh layer.
      inputs: names of INPUTS.
      functional: whether it can stand in a functional Keras model as its only
        output.
    """

    make: Callable[[], keras.layers.Layer]
    inputs: tuple[str, ...]
    functional: bool = True

    def arrays(self) -> list:
        return [INPUTS[name] for name in self.inputs]


def _inputs() -> dict:
    rng = np.random.default_rng(0)
    mask = np.array([[1] * L, [1] * 4 + [0] * (L - 4)], np.int32)
    ids = rng.integers(5, V, (B, L)).astype(np.int32) * mask
    bias = -10000.0 * (1 - mask[:, None, None, :]).astype(np.float32)
    return {
        "ids": ids,
        "mask": mask,
        "segments": np.array([[0, 0, 0, 1, 1, 1, 1]] * B, np.int32) * mask,
        "positions": np.array([[1, 3, 5], [2, 1, 0]], np.int32),
        "candidates": rng.permutation(V)[:18].reshape(B, M, 3).astype(np.int32),
        "states": rng.normal(size=(B, L, H)).astype(np.float32),
        "slots": rng.normal(size=(B, M, H)).astype(np.float32),
        "bias": bias,
        "table": rng.normal(size=(V, E)).astype(np.float32),
        "batch": {"input_ids": ids, "input_mask": mask},
    }


INPUTS = _inputs()
READS = ("ids", "mask", "segments")


def make_tables() -> Embeddings:
    return Embeddings(V, E, max_position_embeddings=9, name="embeddings")


def make_encoder(direction: str = "both") -> Encoder:
    sizes = (H, 1, HEADS, FFN)
    return Encoder(make_tables(), *sizes, direction=direction, name="electra")


def make_two_towers() -> TwoTowerCloze:
    tables = make_tables()
    directions = {"ltr": "left_to_right", "rtl": "right_to_left"}
    return TwoTowerCloze(
        *(
            Encoder(tables, H, 1, HEADS, FFN, direction=direction, name=name)
            for name, direction in directions.items()
        )
    )


def make_selector() -> Selector:
    return Selector(V, E, make_encoder().sizes)


def make_masker(**options) -> TokenMasker:
    return TokenMasker(0.4, L, 4, (0, 2, 3, 4), **options)


REGISTRY = {
    "LayerNorm": Case(LayerNorm, ("states",)),
    "Dropout": Case(lambda: Dropout(0.4, name="dropout"), ("states",)),
    "Embeddings": Case(
        lambda: Embeddings(V, E, 9, 2, 0.2, "sinusoidal", 0.1),
        ("ids", "segments"),
    ),
    "EncoderBlock": Case(
        lambda: EncoderBlock(H, HEADS, FFN, 0.2, 0.3, 0.1), ("states", "bias")
    ),
    "Encoder": Case(make_encoder, READS),
    "MaskedLMHead": Case(lambda: MaskedLMHead(V, E, 0.1), ("slots", "table")),
    "DiscriminatorHead": Case(lambda: DiscriminatorHead(H, 0.1), ("states",)),
    "HuggingFaceHead": Case(lambda: HuggingFaceHead(3, 0.2, 0.1), ("states",)),
    "MaskedLM": Case(lambda: MaskedLM(make_encoder()), (*READS, "positions")),
    "Discriminator": Case(lambda: Discriminator(make_encoder()), READS),
    "SelectionHead": Case(
        lambda: SelectionHead(V, E, 0.1), ("slots", "candidates", "table")
    ),
    "CopyingLM": Case(
        lambda: CopyingLM(make_encoder()), READS, functional=False
    ),
    "Selector": Case(
        make_selector, ("states", "mask", "positions", "candidates", "table")
    ),
    "TwoTowerCloze": Case(make_two_towers, (*READS, "positions")),
    "TokenMasker": Case(make_masker, ("batch",), functional=False),
}


def run(layer: keras.layers.Layer, inputs: list, training: bool = False):
    """The layer's outputs as a list of tensors."""
    options = {}
    if "training" in inspect.signature(layer.call).parameters:
        options["training"] = training
    outputs = layer(*inputs, **options)
    if dataclasses.is_dataclass(outputs):
        names = [field.name for field in dataclasses.fields(outputs)]
        return [getattr(outputs, name) for name in names]
    if isinstance(outputs, tuple):
        return list(outputs)
    return [outputs]


def built(name: str) -> keras.layers.Layer:
    """The case's layer with weights far from their start.

    At the start kernels are so small that attention is all but uniform and
    biases are zero: errors in either would hide.
    """
    case = REGISTRY[name]
    layer = case.make()
    run(layer, case.arrays())
    randomize(layer.trainable_variables)
    return layer


def randomize(variables: list, seed: int = 1, scale: float = 0.5) -> None:
    rng = np.random.default_rng(seed)
    for variable in variables:
        start = 1.0 if variable.path.endswith("gamma") else 0.0
        value = start + scale * rng.normal(size=variable.shape)
        variable.assign(value.astype(np.float32))


def weighted_sum(outputs: list[tf.Tensor]) -> tf.Tensor:
    """A loss to which every output value contributes differently."""
    rng = np.random.default_rng(2)
    return tf.add_n(
        [
            tf.reduce_sum(
                tf.cast(out, tf.float32)
                * rng.normal(size=out.shape).astype(np.float32)
            )
            for out in outputs
        ]
    )
