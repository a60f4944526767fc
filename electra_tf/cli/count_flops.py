"""`count_flops.py`: train-FLOPs of a configuration, as the paper counts."""

from collections.abc import Sequence

from absl import flags

from electra_tf.cli.app import run
from electra_tf.cli.config_flags import config_from_flags, define_config_flags
from electra_tf.training.cost.flops import train_flops
from electra_tf.training.cost.summary import published_flops


def define_flags() -> None:
    """The configuration's flags, and whether to list the paper's models."""
    define_config_flags()
    flags.DEFINE_bool("published", False, "the models of the paper's tables")


def main(argv: Sequence[str]) -> None:
    """Prints name, FLOPs and their ratio to BERT-Base's, a line each."""
    del argv
    published = published_flops()
    if flags.FLAGS.published:
        rows = published
    else:
        config = config_from_flags()
        options, model = config.objective, config.model
        name = f"{model.model_size} {options.objective}"
        rows = {f"{name} {model.generator} {model.tying}": train_flops(config)}
    width = max(map(len, rows))
    for name, flops in rows.items():
        ratio = flops / published["bert_base"]
        print(f"{name:<{width}}  {flops:.9e}  {ratio:.3g}x BERT-Base")


def entry() -> None:
    """Console script."""
    run(define_flags, main)
