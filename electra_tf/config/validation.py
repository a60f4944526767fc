"""The rules of an objective that reach over several fields."""

from collections.abc import Mapping
from typing import Any

from electra_tf.config.objectives import refusal
from electra_tf.errors import InputError

# Samples as the generator's own probabilities give them.
_PLAIN_SAMPLING = {
    "temperature": 1.0,
    "temperature_decay_steps": 0,
    "disallow_correct": False,
}


def _check(holds: bool, rule: str, value: object) -> None:
    if not holds:
        raise InputError(f"{rule}; received {value!r}")


def _validate_objective(values: Mapping[str, Any]) -> None:
    names = ("objective", "generator", "tying")
    combination = tuple(values[name] for name in names)
    rule = refusal(*combination)
    _check(rule is None, rule, combination)
    objective = values["objective"]
    if objective in ("electric", "adversarial"):
        sampling = {name: values[name] for name in _PLAIN_SAMPLING}
        _check(
            sampling == _PLAIN_SAMPLING,
            f"objective={objective} learns from the probability of its "
            "samples, so they must be the generator's own: temperature 1 "
            "without decay, disallow_correct false",
            sampling,
        )
    if objective == "two_stage":
        _validate_stages(values)


def _validate_stages(values: Mapping[str, Any]) -> None:
    first, steps = values["two_stage_steps"], values["num_train_steps"]
    _check(
        0 < first < steps,
        "objective=two_stage needs two_stage_steps, the steps of the generator "
        f"alone, between 0 and num_train_steps ({steps})",
        first,
    )
    if not values["two_stage_init"]:
        return
    width, depth = values["generator_hidden_size"], values["generator_layers"]
    _check(
        width == 1 and depth == 1,
        "objective=two_stage copies the generator into the discriminator, so "
        "generator_hidden_size and generator_layers must be 1 (or "
        "two_stage_init false)",
        (width, depth),
    )
    hidden = values["hidden_size"]
    sizes = {
        "num_attention_heads": max(1, hidden // 64),
        "intermediate_size": 4 * hidden,
    }
    if values["tying"] == "none":
        sizes["embedding_size"] = hidden
    for name, size in sizes.items():
        _check(
            values[name] == size,
            "objective=two_stage copies the generator into the discriminator, "
            f"so {name} must be the generator's ({size}; or two_stage_init "
            "false)",
            values[name],
        )
