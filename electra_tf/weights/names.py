"""One table of names: ours, which are TF1's, Hugging Face's and KerasHub's.

A network alone stands here: an encoder, under `electra/`, and one head. Which
networks there are, and what they share, is weights/pairs.py's.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from electra_tf.config.sizes import NetworkSizes
from electra_tf.errors import InputError, some

SCOPE = "electra/"
HEADS = ("discriminator", "generator")

# Ours, Hugging Face's, KerasHub's; `#` is the block's number.
_EMBEDDINGS = """
embeddings/word_embeddings            embeddings.word_embeddings.weight       token_embedding/embeddings
embeddings/position_embeddings        embeddings.position_embeddings.weight   position_embedding/embeddings
embeddings/token_type_embeddings      embeddings.token_type_embeddings.weight segment_embedding/embeddings
embeddings/LayerNorm/gamma            embeddings.LayerNorm.weight             embeddings_layer_norm/gamma
embeddings/LayerNorm/beta             embeddings.LayerNorm.bias               embeddings_layer_norm/beta
"""  # noqa: E501 - a table
_PROJECTION = """
embeddings_project/kernel             embeddings_project.weight               embeddings_projection/kernel
embeddings_project/bias               embeddings_project.bias                 embeddings_projection/bias
"""  # noqa: E501
_BLOCK = """
attention/self/query/kernel           attention.self.query.weight             self_attention_layer/query/kernel
attention/self/query/bias             attention.self.query.bias               self_attention_layer/query/bias
attention/self/key/kernel             attention.self.key.weight               self_attention_layer/key/kernel
attention/self/key/bias               attention.self.key.bias                 self_attention_layer/key/bias
attention/self/value/kernel           attention.self.value.weight             self_attention_layer/value/kernel
attention/self/value/bias             attention.self.value.bias               self_attention_layer/value/bias
attention/output/dense/kernel         attention.output.dense.weight           self_attention_layer/attention_output/kernel
attention/output/dense/bias           attention.output.dense.bias             self_attention_layer/attention_output/bias
attention/output/LayerNorm/gamma      attention.output.LayerNorm.weight       self_attention_layer_norm/gamma
attention/output/LayerNorm/beta       attention.output.LayerNorm.bias         self_attention_layer_norm/beta
intermediate/dense/kernel             intermediate.dense.weight               feedforward_intermediate_dense/kernel
intermediate/dense/bias               intermediate.dense.bias                 feedforward_intermediate_dense/bias
output/dense/kernel                   output.dense.weight                     feedforward_output_dense/kernel
output/dense/bias                     output.dense.bias                       feedforward_output_dense/bias
output/LayerNorm/gamma                output.LayerNorm.weight                 feedforward_layer_norm/gamma
output/LayerNorm/beta                 output.LayerNorm.bias                   feedforward_layer_norm/beta
"""  # noqa: E501
# KerasHub has no heads.
_HEADS = {
    "discriminator": """
discriminator_predictions/dense/kernel      discriminator_predictions.dense.weight
discriminator_predictions/dense/bias        discriminator_predictions.dense.bias
discriminator_predictions/dense_1/kernel    discriminator_predictions.dense_prediction.weight
discriminator_predictions/dense_1/bias      discriminator_predictions.dense_prediction.bias
""",  # noqa: E501
    "generator": """
generator_predictions/dense/kernel          generator_predictions.dense.weight
generator_predictions/dense/bias            generator_predictions.dense.bias
generator_predictions/LayerNorm/gamma       generator_predictions.LayerNorm.weight
generator_predictions/LayerNorm/beta        generator_predictions.LayerNorm.bias
generator_predictions/output_bias           generator_lm_head.bias
""",  # noqa: E501
}


@dataclasses.dataclass(frozen=True)
class Names:
    """A variable's names.

    Attributes:
      ours: and TF1's.
      huggingface: of the PyTorch classes.
      keras_hub: of `ElectraBackbone`; "" where it has none.
    """

    ours: str
    huggingface: str
    keras_hub: str = ""

    def to_huggingface(self, array: np.ndarray) -> np.ndarray:
        """As it is stored there: kernels are [out, in]; never a copy."""
        return array.T if self.ours.endswith("/kernel") else array

    from_huggingface = to_huggingface  # transposing is its own way back

    def shape_there(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of `to_huggingface`."""
        return shape[::-1] if self.ours.endswith("/kernel") else shape


def encoder_names(num_layers: int, has_projection: bool) -> list[Names]:
    """Of an encoder's variables.

    Args:
      num_layers: blocks.
      has_projection: whether E differs from H.
    """
    rows = [
        *_rows(_EMBEDDINGS),
        *(_rows(_PROJECTION if has_projection else "")),
    ]
    names = [Names(SCOPE + a, f"electra.{b}", c) for a, b, c in rows]
    for i in range(num_layers):
        names += [
            Names(
                f"{SCOPE}encoder/layer_{i}/{a}",
                f"electra.encoder.layer.{i}.{b}",
                f"transformer_layer_{i}/{c}",
            )
            for a, b, c in _rows(_BLOCK)
        ]
    return names


def head_names(head: str) -> list[Names]:
    """Of the variables of a pre-training head, one of `HEADS`."""
    return [Names(*row) for row in _rows(_HEADS[head])]


def _rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.strip().splitlines()]


def network_names(sizes: NetworkSizes, kind: str) -> list[Names]:
    """Of an encoder and its pre-training head, where `kind` is one."""
    has_projection = sizes.embedding_size != sizes.hidden_size
    names = encoder_names(sizes.num_hidden_layers, has_projection)
    return names + (head_names(kind) if kind in HEADS else [])


def check_names(
    wanted: Iterable[str], there: Iterable[str], source: str
) -> None:
    """Refuses variables that are missing, and such that nothing asks for.

    Raises:
      InputError: with the first names of both.
    """
    wanted, there = set(wanted), set(there)
    missing, unknown = sorted(wanted - there), sorted(there - wanted)
    if missing or unknown:
        raise InputError(
            f"{source} must hold the variables that its config tells of; "
            f"missing: {some(missing)}; unknown: {some(unknown)}"
        )
