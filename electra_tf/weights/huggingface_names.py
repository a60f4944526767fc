"""Tensors' names as Hugging Face's classes of any year have them.

One canonical form: that of today's PyTorch classes, below `electra.` and the
heads. Older files, wrapped models and TensorFlow's .h5 come down to it.
"""

import dataclasses
import re
from collections.abc import Iterable

from electra_tf.errors import InputError, require

ROOT = "electra."
WORDS = "embeddings.word_embeddings.weight"
_OLD = {
    "LayerNorm.gamma": "LayerNorm.weight",
    "LayerNorm.beta": "LayerNorm.bias",
}
# Counters that PyTorch once kept beside the weights.
_BUFFERS = (
    f"{ROOT}embeddings.position_ids",
    f"{ROOT}embeddings.token_type_ids",
)
OUTPUT_TABLE = "generator_lm_head.weight"
_H5_ENDS = {
    "kernel:0": "weight",
    "embeddings:0": "weight",
    "gamma:0": "weight",
    "beta:0": "bias",
    "bias:0": "bias",
    "weight:0": "weight",
}


@dataclasses.dataclass(frozen=True)
class Stored:
    """Where a canonical name's tensor is.

    Attributes:
      name: in the file.
      is_transposed: whether it is a kernel of Keras, [in, out].
    """

    name: str
    is_transposed: bool


def canonical_names(
    names: Iterable[str], kind: str, source: str
) -> dict[str, Stored]:
    """Canonical name -> where it is; buffers are left out.

    Args:
      names: of a file's tensors.
      kind: "h5", or another form, whose names are PyTorch's.
      source: named in errors.

    Raises:
      InputError: no encoder is among them, or two; or a name twice.
    """
    if kind == "h5":
        found = {name: _from_h5(name) for name in names}
    else:
        found = _unwrapped(list(names), source)
    stored: dict[str, Stored] = {}
    for name, canonical in found.items():
        if canonical in _BUFFERS:
            continue
        first = stored.get(canonical)
        rule = f"{source} must hold {canonical} once"
        require(first is None, rule, f"{first and first.name} and {name}")
        stored[canonical] = Stored(name, name.endswith("kernel:0"))
    return stored


def _from_h5(name: str) -> str:
    """As PyTorch has `model/electra/encoder/layer_._0/.../kernel:0`."""
    parts = name.split("/")[1:]
    parts[-1] = _H5_ENDS.get(parts[-1], parts[-1])
    return ".".join(parts).replace("layer_._", "layer.")


def _unwrapped(names: list[str], source: str) -> dict[str, str]:
    roots = [n.removesuffix(WORDS) for n in names if n.endswith(WORDS)]
    if len(roots) != 1:
        raise InputError(
            f"{source} must hold one encoder (a tensor ...{WORDS}); received "
            f"{len(roots)}: {', '.join(names[:3]) or 'no tensor'}"
        )
    (root,) = roots
    wrapper = root.removesuffix(ROOT)
    found = {}
    for name in names:
        if name.startswith(root):
            canonical = ROOT + name.removeprefix(root)
        else:
            canonical = name.removeprefix(wrapper)
        for old, new in _OLD.items():
            canonical = re.sub(rf"{re.escape(old)}$", new, canonical)
        found[name] = canonical
    return found


def head_of(names: Iterable[str]) -> str:
    """The head that tensors are of, where config.json does not say it."""
    starts = {
        "discriminator_predictions.": "discriminator",
        "generator_predictions.": "generator",
        "qa_outputs.": "span_qa",
        "classifier.out_proj.": "classifier",
        "classifier.": "tagger",
    }
    names = list(names)
    for start, kind in starts.items():
        if any(name.startswith(start) for name in names):
            return kind
    return "encoder"
