"""The configuration of a pre-training run: every field is exactly one flag.

Names are the authors' where they have one. Values that depend on the model's
size (paper, Tables 1 and 6) stand in sizes.py; a flag given explicitly wins.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from electra_tf.config.execution import ExecutionConfig
from electra_tf.config.fields import choices_of, field
from electra_tf.config.objectives import (
    GENERATORS,
    TYINGS,
    has_trained_generator,
    names,
)
from electra_tf.config.presets import SIZES
from electra_tf.config.validation import check_kinds, validate
from electra_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class ElectraConfig:
    """The networks: what a checkpoint's shapes and forward pass depend on."""

    # Not what defines a run: the values that it sets are.
    model_size: str = field(
        "small",
        "row of the paper's table that sets the defaults",
        defines=False,
    )
    vocab_size: int = field(30522, "pieces in the vocabulary")
    embedding_size: int = field(128, "E, width of the token embeddings")
    hidden_size: int = field(256, "H, width of the discriminator")
    num_hidden_layers: int = field(12, "blocks of the discriminator")
    num_attention_heads: int = field(4, "N, heads of the discriminator")
    intermediate_size: int = field(1024, "width of the feed-forward layer")
    max_position_embeddings: int = field(512, "rows of the position table")
    type_vocab_size: int = field(2, "rows of the segment table")
    hidden_dropout_prob: float = field(0.1, "dropout of hidden states")
    attention_probs_dropout_prob: float = field(
        0.1, "dropout of attention probabilities"
    )
    generator_hidden_size: float = field(
        0.25, "generator's width, FFN and heads as a fraction of the main's"
    )
    generator_layers: float = field(
        1.0, "generator's depth as a fraction of the main network's"
    )
    generator: str = field(
        "transformer",
        "what proposes the replacements",
        choices=GENERATORS,
    )
    tying: str = field(
        "embeddings",
        "what generator and main network share; without a trained generator "
        "the default is none",
        choices=TYINGS,
    )
    initializer_range: float = field(
        0.02, "deviation of the normal start of kernels and tables"
    )
    position_init: str = field(
        "normal",
        "start of the position table; sinusoidal leaves the unigram "
        "plateau sooner on little text",
        choices=("normal", "sinusoidal"),
    )


