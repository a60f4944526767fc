"""`convert_weights.py`: weights of any format we read, in one we write."""

import math
from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.errors import InputError

# Those of the paper, whose absence is told.
NETWORKS = ("generator", "discriminator")


def define_flags() -> None:
    """What to convert, where to, and in which format and precision."""
    flags.DEFINE_string(
        "model_dir", "", "what from_pretrained takes: a run's folder, ..."
    )
    flags.DEFINE_string("output_dir", "", "folder to write")
    flags.DEFINE_string(
        "to",
        "electra_tf",
        "the format: electra_tf (config, tokenizer and weights in one small "
        "folder)",
    )
    flags.DEFINE_enum(
        "dtype", "float32", ["float32", "float16"], "how weights are stored"
    )


def main(argv: Sequence[str]) -> None:
    """Writes the folder; prints what was read, and what was not there."""
    from electra_tf.pretrained import pretrained_of
    from electra_tf.weights import open_weights, save_weights
    from electra_tf.weights.record import FORMATS, OPTIONAL

    values = flags.FLAGS
    for name in ("model_dir", "output_dir"):
        if not values[name].value:
            raise InputError(f"--{name} must name a folder; received ''")
    weights = open_weights(values.model_dir)
    model = pretrained_of(weights)  # refuses what does not fit its config
    save_weights(weights, values.output_dir, values.to, values.dtype)
    numbers = {
        v.path: math.prod(v.shape)
        for n in model.networks.values()
        for v in n.variables
    }
    print(
        f"read {weights.source}: {', '.join(model.networks)} "
        f"(objective={weights.config.objective.objective}), "
        f"{sum(numbers.values()):,} weights, "
        f"{weights.tokenizer.vocab_size:,} pieces"
    )
    optional = {name: getattr(weights, name) for name in OPTIONAL}
    parts = {**dict.fromkeys(NETWORKS), **model.networks, **optional}
    absent = [name for name, part in parts.items() if part is None]
    if absent:
        print(f"not there: {', '.join(absent)}")
    kept = FORMATS[values.to].keeps
    left = [name for name in OPTIONAL if parts[name] and name not in kept]
    if left:
        print(f"left out, since {values.to} has no place: {', '.join(left)}")
    print(f"{values.output_dir}: weights in {values.dtype}")


def entry() -> None:
    """Console script."""
    run(define_flags, main)
