"""Flags made from the configuration: each field is exactly one."""

import dataclasses
from typing import Any

from absl import flags

from electra_tf.config.fields import choices_of
from electra_tf.config.presets import SIZES
from electra_tf.config.pretraining import (
    PretrainingConfig,
    all_fields,
    make_config,
)


def define_config_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines a flag for every field; unset flags take the size's values."""
    for name, field in all_fields().items():
        _define(name, field, values)


def _define(
    name: str, field: dataclasses.Field, values: flags.FlagValues
) -> None:
    text = f"{field.metadata['help']} (default: {_default(name, field)})"
    choices = choices_of(field)
    if name == "model_size":
        flags.DEFINE_enum(name, None, list(SIZES), text, flag_values=values)
    elif choices:
        flags.DEFINE_enum(name, None, list(choices), text, flag_values=values)
    elif field.type is bool:
        flags.DEFINE_bool(name, None, text, flag_values=values)
    elif field.type is int:
        flags.DEFINE_integer(name, None, text, flag_values=values)
    elif field.type is float:
        flags.DEFINE_float(name, None, text, flag_values=values)
    else:
        flags.DEFINE_string(name, None, text, flag_values=values)


def _default(name: str, field: dataclasses.Field) -> str:
    by_size = {size: v[name] for size, v in SIZES.items() if name in v}
    if len(set(by_size.values())) > 1:
        return ", ".join(f"{size} {v:g}" for size, v in by_size.items())
    return repr(field.default)


def config_from_flags() -> PretrainingConfig:
    """The configuration that the parsed flags give."""
    return make_config(given_values())


def given_values(values: flags.FlagValues = flags.FLAGS) -> dict[str, Any]:
    """Flat values of the flags that were set."""
    found = {name: values[name].value for name in all_fields()}
    return {name: v for name, v in found.items() if v is not None}