@dataclasses.dataclass(frozen=True)
class ObjectiveConfig:
    """What is learned: masking, sampling and the weights of the losses."""

    objective: str = field("electra", "training system", choices=names)
    mask_prob: float = field(0.15, "fraction of the tokens to mask")
    gen_weight: float = field(1.0, "weight of the masked-LM loss")
    disc_weight: float = field(50.0, "weight of the detection loss")
    mws_weight: float = field(
        2.0, "weight of the multi-word selection loss (teams)"
    )
    two_stage_steps: int = field(0, "steps of the generator alone (two_stage)")
    two_stage_init: bool = field(
        True, "start the second stage from the generator's weights (two_stage)"
    )
    temperature: float = field(1.0, "of the generator's samples at the start")
    temperature_end: float = field(
        1.0, "of the samples towards the end, if temperature_decay_steps"
    )
    temperature_decay_steps: int = field(
        0,
        "steps in which the temperature's distance to temperature_end falls "
        "to 1/e; 0 keeps the temperature",
    )
    disallow_correct: bool = field(
        False, "never sample the token that stood there"
    )
    compat: str = field(
        "none",
        "google repeats the authors' code: masks drawn with replacement",
        choices=("none", "google"),
    )


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """How it is learned: AdamW and its schedule."""

    learning_rate: float = field(5e-4, "peak learning rate")
    num_train_steps: int = field(1_000_000, "steps of the run")
    num_warmup_steps: int = field(10_000, "steps of linear warm-up")
    lr_decay_power: float = field(1.0, "power of the polynomial decay")
    weight_decay_rate: float = field(
        0.01, "decoupled decay, not on LayerNorm and biases"
    )
    clip_norm: float = field(1.0, "global norm the gradients are clipped to")
    adam_bias_correction: bool = field(
        False, "correct Adam's moments for their zero start (paper: no)"
    )
    train_batch_size: int = field(128, "sequences a step, over all replicas")


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """What is read."""

    data_dir: str = field(
        "",
        "records: a folder of build_pretraining_data, the authors' folder, "
        "or a glob of TFRecords; empty: the embedded corpus",
        defines=False,
    )
    vocab_file: str = field(
        "",
        "vocabulary for the embedded corpus, or for records without one",
        defines=False,
    )
    do_lower_case: bool = field(True, "lower-case as BERT uncased does")
    strip_accents: bool = field(True, "strip accents as BERT uncased does")
    max_seq_length: int = field(128, "L, tokens of an example")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Where the run happens and how often it reports."""

    model_dir: str = field("", "the run's folder", defines=False)
    init_checkpoint: str = field(
        "", "start from these weights alone (a run's folder)", defines=False
    )
    seed: int = field(0, "of weights, data order, masks, samples, dropout")
    log_every_steps: int = field(100, "steps between log lines", defines=False)
    eval_every_steps: int = field(
        1000, "steps between evaluations (0: at the end only)", defines=False
    )
    num_eval_steps: int = field(
        100, "batches of an evaluation at most", defines=False
    )
    eval_batch_size: int = field(
        128, "sequences an evaluation batch", defines=False
    )
    save_checkpoints_steps: int = field(
        1000, "steps between checkpoints", defines=False
    )
    keep_checkpoint_max: int = field(5, "checkpoints to keep", defines=False)
    stop_at_step: int = field(
        0,
        "save and stop there, with the schedule of num_train_steps (0: go on "
        "to its end)",
        defines=False,
    )
    preempted_exit_code: int = field(
        0,
        "exit code after SIGTERM, once the checkpoint is saved",
        defines=False,
    )


@dataclasses.dataclass(frozen=True)
class PretrainingConfig:
    """The whole configuration of `pretrain.py`."""

    model: ElectraConfig
    objective: ObjectiveConfig
    optimizer: OptimizerConfig
    data: DataConfig
    run: RunConfig
    execution: ExecutionConfig


GROUPS = {f.name: f.type for f in dataclasses.fields(PretrainingConfig)}


def all_fields() -> dict[str, dataclasses.Field]:
    """Every field by its flat name, which is its flag's name."""
    return {
        each.name: each
        for group in GROUPS.values()
        for each in dataclasses.fields(group)
    }


def make_config(values: Mapping[str, Any]) -> PretrainingConfig:
    """A validated configuration: the size's values, `values` over them.

    Raises:
      InputError: an unknown name or size, or a value that breaks a rule.
    """
    unknown = sorted(set(values) - set(all_fields()))
    if unknown:
        raise InputError(f"unknown configuration fields: {', '.join(unknown)}")
    check_kinds(values, {n: each.type for n, each in all_fields().items()})
    size = values.get("model_size", ElectraConfig.model_size)
    if size not in SIZES:
        raise InputError(
            f"model_size must be one of {', '.join(SIZES)}; received {size!r}"
        )
    flat = {**SIZES[size], **values}
    if "strip_accents" not in values:
        flat["strip_accents"] = flat.get("do_lower_case", True)
    if "tying" not in flat and not has_trained_generator(flat):
        flat["tying"] = "none"  # nothing is there to share with
    if flat.get("tying") == "all":
        # One shared encoder: its own size is the only one that makes sense.
        flat["generator_hidden_size"] = values.get("generator_hidden_size", 1.0)
    config = PretrainingConfig(
        **{
            name: group(
                **{
                    each.name: flat[each.name]
                    for each in dataclasses.fields(group)
                    if each.name in flat
                }
            )
            for name, group in GROUPS.items()
        }
    )
    choices = {n: choices_of(each) for n, each in all_fields().items()}
    validate(flat_values(config), choices)
    return config


def flat_values(config: PretrainingConfig) -> dict[str, Any]:
    """All values by flat name; `make_config` gives the same back."""
    return {
        name: value
        for group in dataclasses.asdict(config).values()
        for name, value in group.items()
    }
