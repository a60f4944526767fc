"""Fine-tuned models as KerasHub's habits have them: presets, `backbone`.

A preset is a folder of weights, as `convert_weights.py` writes them, and what
the model's class was told besides, in task.json.
"""

import json
import os
import tempfile
from typing import Any, Self

import keras
import tensorflow as tf

from electra_tf.errors import require
from electra_tf.files import check_path, read_json, write_text
from electra_tf.finetune.preprocessor import TextPreprocessor
from electra_tf.modeling.encoder import Encoder
from electra_tf.weights import open_weights, save_weights

TASK = "task.json"
# Of Keras, or in the folder's weights.
_ELSEWHERE = (
    "name trainable dtype encoder preprocessor labels multi_label head"
).split()
_LABELS = ("labels", "num_classes", "multi_label")


class PresetModel(keras.Model):
    """Beside `from_pretrained`, which opens the same folders.

    Attributes:
      backbone: KerasHub's name of `encoder`.
    """

    encoder: Encoder
    preprocessor: TextPreprocessor | None

    @property
    def backbone(self) -> Encoder:
        return self.encoder

    def __dir__(self):
        # Keras stores a layer under the first of its names that it finds
        # here; in files it is the encoder.
        return [name for name in super().__dir__() if name != "backbone"]

    @classmethod
    def from_preset(
        cls, preset: str | os.PathLike, load_weights: bool = True, **given: Any
    ) -> Self:
        """A model of a folder of `save_to_preset`, as it was then.

        Args:
          preset: such a folder; or whatever `from_pretrained` takes.
          load_weights, **given: of `from_pretrained`, in place of what the
            folder says.

        Raises:
          InputError: as `from_pretrained`.
        """
        told = _read_task(os.path.join(preset, TASK), cls.__name__)
        if not given.keys().isdisjoint(_LABELS):
            told.pop("thresholds", None)  # of other labels
        return cls.from_pretrained(
            preset, load_weights=load_weights, **{**told, **given}
        )

    def save_to_preset(self, preset_dir: str | os.PathLike) -> None:
        """Writes a folder for `from_preset`; adapters are merged.

        Raises:
          InputError: the model has no preprocessor, is quantized or of a
            class of one's own, or the folder cannot be written.
        """
        path = check_path("preset_dir", os.fspath(preset_dir))
        rule = "save_to_preset needs a model with its preprocessor"
        require(self.preprocessor is not None, rule, "none")
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "model.keras")
            self.save(file)
            save_weights(open_weights(file), path)
        told = {
            "dropout": self.encoder.sizes["hidden_dropout"],
            **self.get_config(),
            "max_seq_length": self.preprocessor.max_seq_length,
        }
        told = {n: x for n, x in told.items() if n not in _ELSEWHERE}
        task = {"class_name": type(self).__name__, "config": told}
        write_text(os.path.join(path, TASK), json.dumps(task, indent=2) + "\n")


def _read_task(path: str, class_name: str) -> dict[str, Any]:
    """What a class was told; another class only learns the length."""
    if not tf.io.gfile.exists(path):
        return {}
    task = read_json(path)
    told = task.get("config")
    rule = f"{path!r} must have a class_name and a config"
    require("class_name" in task and isinstance(told, dict), rule, task)
    if task["class_name"] == class_name:
        return told
    return {n: x for n, x in told.items() if n == "max_seq_length"}
