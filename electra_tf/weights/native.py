"""Our own two: a run's folder, and a small folder of weights alone.

The latter holds config.json, the tokenizer and one .npz without pickles:
arrays by variable path.
"""

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf

from electra_tf.config.pretraining import BESIDE, PretrainingConfig, to_json
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError
from electra_tf.files import filling, read_json, write_text
from electra_tf.locks import locked
from electra_tf.modeling.tying import DELTA
from electra_tf.training.checkpoints import (
    FOLDER,
    latest_checkpoint,
    open_checkpoint,
)
from electra_tf.training.run_folder import (
    CONFIG,
    RECORDS,
    last_evaluation,
    read_config,
)
from electra_tf.weights.beside import HEAD, read_beside, written_beside
from electra_tf.weights.npz import read_npz, write_npz
from electra_tf.weights.record import (
    AdamSlots,
    LazyArrays,
    OpenedWeights,
    RunResult,
    WeightsFormat,
)

WEIGHTS = "weights.npz"
DTYPES = ("float32", "float16")
# Scopes that the generator's tables may stand in, by `--generator`.
_GENERATORS = ("generator", "generator_ltr")


class ElectraTFWeights(WeightsFormat):
    """config.json, the tokenizer's files and weights.npz."""

    name = "electra_tf"
    keeps = ("head", "labels")
    takes = f"a folder of convert_weights ({CONFIG} and {WEIGHTS})"

    def recognises(self, path: str) -> bool:
        return tf.io.gfile.exists(os.path.join(path, WEIGHTS))

    def read(self, path: str) -> OpenedWeights:
        arrays = read_npz(os.path.join(path, WEIGHTS))
        config_file = os.path.join(path, CONFIG)
        config = read_config(path)
        beside = read_json(config_file).get(BESIDE, {})
        return OpenedWeights(
            config,
            Tokenizer.from_folder(path),
            _without(HEAD, arrays),
            f"the folder of weights {path!r}",
            Tokenizer.find_file(path),
            **read_beside(beside, _within(HEAD, arrays), config_file),
        )

    def write(
        self, weights: OpenedWeights, output_dir: str, dtype: str
    ) -> None:
        if dtype not in DTYPES:
            raise InputError(
                f"dtype must be one of {', '.join(DTYPES)}; received {dtype!r}"
            )
        if tf.io.gfile.exists(os.path.join(output_dir, FOLDER)):
            raise InputError(
                "output_dir must not be a run's folder; received "
                f"{output_dir!r}"
            )
        arrays = dict.fromkeys(weights.arrays, weights.arrays)
        if weights.head is not None:
            arrays |= dict.fromkeys(weights.head.arrays, weights.head.arrays)
        config = json.loads(to_json(_without_places(weights.config)))
        if beside := written_beside(weights):
            config[BESIDE] = beside
        text = json.dumps(config, indent=2) + "\n"
        with locked(output_dir), filling(output_dir, last=WEIGHTS) as folder:
            weights.tokenizer.save(folder)
            write_text(os.path.join(folder, CONFIG), text)
            write_npz(os.path.join(folder, WEIGHTS), arrays, dtype)


def _without_places(config: PretrainingConfig) -> PretrainingConfig:
    """Weights are for others: where the run stood is not theirs to see."""
    data = dataclasses.replace(config.data, data_dir="", vocab_file="")
    run = dataclasses.replace(
        config.run, model_dir="", init_checkpoint="", eval_pairs=""
    )
    return dataclasses.replace(config, data=data, run=run)


class RunFolderWeights(WeightsFormat):
    """What pre-training leaves; the latest checkpoint's weights."""

    name = "run"
    takes = f"a run's folder ({CONFIG} and {FOLDER}/)"

    def recognises(self, path: str) -> bool:
        return tf.io.gfile.isdir(os.path.join(path, FOLDER))

    def read(self, path: str) -> OpenedWeights:
        config, tokenizer = read_config(path), Tokenizer.from_folder(path)
        latest = latest_checkpoint(path)
        if latest is None:
            raise InputError(f"{path!r} holds no checkpoint yet")
        tensors, read = open_checkpoint(latest)
        weights = _part("model", tensors)
        # The optimizer's name stands first, then the variable's path, flat.
        state = {
            name.partition("/")[2]: tensor
            for name, tensor in _part("optimizer", tensors).items()
        }

        step = int(read(state["iteration"]))

        def slots(name: str) -> LazyArrays:
            paths = {w: f"{w.replace('/', '_')}_{name}" for w in weights}
            return LazyArrays(weights, lambda path: read(state[paths[path]]))

        return OpenedWeights(
            config,
            tokenizer,
            sum_tables(LazyArrays(weights, lambda path: read(weights[path]))),
            f"the run {path!r}",
            Tokenizer.find_file(path),
            optimizer=AdamSlots(step, slots("adam_m"), slots("adam_v")),
            result=_result(path, step),
        )


def _result(path: str, step: int) -> RunResult:
    file = os.path.join(path, RECORDS)
    records = read_json(file) if tf.io.gfile.exists(file) else {}
    return RunResult(step, last_evaluation(path), records.get("stats", {}))


def _part(part: str, tensors: Iterable[str]) -> dict[str, str]:
    """Path of a variable of that part -> name of its tensor."""
    start, end = f"{part}/", "/.ATTRIBUTES/VARIABLE_VALUE"
    return {
        # TensorFlow writes "/" inside a key as ".S".
        name[len(start) : -len(end)].replace(".S", "/"): name
        for name in tensors
        if name.startswith(start) and name.endswith(end)
    }


def _within(scope: str, arrays: LazyArrays) -> LazyArrays:
    return LazyArrays(
        (n for n in arrays if n.startswith(scope)), arrays.__getitem__
    )


def _without(scope: str, arrays: LazyArrays) -> LazyArrays:
    names = (n for n in arrays if not n.startswith(scope))
    return LazyArrays(names, arrays.__getitem__)


def sum_tables(arrays: Mapping[str, np.ndarray]) -> LazyArrays:
    """Weights by name, differences added to what they differ from.

    With gradient_disentangled a run's checkpoint holds E_G and E_delta;
    whoever uses the weights afterwards gets plain tables, the main network's
    being E_G + E_delta.
    """

    def read(name: str) -> np.ndarray:
        if name + DELTA not in arrays:
            return arrays[name]
        return arrays[name + DELTA] + _generators_table(name, arrays)

    return LazyArrays((name.removesuffix(DELTA) for name in arrays), read)


def split_tables(
    arrays: Mapping[str, np.ndarray], wanted: Iterable[str]
) -> LazyArrays:
    """The other way round, for those of the `wanted` names that differ."""
    split = {
        name.removesuffix(DELTA): name
        for name in wanted
        if name.endswith(DELTA) and name not in arrays
    }

    def read(name: str) -> np.ndarray:
        if name in arrays:
            return arrays[name]
        plain = name.removesuffix(DELTA)
        return arrays[plain] - _generators_table(plain, arrays)

    return LazyArrays((split.get(name, name) for name in arrays), read)


def _generators_table(
    name: str, arrays: Mapping[str, np.ndarray]
) -> np.ndarray:
    """electra/embeddings/... -> generator/embeddings/..."""
    rest = name.partition("/")[2]
    for scope in _GENERATORS:
        if f"{scope}/{rest}" in arrays:
            return arrays[f"{scope}/{rest}"]
    raise InputError(
        "tying=gradient_disentangled must find tables of the generator's own; "
        f"received weights with {name}, but none of a generator's"
    )
