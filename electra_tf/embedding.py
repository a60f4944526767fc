"""Texts as vectors: an encoder's states, one vector a text."""

import abc
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.data.columns import text_tensor
from electra_tf.data.tokenizers import Tokenizer, pack_texts
from electra_tf.errors import require
from electra_tf.modeling.encoder import Encoder

POOLINGS = ("mean", "cls")


def mean_of(states: tf.Tensor, input_mask: tf.Tensor) -> tf.Tensor:
    """The mean of a text's states, [CLS] and [SEP] among them.

    Args:
      states: float [B, L, H].
      input_mask: int [B, L], 0 on padding.

    Returns float [B, H]; zeros for a row of padding alone.

    Reference: Reimers and Gurevych 2019, "Sentence-BERT", section 3.
    """
    real = tf.cast(input_mask, states.dtype)[:, :, None]  # [B, L, 1]
    count = tf.reduce_sum(real, axis=1)  # [B, 1]
    return tf.reduce_sum(states * real, axis=1) / tf.maximum(count, 1)


def pooled(
    states: tf.Tensor, input_mask: tf.Tensor, pooling: str, normalize: bool
) -> tf.Tensor:
    """One vector a text, float32 [B, H]: the mean, or the [CLS] vector.

    Args:
      states: float [B, L, H].
      input_mask: int [B, L].
      pooling: "mean" or "cls".
      normalize: whether vectors are made 1 long, so that products of them are
        cosines.
    """
    vectors = states[:, 0]
    if pooling == "mean":
        vectors = mean_of(states, input_mask)
    vectors = tf.cast(vectors, tf.float32)
    return tf.math.l2_normalize(vectors, axis=-1) if normalize else vectors


def check_pooling(pooling: str) -> str:
    """`pooling` as it is, one of `POOLINGS`."""
    rule = f"pooling must be one of {', '.join(POOLINGS)}"
    require(pooling in POOLINGS, rule, pooling)
    return pooling


class Embedder(abc.ABC):
    """What has an encoder and a tokenizer, and so embeds texts."""

    def embed(
        self,
        texts: Sequence[str],
        pooling: str = "mean",
        normalize: bool = True,
        batch_size: int = 32,
    ) -> np.ndarray:
        """One vector a text: float32 [N, H].

        Args:
          texts: cut to what the model reads.
          pooling: "mean", of the states of all tokens, [CLS] and [SEP] among
            them; or "cls", the state of [CLS].
          normalize: whether vectors are made 1 long.
          batch_size: texts of about one length that go through together.

        Raises:
          InputError: there is no text, or something is none.
        """
        column = text_tensor("texts", texts)
        rule = "texts must hold a text or more"
        require(len(column) > 0, rule, texts)
        check_pooling(pooling)
        encoder, tokenizer, longest = self._reads()
        order = np.argsort(tf.strings.length(column), kind="stable")
        parts = []
        for first in range(0, len(order), batch_size):
            some = tf.gather(column, order[first : first + batch_size])
            packed = pack_texts(tokenizer, some, longest)
            ids = (packed.input_ids, packed.input_mask, packed.segment_ids)
            states = encoder(*ids)  # [B, L, H]
            mask = packed.input_mask
            parts.append(pooled(states, mask, pooling, normalize).numpy())
        found = np.empty((len(order), parts[0].shape[1]), np.float32)
        found[order] = np.concatenate(parts)
        return found

    def export(
        self,
        filepath: str | os.PathLike,
        format: str = "tf_saved_model",
        **arguments: Any,
    ) -> None:
        """Writes the model for others to run, and prints what was written.

        Args:
          filepath: a new folder for "tf_saved_model", else a file.
          format: "tf_saved_model", "onnx", "litert" or "openvino".
          **arguments: of the format, see `export_model`.

        Raises:
          InputError: see `export_model`.
        """
        from electra_tf import export_model

        model: Any = self
        print(export_model(model, filepath, format, **arguments))

    @abc.abstractmethod
    def _reads(self) -> tuple[Encoder, Tokenizer, int]:
        """The encoder, its tokenizer, and the most tokens of a row."""
