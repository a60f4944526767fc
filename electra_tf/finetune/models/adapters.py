"""Adapters of a fine-tuned model: learned, kept in small files, merged."""

import copy
import hashlib
import json
import os
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError, require
from electra_tf.files import check_path
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.lora import ADAPTERS, check_rank
from electra_tf.weights.assigning import assign_weights
from electra_tf.weights.safetensors_writer import (
    read_metadata,
    write_safetensors,
)
from electra_tf.weights.tensor_files import open_file

_ABOUT = "electra_tf_lora"


class AdaptedModel(keras.Model):
    """A model whose encoder may learn by adapters alone.

    Attributes:
      encoder: see `Encoder.enable_lora`.
    """

    encoder: Encoder

    def enable_lora(self, rank: int) -> None:
        """Adapters learn in place of the encoder's weights; the head as ever.

        To be called before `compile`, since an optimizer is made for the
        variables that learn.

        Args:
          rank: see `Encoder.enable_lora`, also for what it raises.
        """
        self.encoder.enable_lora(rank)
        # Graphs of before have none, as after Keras' `quantize`.
        self.train_function = self.test_function = None
        self.predict_function = None
        self.compiled = False  # by an optimizer of other variables

    def save_lora_weights(self, path: str | os.PathLike) -> None:
        """Writes adapters and head as safetensors, and for which encoder.

        Raises:
          InputError: there are no adapters, or the file cannot be written.
        """
        rule = "save_lora_weights needs a model with adapters (enable_lora)"
        require(self.encoder.lora_rank > 0, rule, "none")
        path = _checked(path)
        arrays = {v.path: v.numpy() for v in self._lora_variables()}
        shapes = {name: array.shape for name, array in arrays.items()}
        about = {_ABOUT: json.dumps(self._about())}
        write_safetensors(path, shapes, arrays, "float32", about)

    def load_lora_weights(self, path: str | os.PathLike) -> None:
        """Reads what `save_lora_weights` wrote, into a model as it was then.

        A model without adapters gets them, of the file's rank.

        Raises:
          InputError: no such file; one of another class, encoder, label or
            rank. Nothing is assigned then.
        """
        path = _checked(path)
        rule = "path must be a file of save_lora_weights"
        require(tf.io.gfile.exists(path), rule, path)
        arrays = open_file(path)
        about = json.loads(read_metadata(path).get(_ABOUT, "{}"))
        require("rank" in about, rule, path)
        check_rank(about["rank"])
        expected = {**self._about(), "rank": self.encoder.lora_rank}
        if not expected["rank"]:
            expected["rank"] = about["rank"]
        for name, value in expected.items():
            if about.get(name) != value:
                raise InputError(
                    f"the adapters' {name} must be the model's, {value!r}; "
                    f"received {about.get(name)!r} in {path!r}"
                )
        if not self.encoder.lora_rank:
            self.enable_lora(about["rank"])
        assign_weights(self._lora_variables(), arrays, repr(path))

    def _lora_variables(self) -> list[keras.Variable]:
        resting = {id(v) for v in self.encoder.weights if not _adapts(v)}
        return [v for v in self.weights if id(v) not in resting]

    def _about(self) -> dict[str, Any]:
        """What a model must have in common with a file of adapters."""
        digest = hashlib.sha256()
        for variable in self.encoder.weights:
            if not _adapts(variable):
                digest.update(np.ascontiguousarray(variable.numpy()).data)
        return {
            "class": type(self).__name__,
            "labels": list(getattr(self, "labels", ())),
            "head": str(getattr(self, "head_style", "")),
            "rank": self.encoder.lora_rank,
            "encoder": digest.hexdigest()[:16],
        }

    def save(self, filepath: str | os.PathLike, *args, **kwargs) -> None:
        """As any Keras model does.

        Raises:
          InputError: the model is quantized, which its file would not say.
        """
        mode = self.encoder.blocks[0].query.quantization_mode
        rule = (
            "save needs a model that is not quantized (save before, or use "
            "save_weights)"
        )
        require(mode is None, rule, mode)
        super().save(filepath, *args, **kwargs)

    def merged(self) -> Self:
        """A copy with the adapters' part in its kernels; without any, itself.

        It answers as this model does, up to rounding.
        """
        if not self.encoder.lora_rank:
            return self
        config = copy.deepcopy(self.get_config())
        del config["encoder"]["config"]["lora_rank"]
        plain = type(self).from_config(config)
        arrays = {v.path: v.numpy() for v in self.weights if not _adapts(v)}
        for block in self.encoder.blocks:
            for layer in block.dense_layers:
                # What Keras calls the kernel is the sum.
                arrays[layer._kernel.path] = np.asarray(layer.kernel)
        assign_weights(plain.weights, arrays, "the adapted model")
        return plain

    def trainable_share(self) -> float:
        """What part of all parameters learns."""
        learning = sum(v.numpy().size for v in self.trainable_variables)
        return learning / self.count_params()


def _adapts(variable: keras.Variable) -> bool:
    return variable.name in ADAPTERS


def _checked(path: str | os.PathLike) -> str:
    path = check_path("path", os.fspath(path))
    rule = "path must end with .safetensors"
    require(path.endswith(".safetensors"), rule, path)
    return path
