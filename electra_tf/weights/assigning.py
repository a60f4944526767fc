"""Arrays by name into a model's variables: all of them, in their shapes."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from electra_tf.errors import InputError, require, some
from electra_tf.weights.record import LazyArrays


def assign_weights(
    variables: Sequence[keras.Variable],
    arrays: Mapping[str, np.ndarray],
    source: str,
) -> None:
    """`assign_arrays` to variables by their own paths."""
    assign_arrays({v.path: v for v in variables}, arrays, source)


def assign_arrays(
    variables: Mapping[str, keras.Variable],
    arrays: Mapping[str, np.ndarray],
    source: str,
) -> None:
    """Assigns to each variable the array of its name; none may be left over.

    Args:
      variables: by name.
      arrays: name -> array of the variable's shape.
      source: named in errors.

    Raises:
      InputError: names or shapes do not match; nothing is assigned then.
    """
    missing = sorted(set(variables) - set(arrays))
    extra = sorted(set(arrays) - set(variables))
    if missing or extra:
        raise InputError(
            f"weights in {source} must match the model; missing: "
            f"{some(missing)}; not in the model: {some(extra)}"
        )
    # Read once, and all before the first is assigned.
    found = {name: arrays[name] for name in variables}
    for name, variable in variables.items():
        shape = tuple(variable.shape)
        if found[name].shape != shape:
            raise InputError(
                f"weights in {source}: {name} must have the shape {shape}; "
                f"received {found[name].shape}"
            )
    for name, variable in variables.items():
        variable.assign(found[name])


def with_shapes(
    arrays: Mapping[str, np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
    source: str,
) -> LazyArrays:
    """The arrays, each of which must have its shape when it is read.

    Raises:
      InputError: when read: which, with both shapes.
    """

    def read(name: str) -> np.ndarray:
        array, shape = arrays[name], shapes[name]
        rule = f"{name} in {source} must have the shape {shape} of its config"
        require(array.shape == shape, rule, array.shape)
        return array

    return LazyArrays(arrays, read)
