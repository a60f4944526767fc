"""The one door for weights: what a path names, opened; and saved again.

A format is one module with a `WeightsFormat`; `register` lets others in from
outside the package:

    from electra_tf import weights

    class Mine(weights.WeightsFormat):
        name, takes = "mine", "a folder of mine"
        ...

    weights.register(Mine())
"""

import dataclasses
import os
from pathlib import Path

import tensorflow as tf

from electra_tf.errors import InputError, require
from electra_tf.files import check_path
from electra_tf.weights import hub, pairs
from electra_tf.weights.huggingface import HuggingFaceWeights
from electra_tf.weights.keras_file import KerasFile
from electra_tf.weights.keras_hub import KerasHubPreset
from electra_tf.weights.native import ElectraTFWeights, RunFolderWeights
from electra_tf.weights.record import (
    FORMATS,
    AdamSlots,
    Head,
    LazyArrays,
    OpenedWeights,
    WeightsFormat,
    register,
)
from electra_tf.weights.tf1 import TF1Checkpoint

__all__ = [
    "NAMES",
    "AdamSlots",
    "Head",
    "LazyArrays",
    "OpenedWeights",
    "WeightsFormat",
    "open_pair",
    "open_weights",
    "register",
    "save_weights",
    "writable",
]

# Weights that come with the package.
NAMES = {"tiny": str(Path(__file__).parents[1] / "assets" / "tiny")}

# In the order in which they are asked: a folder that is a run's or holds
# weights of ours wins over a checkpoint of that name, and that over any other
# folder of its name.
for _format in (
    ElectraTFWeights(),
    RunFolderWeights(),
    TF1Checkpoint(),
    HuggingFaceWeights(),
    KerasHubPreset(),
    KerasFile(),
):
    register(_format)


def open_weights(name_or_path: str | os.PathLike) -> OpenedWeights:
    """Opens weights of any format; arrays are read when asked for.

    Args:
      name_or_path: a name of `NAMES`, hf://org/name of the Hugging Face hub,
        or what one of `FORMATS` recognises.

    Raises:
      InputError: it is none of these, or damaged.
    """
    is_path = isinstance(name_or_path, (str, os.PathLike))
    require(is_path, "weights must be a name or a path", name_or_path)
    given = os.fspath(name_or_path)
    if given.startswith(hub.PREFIX):
        folder, origin = hub.fetch(given)
        return dataclasses.replace(
            open_weights(folder), source=given, origin=origin
        )
    path = NAMES.get(given, given)
    reasons = []
    for each in FORMATS.values() if path else ():
        try:
            if each.recognises(path):
                return each.read(path)
        except tf.errors.OpError as error:  # no such file system, no access
            reasons.append(f" ({str(error).splitlines()[0]})")
    known = "; ".join(
        [*NAMES, "hf://org/name", *(each.takes for each in FORMATS.values())]
    )
    raise InputError(
        f"weights must be one of: {known}; received {given!r}"
        f"{''.join(reasons[:1])}"
    )


def open_pair(
    name_or_path: str | os.PathLike, generator: str = ""
) -> OpenedWeights:
    """As `open_weights`, with a generator from a second place.

    Args:
      name_or_path: what `open_weights` takes.
      generator: another such, whose generator is taken; "" for none.

    Raises:
      InputError: the first has no discriminator, the second no generator, or
        they do not fit each other.
    """
    weights = open_weights(name_or_path)
    if not generator:
        return weights
    second = pairs.alone(open_weights(generator), "generator")
    return pairs.pair(pairs.alone(weights, "discriminator"), second)


def writable(to: str) -> WeightsFormat:
    """The format of that name.

    Raises:
      InputError: there is none, or one that can only be read.
    """
    names = [name for name, each in FORMATS.items() if each.is_writable]
    require(to in names, f"to must be one of {', '.join(names)}", to)
    return FORMATS[to]


def save_weights(
    weights: OpenedWeights,
    output_dir: str,
    to: str = ElectraTFWeights.name,
    dtype: str = "float32",
) -> None:
    """Writes weights in a format of `FORMATS`.

    Args:
      weights: what `open_weights` gave.
      output_dir: the folder to write.
      to: the format's name.
      dtype: how the weights are stored.

    Raises:
      InputError: no such format, or one that can only be read; the folder
        cannot be written, or another process is writing there.
    """
    chosen = writable(to)
    chosen.write(weights, check_path("output_dir", output_dir), dtype)
