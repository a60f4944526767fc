"""electra_tf's own folder of weights: config, tokenizer, one .npz.

No pickles: arrays only, by variable path.
"""

import dataclasses
import io
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from electra_tf.config import stored as stored_config
from electra_tf.config.pretraining import PretrainingConfig
from electra_tf.data.tokenizers.tokenizer import Tokenizer
from electra_tf.errors import InputError
from electra_tf.files import make_folder, write_bytes, write_text
from electra_tf.training.checkpoints import FOLDER
from electra_tf.training.run_folder import CONFIG

WEIGHTS = "weights.npz"
DTYPES = ("float32", "float16")


def write_folder(
    folder: str,
    config: PretrainingConfig,
    tokenizer: Tokenizer,
    weights: Mapping[str, np.ndarray],
    dtype: str = "float32",
) -> None:
    """Writes `config.json`, the tokenizer and `weights.npz`.

    Args:
      folder: made where missing.
      config: of the run; only what defines the networks matters here.
      tokenizer: of the run.
      weights: by variable path.
      dtype: how the weights are stored, float32 or float16.
    """
    if dtype not in DTYPES:
        raise InputError(
            f"dtype must be one of {', '.join(DTYPES)}; received {dtype!r}"
        )
    if tf.io.gfile.exists(os.path.join(folder, FOLDER)):
        raise InputError(
            f"output_dir must not be a run's folder; received {folder!r}"
        )
    make_folder(folder)
    tokenizer.save(folder)
    write_text(
        os.path.join(folder, CONFIG),
        stored_config.to_json(_without_places(config)),
    )
    stored = {name: array.astype(dtype) for name, array in weights.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **stored)
    write_bytes(os.path.join(folder, WEIGHTS), buffer.getvalue())


def _without_places(config: PretrainingConfig) -> PretrainingConfig:
    """Weights are for others: where the run stood is not theirs to see."""
    data = dataclasses.replace(config.data, data_dir="", vocab_file="")
    run = dataclasses.replace(config.run, model_dir="", init_checkpoint="")
    return dataclasses.replace(config, data=data, run=run)


def read_arrays(folder: str) -> dict[str, np.ndarray]:
    """The weights of such a folder, float32, by variable path.

    Raises:
      InputError: the file is damaged, or holds other than numbers.
    """
    path = os.path.join(folder, WEIGHTS)
    with tf.io.gfile.GFile(path, "rb") as file:
        content = io.BytesIO(file.read())
    try:
        with np.load(content, allow_pickle=False) as arrays:
            return {n: arrays[n].astype(np.float32) for n in arrays.files}
    except Exception as error:  # zipfile, zlib and NumPy each raise their own
        raise InputError(
            f"cannot read weights from {path!r} "
            f"({type(error).__name__}: {error})"
        ) from None


def is_folder(path: str) -> bool:
    """Whether `path` holds weights in this format."""
    return tf.io.gfile.exists(os.path.join(path, WEIGHTS))
