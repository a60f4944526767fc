"""The one door for weights: what a path names, opened; and saved again.

A format is one module with a `WeightsFormat`; `register` lets others in from
outside the package:

    from electra_tf import weights

    class Mine(weights.WeightsFormat):
        name, takes = "mine", "a folder of mine"
        ...

    weights.register(Mine())
"""

import os
from pathlib import Path

import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.files import check_path
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
    "open_weights",
    "register",
    "save_weights",
]

# Weights that come with the package.
NAMES = {"tiny": str(Path(__file__).parents[1] / "assets" / "tiny")}

# In the order in which they are asked: a folder that is a run's or holds
# weights of ours wins over a checkpoint of that name, and that over any other
# folder of its name.
for _format in (ElectraTFWeights(), RunFolderWeights(), TF1Checkpoint()):
    register(_format)


def open_weights(name_or_path: str | os.PathLike) -> OpenedWeights:
    """Opens weights of any format; arrays are read when asked for.

    Args:
      name_or_path: a name of `NAMES`, or what one of `FORMATS` recognises.

    Raises:
      InputError: it is none of these, or damaged.
    """
    given = os.fspath(name_or_path)
    path = NAMES.get(given, given)
    reasons = []
    for each in FORMATS.values() if path else ():
        try:
            if each.recognises(path):
                return each.read(path)
        except tf.errors.OpError as error:  # no such file system, no access
            reasons.append(f" ({str(error).splitlines()[0]})")
    known = "; ".join([*NAMES, *(each.takes for each in FORMATS.values())])
    raise InputError(
        f"weights must be one of: {known}; received {given!r}"
        f"{''.join(reasons[:1])}"
    )


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
    writable = [name for name, each in FORMATS.items() if each.is_writable]
    if to not in writable:
        raise InputError(
            f"to must be one of {', '.join(writable)}; received {to!r}"
        )
    FORMATS[to].write(weights, check_path("output_dir", output_dir), dtype)
