"""Assigning named arrays to variables, exhaustively both ways."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from electra_tf.errors import InputError

_SHOWN = 3


def assign_weights(
    variables: Sequence[keras.Variable],
    arrays: Mapping[str, np.ndarray],
    source: str,
) -> None:
    """Assigns to each variable the array of its path; none may be left over.

    Args:
      variables: their `path` is the array's name.
      arrays: name -> array of the variable's shape.
      source: named in errors.

    Raises:
      InputError: names or shapes do not match; nothing is assigned then.
    """
    wanted = {variable.path: tuple(variable.shape) for variable in variables}
    missing = sorted(set(wanted) - set(arrays))
    extra = sorted(set(arrays) - set(wanted))
    if missing or extra:
        raise InputError(
            f"weights in {source} do not match the model: "
            f"missing {_some(missing)}; not in the model {_some(extra)}"
        )
    for name, shape in wanted.items():
        if arrays[name].shape != shape:
            raise InputError(
                f"weights in {source}: {name} must have the shape {shape}; "
                f"received {arrays[name].shape}"
            )
    for variable in variables:
        variable.assign(arrays[variable.path])


def _some(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
