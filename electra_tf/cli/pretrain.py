"""Pre-trains an ELECTRA, or goes on with it; and what that costs."""

import dataclasses
import json
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from electra_tf.cli.app import command
from electra_tf.config import POSITIVE, Options, field
from electra_tf.config.execution import ExecutionConfig
from electra_tf.config.pretraining import (
    PretrainingConfig,
    flat_values,
    make_config,
)
from electra_tf.config.scoring import SCORINGS
from electra_tf.errors import require

if TYPE_CHECKING:
    from electra_tf.training.evaluation import MakeMeasure


@dataclasses.dataclass(frozen=True)
class PretrainOptions(Options):
    """What `pretrain.py` has besides the configuration.

    Attributes:
      dry_run: print parameters, FLOPs and bytes a step, steps an epoch; then
        exit.
    """

    dry_run: bool = field(False)


@command(PretrainOptions, given=PretrainingConfig)
def pretrain(options: PretrainOptions, given: Mapping[str, Any]) -> int:
    """Runs, and returns the exit code."""
    from electra_tf.training.sources import adopt_vocabulary
    from electra_tf.weights.adopting import adopt_sizes
    from electra_tf.weights.warm_start import first_step, initial_weights

    config = make_config(adopt_vocabulary(adopt_sizes(given)))
    if options.dry_run:
        from electra_tf.training.cost.summary import summarize

        first = first_step(config.run)
        print(summarize(config, _num_records(config), first))
        return 0
    # Imported here, so that a mistyped flag is told of at once.
    from electra_tf.training import run
    from electra_tf.training.loop import Stopped

    try:
        run.pretrain(config, initial_weights(config), _measure(config))
    except Stopped as stop:
        print(f"stopped; saved at step {stop.step:,}", file=sys.stderr)
        if stop.signum is None:
            return 0
        if stop.signum == signal.SIGINT:
            return 128 + signal.SIGINT
        return config.run.preempted_exit_code
    return 0


def _measure(config: PretrainingConfig) -> "MakeMeasure | None":
    """Of `--eval_pairs`, which alone needs what fine-tuning does."""
    if not config.run.eval_pairs:
        return None
    from electra_tf.experiments.acceptability.of_runs import measure_of

    return measure_of(config)


def _num_records(config: PretrainingConfig) -> int | None:
    """Training records of --data_dir; None for what is not built yet.

    Raises:
      InputError: they do not fit the configuration.
    """
    if not config.data.data_dir:
        return None
    from electra_tf.training.console import say
    from electra_tf.training.sources import open_source

    return open_source(config, say).train.num_records


@dataclasses.dataclass(frozen=True)
class CountOptions(Options):
    """What `count_flops.py` has besides the configuration.

    Attributes:
      published: the models of the paper's tables.
    """

    published: bool = field(False)


@command(CountOptions, given=PretrainingConfig)
def count_flops(options: CountOptions, given: Mapping[str, Any]) -> None:
    """Prints name, FLOPs and their ratio to BERT-Base's, a line each."""
    from electra_tf.training.cost.flops import train_flops
    from electra_tf.training.cost.summary import published_flops

    published = published_flops()
    if options.published:
        rows = published
    else:
        from electra_tf.training.sources import adopt_vocabulary

        config = make_config(adopt_vocabulary(given))
        objective, model = config.objective.objective, config.model
        name = f"{model.model_size} {objective}"
        rows = {f"{name} {model.generator} {model.tying}": train_flops(config)}
    width = max(map(len, rows))
    for name, flops in rows.items():
        ratio = flops / published["bert_base"]
        print(f"{name:<{width}}  {flops:.9e}  {ratio:.3g}x BERT-Base")


