"""`evaluate_pretraining.py`: held-out metrics of a run's checkpoint."""

import dataclasses
import json
from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.errors import InputError


def define_flags() -> None:
    """Which run, which records, how much."""
    flags.DEFINE_string("model_dir", "", "the run's folder")
    flags.DEFINE_string(
        "data_dir", None, "other records than the run's own (held-out part)"
    )
    flags.DEFINE_integer(
        "num_eval_steps", None, "batches at most (default: the run's)"
    )
    flags.DEFINE_integer(
        "eval_batch_size", None, "sequences a batch (default: the run's)"
    )


def main(argv: Sequence[str]) -> None:
    """Evaluates and prints one JSON object."""
    from electra_tf.training.console import say
    from electra_tf.training.run import evaluate_run
    from electra_tf.training.run_folder import read_config

    values = flags.FLAGS
    if not values.model_dir:
        raise InputError("--model_dir must name a run's folder; received ''")
    config = read_config(values.model_dir)
    names = ("num_eval_steps", "eval_batch_size")
    given = {name: values[name].value for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        if value < 1:
            raise InputError(f"{name} must be positive; received {value}")
    config = dataclasses.replace(
        config,
        run=dataclasses.replace(
            config.run, model_dir=values.model_dir, **given
        ),
    )
    if values.data_dir is not None:
        data = dataclasses.replace(config.data, data_dir=values.data_dir)
        config = dataclasses.replace(config, data=data)
    print(json.dumps(evaluate_run(config, say), indent=2))


def entry() -> None:
    """Console script."""
    run(define_flags, main)
