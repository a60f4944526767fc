"""The rules a configuration keeps; each breach is one clear line."""

import json
import math
from collections.abc import Mapping
from typing import Any

from electra_tf.config.objectives import describe
from electra_tf.config.presets import num_heads
from electra_tf.errors import InputError

_POSITIVE = (
    "vocab_size embedding_size hidden_size num_hidden_layers "
    "num_attention_heads intermediate_size max_position_embeddings "
    "type_vocab_size initializer_range generator_hidden_size "
    "generator_layers temperature temperature_end "
    "learning_rate num_train_steps clip_norm train_batch_size "
    "log_every_steps num_eval_steps eval_batch_size save_checkpoints_steps "
    "keep_checkpoint_max iterations_per_loop gradient_accumulation_steps "
    "worker_timeout"
).split()
_NOT_NEGATIVE = (
    "gen_weight disc_weight mws_weight two_stage_steps "
    "temperature_decay_steps num_warmup_steps lr_decay_power "
    "weight_decay_rate seed eval_every_steps stop_at_step "
    "preempted_exit_code "
    "num_virtual_devices"
).split()
# NumPy takes no larger ones.
_SEEDS = 2**32
_PROBABILITIES = "hidden_dropout_prob attention_probs_dropout_prob".split()


def _check(holds: bool, rule: str, value: object) -> None:
    if not holds:
        raise InputError(f"{rule}; received {value!r}")


def validate(
    values: Mapping[str, Any], choices: Mapping[str, tuple[str, ...] | None]
) -> None:
    """Checks flat values; raises InputError at the first breach.

    Args:
      values: every field of the configuration by its flat name.
      choices: for each field the values it may take, or None.
    """
    for name, allowed in choices.items():
        if allowed:
            rule = f"{name} must be one of {', '.join(allowed)}"
            _check(values[name] in allowed, rule, values[name])
    for name, value in values.items():
        finite = not isinstance(value, float) or math.isfinite(value)
        _check(finite, f"{name} must be finite", value)
    for name in _POSITIVE:
        _check(values[name] > 0, f"{name} must be positive", values[name])
    for name in _NOT_NEGATIVE:
        rule = f"{name} must not be negative"
        _check(values[name] >= 0, rule, values[name])
    for name in _PROBABILITIES:
        rule = f"{name} must lie in [0, 1)"
        _check(0 <= values[name] < 1, rule, values[name])
    _check(
        0 < values["mask_prob"] < 1,
        "mask_prob must lie strictly between 0 and 1",
        values["mask_prob"],
    )
    rule = f"seed must be below {_SEEDS}"
    _check(values["seed"] < _SEEDS, rule, values["seed"])
    length, rows = values["max_seq_length"], values["max_position_embeddings"]
    _check(length >= 5, "max_seq_length must be at least 5", length)
    _check(
        length <= rows,
        f"max_seq_length must not exceed max_position_embeddings ({rows})",
        length,
    )
    _validate_networks(values)
    describe(values["objective"]).check(values)
    _validate_execution(values)


def json_object(text: str) -> dict[str, Any]:
    """The one JSON object that `text` must be."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InputError(f"it is not valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError("it must be one JSON object")
    return found


def check_kinds(values: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    """Refuses values of another type; whole numbers pass as floats."""
    for name, kind in kinds.items():
        allowed = (int, float) if kind is float else (kind,)
        if name in values and type(values[name]) not in allowed:
            raise InputError(
                f"{name} must be a {kind.__name__}; received {values[name]!r}"
            )


def _validate_networks(values: Mapping[str, Any]) -> None:
    hidden_size, heads = values["hidden_size"], values["num_attention_heads"]
    _check(
        hidden_size % heads == 0,
        f"hidden_size must be a multiple of num_attention_heads ({heads})",
        hidden_size,
    )
    width, depth = values["generator_hidden_size"], values["generator_layers"]
    if values["tying"] == "all":
        _check(
            width == 1 and depth == 1,
            "tying=all shares one encoder, so generator_hidden_size and "
            "generator_layers must be 1",
            (width, depth),
        )
        return
    hidden = round(hidden_size * width)
    heads = num_heads(hidden)
    _check(
        hidden > 0 and hidden % heads == 0,
        "hidden_size times generator_hidden_size must be a positive multiple "
        f"of the generator's {heads} heads (one per 64)",
        hidden,
    )
    _check(
        round(values["num_hidden_layers"] * depth) > 0,
        "num_hidden_layers times generator_layers must round to 1 or more",
        depth,
    )


def _validate_execution(values: Mapping[str, Any]) -> None:
    strategy, name = values["strategy"], values["tpu_name"]
    _check(
        not name or strategy in ("auto", "tpu"),
        f"tpu_name={name} needs strategy=tpu (or auto)",
        strategy,
    )
    _check(
        name or strategy != "tpu",
        "strategy=tpu needs tpu_name (local on a TPU VM)",
        name,
    )
    devices = values["num_virtual_devices"]
    _check(
        devices <= 1 or strategy in ("auto", "mirrored", "multi_worker"),
        f"num_virtual_devices={devices} needs strategy=mirrored",
        strategy,
    )
