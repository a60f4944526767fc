"""Which objective goes with which generator and tying, and why not others."""

from collections.abc import Mapping
from typing import Any, NamedTuple

OBJECTIVES = (
    "electra",
    "electra_15",
    "mlm",
    "replace_mlm",
    "all_tokens_mlm",
    "two_stage",
    "adversarial",
    "electric",
    "teams",
)
GENERATORS = ("transformer", "two_tower", "uniform", "unigram")
TYINGS = ("none", "embeddings", "all", "gradient_disentangled")

_UNTRAINED = ("uniform", "unigram")
_SHARED = ("embeddings", "all", "gradient_disentangled")


class Refusal(NamedTuple):
    """Combinations that make no sense, and the rule that says so."""

    objectives: tuple[str, ...]
    generators: tuple[str, ...]
    tyings: tuple[str, ...]
    rule: str


REFUSALS = (
    Refusal(
        ("mlm",),
        ("two_tower", *_UNTRAINED),
        TYINGS,
        "objective=mlm has no generator, so generator must stay transformer",
    ),
    Refusal(
        ("mlm",),
        GENERATORS,
        _SHARED,
        "objective=mlm has one network alone, so tying must be none",
    ),
    Refusal(
        ("electric",),
        ("transformer",),
        TYINGS,
        "objective=electric needs the probability of each token given all "
        "others, so generator must be two_tower, uniform or unigram",
    ),
    Refusal(
        ("two_stage", "adversarial"),
        ("two_tower", *_UNTRAINED),
        TYINGS,
        "objectives two_stage and adversarial train a masked-LM, so generator "
        "must be transformer",
    ),
    Refusal(
        OBJECTIVES,
        _UNTRAINED,
        _SHARED,
        "generators uniform and unigram have no weights, so tying must be none",
    ),
    Refusal(
        OBJECTIVES,
        ("two_tower",),
        ("all",),
        "generator=two_tower reads to one side in each tower, the main network "
        "to both, so tying must not be all",
    ),
    Refusal(
        ("two_stage",),
        GENERATORS,
        ("embeddings", "all"),
        "objective=two_stage freezes the generator while the main network "
        "learns, so tying must be none or gradient_disentangled",
    ),
    Refusal(
        ("adversarial",),
        GENERATORS,
        ("all",),
        "objective=adversarial trains two networks against one another, so "
        "tying must not be all",
    ),
)


def refusal(objective: str, generator: str, tying: str) -> str | None:
    """The rule that a combination breaks, or None where it is allowed."""
    for refused in REFUSALS:
        if (
            objective in refused.objectives
            and generator in refused.generators
            and tying in refused.tyings
        ):
            return refused.rule
    return None


def has_trained_generator(values: Mapping[str, Any]) -> bool:
    """Whether flat configuration values ask for a generator with weights."""
    return values.get("objective") != "mlm" and (
        values.get("generator") not in _UNTRAINED
    )
