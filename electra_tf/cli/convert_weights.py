"""Weights of any format that can be read, in one that can be written."""

import dataclasses
import math

from electra_tf.cli.app import command
from electra_tf.config import GIVEN, Options, field


@dataclasses.dataclass(frozen=True)
class ConvertOptions(Options):
    """What to convert, where to, and in which format and precision.

    Attributes:
      model_dir: what from_pretrained takes: a run's folder, ...
      output_dir: folder to write.
      to: the format; electra_tf: config, tokenizer and weights in one small
        folder.
      dtype: how weights are stored.
    """

    model_dir: str = field("", GIVEN)
    output_dir: str = field("", GIVEN)
    # No choices: formats may come from outside.
    to: str = field("electra_tf")
    dtype: str = field("float32", choices=("float32", "float16"))


@command(ConvertOptions)
def convert_weights(options: ConvertOptions) -> None:
    """Writes the folder; prints what was read, and what was not there."""
    from electra_tf.pretrained import pretrained_of
    from electra_tf.weights import open_weights, save_weights
    from electra_tf.weights.record import FORMATS, OPTIONAL

    weights = open_weights(options.model_dir)
    networks = pretrained_of(weights).networks  # all weights fit, then
    save_weights(weights, options.output_dir, options.to, options.dtype)
    variables = {v.path: v for n in networks.values() for v in n.variables}
    count = sum(math.prod(v.shape) for v in variables.values())
    print(
        f"read {weights.source}: {', '.join(networks)} "
        f"(objective={weights.config.objective.objective}), {count:,} "
        f"weights, {weights.tokenizer.vocab_size:,} pieces"
    )
    there = {
        **dict.fromkeys(("generator", "discriminator")),
        **networks,
        **{name: getattr(weights, name) for name in OPTIONAL},
    }
    kept = FORMATS[options.to].keeps
    absent = [name for name, part in there.items() if part is None]
    left = [name for name in OPTIONAL if there[name] and name not in kept]
    if absent:
        print(f"not there: {', '.join(absent)}")
    if left:
        print(f"left out, since {options.to} has no place: {', '.join(left)}")
    print(f"{options.output_dir}: weights in {options.dtype}")
