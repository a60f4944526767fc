"""Tables of gradient_disentangled: a difference in a run, a sum outside it.

A run's checkpoint holds E_G and E_delta; whoever uses the weights afterwards
gets plain tables, the main network's being E_G + E_delta.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from electra_tf.modeling.tying import DELTA

# Scopes that the generator's tables may stand in, by `--generator`.
_GENERATORS = ("generator", "generator_ltr")


def sum_tables(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights by name, differences added to what they differ from."""
    found = {}
    for name, array in arrays.items():
        plain = name.removesuffix(DELTA)
        if plain != name:
            array = array + _generators_table(plain, arrays)
        found[plain] = array
    return found


def split_tables(
    arrays: Mapping[str, np.ndarray], wanted: Iterable[str]
) -> dict[str, np.ndarray]:
    """The other way round, for those of the `wanted` names that differ."""
    found = dict(arrays)
    for name in wanted:
        plain = name.removesuffix(DELTA)
        if plain != name and plain in found and name not in found:
            found[name] = found.pop(plain) - _generators_table(plain, arrays)
    return found


def _generators_table(
    name: str, arrays: Mapping[str, np.ndarray]
) -> np.ndarray:
    """electra/embeddings/... -> generator/embeddings/..."""
    _, _, rest = name.partition("/")
    scopes = (f"{scope}/{rest}" for scope in _GENERATORS)
    return next(arrays[path] for path in scopes if path in arrays)
