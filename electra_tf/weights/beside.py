"""What config.json says of weights beside the run's configuration.

Which networks are there, a fine-tuned head and its labels, how texts are best
scored, and where somebody else's weights came from. A run's own config.json
has none of this.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from electra_tf.config.finetuning import HEAD_STYLES
from electra_tf.config.scoring import METHODS
from electra_tf.errors import require
from electra_tf.weights.record import Head, OpenedWeights, RunResult

HEAD = "task_head/"
KINDS = ("classifier", "regressor", "tagger", "span_qa")
# (whether it holds, the rule, the value received)
_Check = Callable[[bool, str, object], None]


def written_beside(weights: OpenedWeights) -> dict[str, Any]:
    """What `read_beside` reads back; empty for a run's own networks."""
    found: dict[str, Any] = {}
    if weights.networks is not None:
        found["networks"] = list(weights.networks)
    if weights.head is not None:
        head = weights.head
        found["head"] = {
            "kind": head.kind,
            "style": head.style,
            "multi_label": head.multi_label,
            "dropout": head.dropout,
        }
    if weights.labels is not None:
        found["labels"] = list(weights.labels)
    if weights.origin:
        found["origin"] = dict(weights.origin)
    if weights.result is not None:
        found["result"] = dataclasses.asdict(weights.result)
    if weights.scoring:
        found["scoring"] = weights.scoring
    return found


def read_beside(
    found: Any, head_arrays: Mapping[str, np.ndarray], path: str
) -> dict[str, Any]:
    """Arguments of `OpenedWeights`.

    Args:
      found: what stands in the file.
      head_arrays: those below `HEAD`.
      path: of the file, for messages.

    Raises:
      InputError: it is not of the form that `written_beside` gives.
    """

    def check(holds: bool, rule: str, value: object) -> None:
        require(holds, f"weights in {path!r} must {rule}", value)

    check(isinstance(found, dict), "be an object", found)
    names = {"networks", "head", "labels", "origin", "scoring", "result"}
    check(set(found) <= names, f"have {', '.join(sorted(names))}", set(found))
    values: dict[str, Any] = {"origin": found.get("origin", {})}
    check(isinstance(values["origin"], dict), "name an origin", values)
    for name in ("networks", "labels"):
        if name in found:
            texts = found[name]
            good = isinstance(texts, list) and all(
                isinstance(text, str) for text in texts
            )
            check(good, f"list {name}", texts)
            values[name] = tuple(texts)
    if "result" in found:
        values["result"] = _read_result(found["result"], check)
    if "scoring" in found:
        values["scoring"] = scoring = found["scoring"]
        check(scoring in METHODS, f"name one of {', '.join(METHODS)}", scoring)
    if found.get("head") is not None:
        values["head"] = _read_head(found["head"], head_arrays, check)
    return values


def _read_head(
    head: Any, arrays: Mapping[str, np.ndarray], check: _Check
) -> Head:
    types = {"kind": str, "style": str, "multi_label": bool, "dropout": float}
    good = isinstance(head, dict) and types == {
        name: type(value) for name, value in head.items()
    }
    check(good, f"describe a head by {', '.join(types)}", head)
    known = head["kind"] in KINDS and head["style"] in HEAD_STYLES
    check(known, f"name a head of {', '.join(KINDS)}", head)
    return Head(arrays=arrays, **head)


def _read_result(found: Any, check: _Check) -> RunResult:
    names = [field.name for field in dataclasses.fields(RunResult)]
    has_names = isinstance(found, dict) and [*found] == names
    check(has_names, f"describe a result by {', '.join(names)}", found)
    step, *tables = found.values()
    numbers = [step]
    for table in tables:
        check(isinstance(table, dict), "give a result's figures by name", table)
        numbers += table.values()
    check({*map(type, numbers)} <= {int, float}, "give figures", numbers)
    return RunResult(**found)
