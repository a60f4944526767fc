"""What a comparison finds on disk before anything is trained."""

import dataclasses
import os

import tensorflow as tf

from electra_tf.config.pretraining import differences, make_config
from electra_tf.errors import InputError
from electra_tf.experiments.comparison import Comparison
from electra_tf.training.checkpoints import latest_checkpoint
from electra_tf.training.console import say
from electra_tf.training.run_folder import CONFIG, read_config
from electra_tf.training.sources import open_source


def with_records(comparison: Comparison) -> Comparison:
    """The comparison with one folder of records for all systems.

    Where no data_dir is given, that is `<output_dir>/data`, of the embedded
    corpus. The vocabulary's size, on which FLOPs depend, is the records'.

    Raises:
      InputError: records, vocabulary and configuration do not fit.
    """
    base = {**comparison.base, "model_dir": comparison.output_dir}
    source = open_source(make_config(base), say)
    data_dir = comparison.base.get("data_dir")
    found = {
        "data_dir": data_dir or os.path.join(comparison.output_dir, "data"),
        "vocab_size": source.config.model.vocab_size,
    }
    return dataclasses.replace(comparison, base={**comparison.base, **found})


def check_folders(comparison: Comparison) -> None:
    """Refuses an output_dir whose runs are not this comparison's.

    Raises:
      InputError: a run there has another configuration, or is past a step
        whose weights were not kept.
    """
    for point in comparison.points():
        folder = point.config.run.model_dir
        if not tf.io.gfile.exists(os.path.join(folder, CONFIG)):
            continue
        changed = differences(read_config(folder), point.config)
        if changed:
            listed = "; ".join(
                f"{name} was {old!r}, now {new!r}"
                for name, (old, new) in changed.items()
            )
            raise InputError(
                f"{folder!r} holds a run that differs from this comparison's: "
                f"{listed}. Use another output_dir, or the old values"
            )
        trained = latest_step(folder)
        if trained > point.step and not tf.io.gfile.exists(point.weights):
            raise InputError(
                f"{folder!r} is at step {trained:,} already, and the weights "
                f"of step {point.step:,} were not kept: use the old probe_at, "
                "or another output_dir"
            )


def latest_step(model_dir: str) -> int:
    """The step of a run's newest checkpoint; 0 where there is none."""
    latest = latest_checkpoint(model_dir)
    return int(latest.rpartition("-")[2]) if latest else 0
