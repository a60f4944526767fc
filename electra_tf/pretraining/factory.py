"""From a configuration to a pre-training model."""

import contextlib
import random
from collections.abc import Iterator

import keras

from electra_tf.config import ObjectiveConfig, PretrainingConfig
from electra_tf.data.tokenizer import Tokenizer
from electra_tf.execution import ExecutionConfig
from electra_tf.modeling.networks import (
    Discriminator,
    MaskedLM,
    make_generator_encoder,
    make_main_encoder,
)
from electra_tf.pretraining.masking import TokenMasker
from electra_tf.pretraining.metrics import PretrainingMetrics
from electra_tf.pretraining.objectives import (
    Electra,
    MaskedLanguageModel,
    Masker,
    Objective,
    Sampling,
)
from electra_tf.pretraining.pretrainer import Pretrainer
from electra_tf.pretraining.sampling import Sampler

# Whoever loads a model computes in float32, wherever it was trained.
_PLAIN = ExecutionConfig()


def make_masker(
    config: ObjectiveConfig, max_seq_length: int, tokenizer: Tokenizer
) -> TokenMasker:
    """The masker of a configuration; specials are never masked."""
    return TokenMasker(
        mask_prob=config.mask_prob,
        max_seq_length=max_seq_length,
        mask_id=tokenizer.mask_id,
        never_masked=(
            tokenizer.cls_id,
            tokenizer.sep_id,
            tokenizer.mask_id,
            tokenizer.pad_id,
        ),
        with_replacement=config.compat == "google",
    )


def make_objective(
    config: PretrainingConfig, masker: Masker, sampler: Sampling
) -> Objective:
    """The objective that `--objective` names, with fresh networks."""
    weights = config.objective
    main = make_main_encoder(config.model)
    if weights.objective == "mlm":
        network = MaskedLM(main, name="masked_lm")
        return MaskedLanguageModel(masker, network, weights.gen_weight)
    generator = make_generator_encoder(config.model, main)
    return Electra(
        masker,
        MaskedLM(generator, name="masked_lm"),
        sampler,
        Discriminator(main, name="detector"),
        gen_weight=weights.gen_weight,
        disc_weight=weights.disc_weight,
    )


def build_pretrainer(
    config: PretrainingConfig,
    tokenizer: Tokenizer,
    unigram_log_probs=None,
    execution: ExecutionConfig = _PLAIN,
) -> Pretrainer:
    """A fresh pre-training model; its weights follow from the seed.

    Args:
      config: the run's configuration.
      tokenizer: gives the special ids.
      unigram_log_probs: float [V]; adds `unigram_loss` to the metrics.
      execution: precision, parts of a batch, rematerialisation.
    """
    weights = config.objective
    masker = make_masker(weights, config.data.max_seq_length, tokenizer)
    sampler = Sampler(weights.temperature, weights.disallow_correct)
    with _keras_seeded(config.run.seed), _keras_precision(execution.precision):
        objective = make_objective(config, masker, sampler)
    metrics = PretrainingMetrics(
        objective.loss_weights, tokenizer.mask_id, unigram_log_probs
    )
    for network in objective.networks.values():
        network.encoder.rematerialize = execution.rematerialize
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
