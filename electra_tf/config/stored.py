"""A configuration as a run's folder keeps it, and what it may not change."""

import dataclasses
import json
from typing import Any

from electra_tf.config.pretraining import (
    GROUPS,
    PretrainingConfig,
    all_fields,
    flat_values,
    make_config,
)
from electra_tf.config.validation import check_kinds, json_object
from electra_tf.errors import InputError


def differences(
    old: PretrainingConfig, new: PretrainingConfig
) -> dict[str, tuple[Any, Any]]:
    """Fields that differ in what defines the run: name -> (old, new)."""
    old_values, new_values = flat_values(old), flat_values(new)
    return {
        name: (old_values[name], new_values[name])
        for name, each in all_fields().items()
        if each.metadata["defines"] and old_values[name] != new_values[name]
    }


def to_json(config: PretrainingConfig) -> str:
    """The configuration as JSON, one object a group."""
    return json.dumps(dataclasses.asdict(config), indent=2) + "\n"


def from_json(text: str) -> PretrainingConfig:
    """Reads `to_json` back; anything else raises InputError."""
    groups = json_object(text)
    unknown = sorted(set(groups) - set(GROUPS))
    if unknown:
        raise InputError(f"unknown configuration groups: {', '.join(unknown)}")
    check_kinds(groups, dict.fromkeys(GROUPS, dict))
    values = {}
    for group in groups.values():
        values |= group
    return make_config(values)
