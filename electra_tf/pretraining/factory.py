"""From a configuration to a pre-training model."""

import contextlib
import functools
import random
import types
from collections.abc import Iterator, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from electra_tf.config.execution import ExecutionConfig
from electra_tf.config.objectives import describe
from electra_tf.config.pretraining import PretrainingConfig, flat_values
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.modeling.networks import (
    MaskedLM,
    encoders_of,
    variables_of,
)
from electra_tf.modeling.two_tower import TwoTowerCloze
from electra_tf.modeling.tying import make_encoders, make_main_encoder
from electra_tf.pretraining.generators import (
    ClozeGenerator,
    FrequencyGenerator,
    Generator,
    MaskedLMGenerator,
)
from electra_tf.pretraining.masking import TokenMasker
from electra_tf.pretraining.metrics import PretrainingMetrics
from electra_tf.pretraining.objectives import (  # noqa: F401 - each registers
    adversarial,
    class_of,
    electra,
    masked_lm,
    teams,
)
from electra_tf.pretraining.pretrainer import Pretrainer
from electra_tf.pretraining.sampling import Sampler

# The logit of what is never drawn; finite, so that nothing becomes NaN.
NEVER = -1e9
# Whoever loads a model computes in float32, wherever it was trained.
_PLAIN = ExecutionConfig()


def make_masker(config: PretrainingConfig, tokenizer: Tokenizer) -> TokenMasker:
    """The masker of a configuration; specials are never masked."""
    options = config.objective
    of_words = options.masking != "token"
    return TokenMasker(
        mask_prob=options.mask_prob,
        max_seq_length=config.data.max_seq_length,
        mask_id=tokenizer.mask_id,
        never_masked=never_masked(tokenizer),
        with_replacement=options.compat == "google",
        mask_prob_end=options.mask_prob_end,
        num_train_steps=config.optimizer.num_train_steps,
        starts_word=tokenizer.starts_word if of_words else None,
        spans=options.masking == "span",
    )


def never_masked(tokenizer: Tokenizer) -> tuple[int, ...]:
    """Ids that are no words of the text; [UNK] stands for one."""
    special = tokenizer.special_ids
    return tuple(each for each in special if each != tokenizer.unk_id)


def make_networks(
    config: PretrainingConfig, merged: bool = False
) -> dict[str, keras.Model]:
    """Fresh networks by name; their weights follow from the seed.

    "generator" proposes tokens, where it is trained; the others are those that
    the objective's class makes, the description's `main` among them.

    Args:
      config: the run's configuration.
      merged: see `make_encoders`.
    """
    model, name = config.model, config.objective.objective
    with _keras_seeded(config.run.seed):
        if describe(name).has_generator:
            main, encoders = make_encoders(model, merged)
        else:
            main, encoders = make_main_encoder(model), ()
        networks = {}
        if len(encoders) == 1:
            networks["generator"] = MaskedLM(*encoders, name="masked_lm")
        elif encoders:
            networks["generator"] = TwoTowerCloze(*encoders, name="two_tower")
        return {**networks, **class_of(name).make_networks(main, encoders)}


@functools.lru_cache(maxsize=4)  # a command asks for each several times
def network_shapes(
    config: PretrainingConfig,
) -> Mapping[str, tuple[int, ...]]:
    """Paths and shapes of all networks' variables, without their memory."""
    with tf.Graph().as_default():  # where nothing is computed
        networks = make_networks(config, merged=True)
        variables = variables_of(networks.values())
        shapes = {v.path: tuple(v.shape) for v in variables}
    return types.MappingProxyType(shapes)


def make_generator(
    config: PretrainingConfig,
    networks: Mapping[str, keras.Model],
    tokenizer: Tokenizer,
    unigram_log_probs: Sequence[float] | np.ndarray | None,
) -> Generator:
    """What `--generator` names.

    Raises:
      ValueError: generator=unigram without `unigram_log_probs`.
    """
    kind = config.model.generator
    if kind == "transformer":
        return MaskedLMGenerator(networks["generator"])
    if kind == "two_tower":
        return ClozeGenerator(networks["generator"], never_masked(tokenizer))
    logits = np.zeros(config.model.vocab_size, np.float32)
    if kind == "unigram":
        if unigram_log_probs is None:
            raise ValueError("generator=unigram needs unigram_log_probs")
        logits += unigram_log_probs
        logits[list(tokenizer.special_ids)] = NEVER
    return FrequencyGenerator(logits)


def build_pretrainer(
    config: PretrainingConfig,
    tokenizer: Tokenizer,
    unigram_log_probs: Sequence[float] | np.ndarray | None = None,
    execution: ExecutionConfig = _PLAIN,
) -> Pretrainer:
    """A fresh pre-training model; its weights follow from the seed.

    Args:
      config: the run's configuration.
      tokenizer: gives the special ids.
      unigram_log_probs: float [V]; adds `unigram_loss` to the metrics, and is
        what generator=unigram draws from.
      execution: precision, parts of a batch, rematerialisation.
    """
    options = config.objective
    with _keras_precision(execution.precision):
        networks = make_networks(config)
    objective = class_of(options.objective).from_values(
        flat_values(config),
        make_masker(config, tokenizer),
        make_generator(config, networks, tokenizer, unigram_log_probs),
        Sampler(
            options.temperature,
            options.disallow_correct,
            options.temperature_end,
            options.temperature_decay_steps,
        ),
        networks,
    )
    metrics = PretrainingMetrics(
        objective.loss_weights, unigram_log_probs, objective.figures
    )
    for encoder in encoders_of(networks.values()):
        encoder.rematerialize = execution.rematerialize
    return Pretrainer(
        objective,
        metrics,
        config.run.seed,
        execution.gradient_accumulation_steps,
    )


@contextlib.contextmanager
def _keras_precision(policy: str) -> Iterator[None]:
    """Layers made inside compute in `policy`; their weights are float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def _keras_seeded(seed: int) -> Iterator[None]:
    """Initializers made inside follow from `seed`.

    Keras draws their seeds from Python's generator, whose state is put back:
    who loads a model keeps random numbers of their own.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
