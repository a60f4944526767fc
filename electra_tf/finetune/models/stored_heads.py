"""Heads that weights hold: taken over where nothing else is asked for."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from electra_tf.config.finetuning import SPAN_STYLES
from electra_tf.weights.record import Head, OpenedWeights

_LABELLED = ("classifier", "tagger")


def stored_arguments(
    head_kinds: Sequence[str],
    weights: OpenedWeights,
    given: Mapping[str, Any],
) -> dict[str, Any] | None:
    """A model's arguments by which its head is that of the weights.

    Args:
      head_kinds: kinds of heads that the model may have.
      weights: perhaps with a head.
      given: the arguments that the user gave.

    Returns:
      None where the model's head must be a fresh one; that, where the weights
      have a head, is said on standard error.
    """
    head = weights.head
    if head is None or not head_kinds:
        return None
    if head.kind not in head_kinds:
        _say_fresh(weights, f"is of another kind, {head.kind}")
        return None
    stored: dict[str, Any] = {"head": head.style}
    if head.kind in _LABELLED:
        stored["labels"] = weights.labels or _numbers(head)
    if head.kind == "classifier":
        stored["multi_label"] = head.multi_label
    asked = _as_stored(given, stored)
    for name, value in asked.items():
        if stored.get(name, value) != value:
            _say_fresh(weights, f"has {name} {stored[name]!r}, not {value!r}")
            return None
    return stored


def _numbers(head: Head) -> tuple[str, ...]:
    """Names of labels that have none; their count is the output's."""
    names = ("task_head/out_proj/bias", "task_head/bias")
    bias = next(name for name in names if name in head.arrays)
    return tuple(map(str, range(len(head.arrays[bias]))))


def _as_stored(
    given: Mapping[str, Any], stored: Mapping[str, Any]
) -> dict[str, Any]:
    """What was given, in the words of what is stored; None is not given."""
    asked = {name: x for name, x in given.items() if x is not None}
    if "labels" in asked:
        asked["labels"] = tuple(asked["labels"])
    if "head" in asked:
        asked["head"] = SPAN_STYLES.get(asked["head"], asked["head"])
    count = asked.pop("num_classes", None)
    if count is not None and count != len(stored.get("labels", ())):
        asked.setdefault("labels", f"{count} classes")
    return asked


def _say_fresh(weights: OpenedWeights, reason: str) -> None:
    print(
        f"note: the head of {weights.source} {reason}; a fresh one is made",
        file=sys.stderr,
    )
