"""A pre-training run on one page: data, model, weights, loop, result."""

import contextlib
import zlib
from collections.abc import Callable

import numpy as np

from electra_tf.config.pretraining import PretrainingConfig, to_json
from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError, require
from electra_tf.files import check_path
from electra_tf.locks import locked
from electra_tf.pretraining.factory import build_pretrainer
from electra_tf.pretraining.metrics import unigram_log_probs
from electra_tf.pretraining.pretrainer import Pretrainer
from electra_tf.training.checkpoints import Checkpoints
from electra_tf.training.console import mute, say, shown
from electra_tf.training.distribution import Distribution, uses_xla
from electra_tf.training.evaluation import (
    Evaluator,
    MakeMeasure,
    Measure,
    demonstrate,
)
from electra_tf.training.loop import TrainingLoop
from electra_tf.training.optimizers import make_optimizer
from electra_tf.training.run_folder import (
    RunFolder,
    last_evaluation,
)
from electra_tf.training.sources import Source, open_source
from electra_tf.training.workers import joined_workers

# Assigns weights to a fresh model, of a run with this tokenizer.
LoadWeights = Callable[[Pretrainer, Tokenizer], None]
# The AUC of a discriminator whose generator knows frequencies alone.
PLATEAU_AUC = "0.50 - 0.58"


def pretrain(
    config: PretrainingConfig,
    load_initial: LoadWeights | None = None,
    make_measure: MakeMeasure | None = None,
) -> None:
    """Pre-trains to the end, from where the run in `model_dir` stopped.

    Weights come from the run's own checkpoint, else from `load_initial`, else
    they start fresh from the seed.

    Args:
      config: the run's configuration.
      load_initial: assigns initial weights to a fresh model.
      make_measure: of what evaluations measure besides the held-out records.

    Raises:
      InputError: the configuration, data or folder break a rule.
      Stopped: a signal came, or stop_at_step; the checkpoint is saved.
    """
    model_dir = config.run.model_dir
    require(bool(model_dir), "model_dir must name a folder", model_dir)
    with contextlib.ExitStack() as stack:
        distribution = stack.enter_context(joined_workers(config.execution))
        check_path("model_dir", model_dir)
        if distribution.is_chief:
            stack.enter_context(locked(model_dir))
        else:
            mute()
        say(f"devices: {distribution}")
        parts = config.execution.gradient_accumulation_steps
        for name in ("train_batch_size", "train_batch_size_start"):
            size = getattr(config.optimizer, name)
            distribution.check_batch(name, size, parts)
        # Records that are not there yet are built by the chief alone.
        if not distribution.is_chief:
            distribution.agreed(0)
        source = open_source(config, say)
        if distribution.is_chief:
            distribution.agreed(0)
        with distribution.strategy.scope():
            pretrainer, folder = _train(
                source, distribution, load_initial, make_measure
            )
            if distribution.is_chief:
                print(result_text(folder.path))
                _demonstrate(source, pretrainer)


def _train(
    source: Source,
    distribution: Distribution,
    load_initial: LoadWeights | None,
    make_measure: MakeMeasure | None,
) -> tuple[Pretrainer, RunFolder]:
    config, folder = source.config, RunFolder(source)
    for note in folder.notes:
        say(note)
    pretrainer = make_pretrainer(source)
    keep = config.run.keep_checkpoint_max
    checkpoints = Checkpoints(folder.path, pretrainer, keep)
    if checkpoints.restore():
        step, total = pretrainer.step, config.optimizer.num_train_steps
        say(f"going on from the checkpoint of step {step:,} of {total:,}")
    elif load_initial is not None:
        load_initial(pretrainer, source.tokenizer)
    step = pretrainer.step
    distribution.check_same("checkpoint's step (is model_dir shared?)", step)
    digest = zlib.crc32(to_json(config).encode())
    distribution.check_same("configuration, as a checksum", digest)
    more = _measure(make_measure, source, pretrainer, distribution)
    if distribution.is_chief:
        folder.prepare()
        checkpoints.remove_leftovers()
    TrainingLoop(
        source, pretrainer, distribution, folder, checkpoints, more
    ).run()
    return pretrainer, folder


