"""Converted weights beside their source: the largest differences."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from electra_tf.errors import InputError, require_packages
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.networks import Discriminator, MaskedLM
from electra_tf.modeling.tying import make_main_encoder
from electra_tf.weights import (
    NAMES,
    hub,
    open_weights,
    pairs,
    run_transformers,
)
from electra_tf.weights.assigning import assign_weights
from electra_tf.weights.huggingface_config import CLASSES
from electra_tf.weights.native import ElectraTFWeights
from electra_tf.weights.record import FORMATS, OpenedWeights

_ROWS, _LENGTH = 3, 32

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]
Outputs = dict[str, np.ndarray]


def check_libraries(to: str, *sources: str) -> None:
    """Refuses before any work what `compare` could not run.

    Args:
      to: the format that will be written.
      sources: as of `compare`.

    Raises:
      InputError: the library that is needed is not installed.
    """
    formats = {to, *(_located(source)[0] for source in sources)}
    if "huggingface" in formats:
        packages = ("torch", "transformers")
        require_packages("--verify needs", packages, "verify")


def compare(
    weights: OpenedWeights,
    folder: str,
    to: str,
    source: str,
    generator: str = "",
) -> str:
    """Runs both on random text; a line for each network's output.

    Weights in another library's format are computed by that library, all
    others, and those of TF1, here.

    Args:
      weights: as they were read.
      folder: what was written.
      to: its format.
      source: what `open_weights` read.
      generator: where the generator is, if not there.

    Raises:
      InputError: a library cannot load its own format.
    """
    batch = random_batch(weights)
    lines = []
    for network in pairs.networks_of(weights) or ("encoder",):
        if network not in ("generator", "discriminator", "encoder"):
            continue  # no other library has it
        is_second = generator and network == "generator"
        kind, path = _located(generator if is_second else source)
        expected = _computed(kind, path, network, batch)
        found = _computed(to, folder, network, batch)
        for name in sorted(expected.keys() & found.keys()):
            difference = np.abs(found[name] - expected[name]).max()
            lines.append(
                f"verified {network} {name}: {to} beside {kind}, largest "
                f"difference {difference:.1e}"
            )
    return "\n".join(lines) or "verified nothing: no library has its networks"


def _located(source: str) -> tuple[str, str]:
    """The format's name, and the path, of what `open_weights` takes."""
    path = NAMES.get(source, source)
    if source.startswith(hub.PREFIX):
        path, _ = hub.fetch(source)
    formats = [n for n, each in FORMATS.items() if each.recognises(path)]
    return (formats or [ElectraTFWeights.name])[0], path


def _computed(kind: str, path: str, network: str, batch: Batch) -> Outputs:
    return _LIBRARIES.get(kind, _ours)(path, network, batch)


def random_batch(weights: OpenedWeights) -> Batch:
    """Ids, mask and segments, int32 [3, L], rows of three lengths."""
    model, rng = weights.config.model, np.random.default_rng(0)
    length = min(_LENGTH, model.max_position_embeddings)
    shape = (_ROWS, length)
    ids = rng.integers(0, model.vocab_size, shape, np.int32)
    lengths = np.linspace(length // 2, length, _ROWS).astype(int)
    mask = (np.arange(length) < lengths[:, None]).astype(np.int32)
    segments = (np.arange(length) >= length // 2).astype(np.int32)
    return ids * mask, mask, np.broadcast_to(segments, shape) * mask


def outputs_of(weights: OpenedWeights, network: str, batch: Batch) -> Outputs:
    """Hidden states [B, L, H] and logits of a network by itself, in ours."""
    encoder = make_main_encoder(weights.config.model)
    model: Encoder | Discriminator | MaskedLM = encoder
    if network == "encoder":
        encoder.build()
    elif network == "generator":
        model = MaskedLM(encoder)
    else:
        model = Discriminator(encoder)
    assign_weights(model.variables, weights.arrays, weights.source)
    states = encoder(*batch)
    found = {"hidden states": states.numpy()}
    if network == "generator":
        logits = model.predict_tokens(states)  # of all places
        found["logits"] = logits.numpy()
    elif network == "discriminator":
        found["logits"] = model.head(states).numpy()
    return {n: _where_real(array, batch) for n, array in found.items()}


def _where_real(array: np.ndarray, batch: Batch) -> np.ndarray:
    """Padding is nobody's concern, and differs."""
    return array[batch[1].astype(bool)]


def _ours(path: str, network: str, batch: Batch) -> Outputs:
    opened = open_weights(path)
    if network != "encoder":
        opened = pairs.alone(opened, network)
    return outputs_of(opened, network, batch)


def _transformers(folder: str, network: str, batch: Batch) -> Outputs:
    below = os.path.join(folder, network)
    path = below if os.path.isdir(below) else folder
    names = ("input_ids", "attention_mask", "token_type_ids")
    with tempfile.TemporaryDirectory() as place:
        given, answers = f"{place}/batch.npz", f"{place}/outputs.npz"
        arrays: Any = dict(zip(names, batch, strict=True))
        np.savez(given, **arrays)
        script = run_transformers.__file__
        arguments = (path, CLASSES[network], given, answers)
        done = subprocess.run(
            [sys.executable, "-P", script, *arguments],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason"])[-1]
            raise InputError(
                "--verify needs weights that transformers loads; received "
                f"{path!r} ({reason})"
            )
        with np.load(answers) as found:
            return {n: _where_real(found[n], batch) for n in found.files}


def _keras_hub(folder: str, network: str, batch: Batch) -> Outputs:
    if network == "generator":
        return {}  # KerasHub holds one encoder
    import keras_hub

    backbone = keras_hub.models.ElectraBackbone.from_preset(folder)
    names = ("token_ids", "padding_mask", "segment_ids")
    found = backbone(dict(zip(names, batch, strict=True)))
    states = found["sequence_output"].numpy()
    return {"hidden states": _where_real(states, batch)}


_LIBRARIES: Mapping[str, Callable[[str, str, Batch], Outputs]] = {
    "huggingface": _transformers,
    "keras_hub": _keras_hub,
}
