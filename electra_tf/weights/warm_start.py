"""`--init_checkpoint`: a fresh run that starts from somebody's weights."""

import dataclasses
from collections.abc import Callable, Sequence

import keras

from electra_tf.config.execution import RunConfig
from electra_tf.config.pretraining import PretrainingConfig
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError
from electra_tf.pretraining.pretrainer import Pretrainer
from electra_tf.training.console import say
from electra_tf.weights import open_pair
from electra_tf.weights.assigning import assign_arrays
from electra_tf.weights.native import split_tables
from electra_tf.weights.record import AdamSlots, OpenedWeights
from electra_tf.weights.resized import MatchedRows, resized


def initial_weights(
    config: PretrainingConfig,
) -> Callable[[Pretrainer, Tokenizer], None] | None:
    """What gives a fresh model, of a run with this tokenizer, the weights of
    `--init_checkpoint`.

    Step, optimizer and data position start anew, but with `--init_optimizer`.

    Args:
      config: of the run; None where it names no weights.
    """
    run = config.run
    if not run.init_checkpoint:
        return None

    def assign(pretrainer: Pretrainer, tokenizer: Tokenizer) -> None:
        # Read here: a run that goes on does not need them any more.
        weights = open_pair(run.init_checkpoint, run.generator_checkpoint)
        weights = _fitted(weights, config, tokenizer)
        variables = _that_are_there(pretrainer.trainable_variables, weights)
        arrays = split_tables(weights.arrays, [v.path for v in variables])
        by_path = {variable.path: variable for variable in variables}
        assign_arrays(by_path, arrays, weights.source)
        if run.init_optimizer:
            _assign_slots(pretrainer, weights)

    return assign


def first_step(run: RunConfig) -> int:
    """The step that a fresh run begins at: with `--init_optimizer`, theirs.

    Raises:
      InputError: it has none.
    """
    if not run.init_checkpoint or not run.init_optimizer:
        return 0
    weights = open_pair(run.init_checkpoint, run.generator_checkpoint)
    return _slots_of(weights)[1]


def _slots_of(weights: OpenedWeights) -> tuple[AdamSlots, int]:
    """Adam's moments, and the step."""
    slots, source = weights.optimizer, weights.source
    if slots is not None and slots.step is not None:
        return slots, slots.step
    rule = "init_optimizer needs weights with a step and Adam's moments"
    raise InputError(f"{rule}; received {source}")


def _fitted(
    weights: OpenedWeights, config: PretrainingConfig, tokenizer: Tokenizer
) -> OpenedWeights:
    """The weights, their tables of the run's sizes; says what was done."""
    rows = config.model.max_position_embeddings
    had = weights.config.model.max_position_embeddings
    if rows > had:
        say(f"position table: {had:,} rows, repeated to {rows:,}")
    match = None
    if config.run.init_vocab == "match":
        match = MatchedRows(weights.tokenizer, tokenizer)
        say(f"vocabulary: {match.told}")
    slots = weights.optimizer
    if slots is not None:
        moments = (resized(m, rows, match, False) for m in (slots.m, slots.v))
        slots = AdamSlots(slots.step, *moments)
    arrays = resized(weights.arrays, rows, match)
    return dataclasses.replace(weights, arrays=arrays, optimizer=slots)


def _that_are_there(
    variables: Sequence[keras.Variable], weights: OpenedWeights
) -> list[keras.Variable]:
    """All variables; of a source that lacks a network, those of the others."""
    if weights.networks is None:
        return list(variables)
    found = [v for v in variables if v.path in weights.arrays]
    scopes = {v.path.partition("/")[0] for v in variables}
    fresh = scopes - {v.path.partition("/")[0] for v in found}
    if fresh:
        names = ", ".join(sorted(fresh))
        say(f"fresh, since {weights.source} has none: {names}")
    return [v for v in variables if v.path.partition("/")[0] not in fresh]


def _assign_slots(pretrainer: Pretrainer, weights: OpenedWeights) -> None:
    optimizer = pretrainer.optimizer
    slots, step = _slots_of(weights)
    variables = pretrainer.trainable_variables
    for slot, arrays in (
        (optimizer.adam_m, slots.m),
        (optimizer.adam_v, slots.v),
    ):
        by_path = {
            variable.path: slot[optimizer._get_variable_index(variable)]
            for variable in variables
        }
        assign_arrays(by_path, arrays, weights.source)
    optimizer.iterations.assign(step)