def _measure(
    make_measure: MakeMeasure | None,
    source: Source,
    pretrainer: Pretrainer,
    distribution: Distribution,
) -> Measure:
    """What is measured besides held-out records, by the chief alone."""
    if make_measure is None or not distribution.is_chief:
        return dict
    return make_measure(pretrainer.networks, source.tokenizer)


def _demonstrate(source: Source, pretrainer: Pretrainer) -> None:
    network, held_out = (
        pretrainer.networks.get("discriminator"),
        source.held_out,
    )
    if network is not None and held_out is not None:
        seed = source.config.run.seed
        print(demonstrate(network, source.tokenizer, held_out, seed))


def make_pretrainer(source: Source) -> Pretrainer:
    """The fresh, compiled model of a run, with its optimizer's slots."""
    tokenizer, execution = source.tokenizer, source.config.execution
    # Records without a manifest count up to their highest id only.
    counts = np.zeros(tokenizer.vocab_size, np.int64)
    counts[: len(source.train.token_counts)] = source.train.token_counts
    log_probs = unigram_log_probs(counts, tokenizer.special_ids)
    pretrainer = build_pretrainer(
        source.config, tokenizer, log_probs, execution
    )
    optimizer = make_optimizer(source.config.optimizer, execution.precision)
    optimizer.build(pretrainer.trainable_variables)
    pretrainer.compile(optimizer=optimizer, jit_compile=uses_xla(execution))
    return pretrainer


def result_text(model_dir: str) -> str:
    """The last evaluation of a run beside the baselines it must beat."""
    last = last_evaluation(model_dir)
    if not last:
        return f"finished: {model_dir} (nothing was held out to evaluate)"
    masked, unigram = last["eval_mlm_loss_masked"], last["eval_unigram_loss"]
    side = "below" if masked < unigram else "above"
    lines = [
        f"held out at step {last['step']:,}: {shown(last, 'eval_')}",
        f"  MLM loss where [MASK] shows  {masked:.3f}   unigram level "
        f"{unigram:.3f}: {abs(unigram - masked):.3f} nats {side} it",
    ]
    if "eval_disc_auc" in last:
        auc = last["eval_disc_auc"]
        lines.append(
            f"  discriminator AUC            {auc:.3f}   chance 0.500, "
            f"unigram plateau {PLATEAU_AUC}"
        )
    lines.append(f"  run: {model_dir}")
    return "\n".join(lines)


def evaluate_run(
    config: PretrainingConfig,
    say: Callable[[str], None],
    make_measure: MakeMeasure | None = None,
    load_weights: LoadWeights | None = None,
) -> dict[str, float]:
    """Held-out metrics of the latest checkpoint in `config.run.model_dir`.

    Args:
      config: the run's configuration.
      say: told what is made and what cannot be checked.
      make_measure: as of `pretrain`.
      load_weights: assigns others than those of a checkpoint.

    Raises:
      InputError: no checkpoint, or nothing is held out.
    """
    source = open_source(config, say)
    pretrainer = make_pretrainer(source)
    folder = config.run.model_dir
    keep = config.run.keep_checkpoint_max
    if load_weights is not None:
        load_weights(pretrainer, source.tokenizer)
    elif not Checkpoints(folder, pretrainer, keep).restore():
        raise InputError(f"{folder!r} holds no checkpoint yet")
    if source.held_out is None:
        raise InputError("these records hold nothing out to evaluate on")
    alone = Distribution()
    more = _measure(make_measure, source, pretrainer, alone)
    evaluate = Evaluator(pretrainer, source, alone, more)
    step, objective = pretrainer.step, pretrainer.objective
    objective.stage = objective.stage_at(step - 1)  # of the last update
    return {"step": step, **evaluate().values}