@dataclasses.dataclass(frozen=True)
class EvaluateOptions(Options):
    """Which run, which records, how much.

    Attributes:
      model_dir: the run's folder.
      init_checkpoint: in place of a run, weights as of pretrain; needs
        data_dir.
      data_dir: other records than the run's own (held-out part).
      num_eval_steps: batches at most (default: the run's).
      eval_batch_size: sequences a batch (default: the run's).
      eval_pairs: minimal pairs to score as well (default: the run's).
      eval_pairs_method: by which method (default: the run's).
    """

    model_dir: str = field("")
    init_checkpoint: str = field("")
    data_dir: str | None = field(None)
    num_eval_steps: int | None = field(None, POSITIVE)
    eval_batch_size: int | None = field(None, POSITIVE)
    eval_pairs: str | None = field(None)
    eval_pairs_method: str | None = field(None, choices=SCORINGS)

    def __post_init__(self) -> None:
        super().__post_init__()
        weights, run = self.init_checkpoint, self.model_dir
        rule = "one of --model_dir and --init_checkpoint must be given"
        require(bool(run) != bool(weights), rule, f"{run!r} and {weights!r}")
        rule = "--init_checkpoint, which has no records, needs --data_dir"
        require(not weights or bool(self.data_dir), rule, self.data_dir)


@command(EvaluateOptions)
def evaluate_pretraining(options: EvaluateOptions) -> None:
    """Evaluates a run's latest checkpoint and prints one JSON object."""
    from electra_tf.training.console import say
    from electra_tf.training.run import evaluate_run
    from electra_tf.training.run_folder import read_config
    from electra_tf.weights import open_weights
    from electra_tf.weights.adopting import adopt_sizes
    from electra_tf.weights.warm_start import initial_weights

    given = {n: v for n, v in vars(options).items() if v is not None}
    if options.init_checkpoint:
        stored = open_weights(options.init_checkpoint).config
        given = adopt_sizes(given)
    else:
        stored = read_config(options.model_dir)
    config = make_config({**flat_values(stored), **given})
    load_weights = initial_weights(config)  # None of a run
    found = evaluate_run(config, say, _measure(config), load_weights)
    print(json.dumps(found, indent=2))


@dataclasses.dataclass(frozen=True)
class DeviceOptions(Options):
    """What is tried, and where the page goes.

    Attributes:
      output: the page, Markdown (default: device.md).
      batch_sizes: of the measured steps.
      precisions: of the measured steps.
    """

    output: str = field("device.md")
    batch_sizes: tuple[str, ...] = field(("16", "64", "128"))
    precisions: tuple[str, ...] = field(("float32", "mixed_bfloat16"))

    def __post_init__(self) -> None:
        super().__post_init__()
        for size in self.batch_sizes:
            rule = "batch_sizes must be whole numbers above 0"
            require(size.isdecimal() and int(size) > 0, rule, size)
        for precision in self.precisions:
            ExecutionConfig(precision=precision)


@command(DeviceOptions)
def check_device(options: DeviceOptions) -> int:
    """Tries the device that is here: does it train as the CPU does, how fast?

    The page that it leaves is what to send with a report of a fault.
    """
    from electra_tf.files import write_text
    from electra_tf.training import device_check
    from electra_tf.training.distribution import make_distribution, uses_xla

    gpus = device_check.num_gpus()
    two = None
    if gpus != 1:
        split = ExecutionConfig(num_virtual_devices=0 if gpus else 2)
        two = make_distribution(split)
    found = []
    for check in device_check.checks(two):
        found.append(check)
        print(f"{check.name}: {check.shown} {check.note}".strip(), flush=True)
    xla = uses_xla(ExecutionConfig())
    rates: dict[str, list[device_check.Rate]] = {}
    for precision in options.precisions:
        rates[precision] = []
        for size in map(int, options.batch_sizes):
            found_rate = device_check.rate(size, precision, xla)
            rates[precision].append(found_rate)
            told = f"{found_rate.sequences:.1f} sequences/s"
            print(f"{precision}, batch {size}: {told}", flush=True)
    text = device_check.page(device_check.device_name(), found, rates)
    write_text(options.output, text)
    print(f"\n{text}\nwritten to {options.output}")
    return 0 if all(check.passed or check.note for check in found) else 1
