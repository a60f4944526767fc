"""`pretrain.py`: pre-train, or go on with, an ELECTRA."""

import signal
import sys
from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.cli.config_flags import define_config_flags, given_values
from electra_tf.config.pretraining import PretrainingConfig, make_config


def define_flags() -> None:
    """The configuration's flags and --dry_run."""
    define_config_flags()
    flags.DEFINE_bool(
        "dry_run",
        False,
        "print parameters, FLOPs and bytes a step, steps an epoch; then exit",
    )


def main(argv: Sequence[str]) -> int:
    """Runs, and returns the exit code."""
    values = given_values()
    if values.get("init_checkpoint"):
        from electra_tf.weights.warm_start import adopt_sizes

        values = adopt_sizes(values)
    config = make_config(values)
    if flags.FLAGS.dry_run:
        from electra_tf.training.cost.summary import summarize

        print(summarize(config, _num_records(config)))
        return 0
    # Imported here, so that a mistyped flag is told of at once.
    from electra_tf.training.loop import Stopped
    from electra_tf.training.run import pretrain
    from electra_tf.weights.warm_start import initial_weights

    path = config.run.init_checkpoint
    try:
        pretrain(config, initial_weights(path) if path else None)
    except Stopped as stop:
        print(f"stopped; saved at step {stop.step:,}", file=sys.stderr)
        if stop.signum is None:
            return 0
        if stop.signum == signal.SIGINT:
            return 128 + signal.SIGINT
        return config.run.preempted_exit_code
    return 0


def _num_records(config: PretrainingConfig) -> int | None:
    """Training records of --data_dir; None for what is not built yet."""
    if not config.data.data_dir:
        return None
    from electra_tf.data.records.records import open_records

    length = config.data.max_seq_length
    return open_records(config.data.data_dir, "train", length).num_records


def entry() -> None:
    """Console script."""
    run(define_flags, main)
