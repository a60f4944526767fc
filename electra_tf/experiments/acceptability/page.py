"""acceptability.md: one model's figures beside baselines and published ones."""

from collections.abc import Mapping, Sequence
from typing import Any

from electra_tf.experiments.acceptability.published import SYSTEMS
from electra_tf.experiments.results import ABSENT, table_row

Found = Mapping[str, Any]


def markdown(found: Found) -> str:
    """The page of what acceptability.json holds."""
    sections = [
        f"# {found['model_dir']}: {found['mean']:.2f} by {found['method']}",
        _legend(found),
        _table(["", "mean", "equal tokens"], _systems(found)),
    ]
    if found["terms"]:
        sections += ["## By term", _parts(found, "terms", "term")]
    sections += ["## By paradigm", _parts(found, "paradigms", "paradigm")]
    return "\n\n".join(sections) + "\n"


def _legend(found: Found) -> str:
    equal = found["equal_tokens"]
    lines = [
        f"{found['pairs']:,} pairs, {len(found['paradigms'])} paradigms: how "
        "often the acceptable text has the higher score, in percent, mean over "
        "paradigms ± standard error; equal scores count as wrong "
        f"({found['ties']:,} of the model's). Guessing is 50.",
        f"Equal tokens: the {equal['pairs']:,} pairs whose texts have the same "
        "number of tokens, where a sum over tokens cannot gain by their "
        "number.",
    ]
    if found["left_out"]:
        lines.append(f"Without unigram and 5-gram: {found['left_out']}.")
    else:
        lines.append(
            f"Unigram and 5-gram (Kneser-Ney): of {found['num_tokens']:,} "
            "tokens of training records."
        )
    if found["published"]["systems"]:
        lines.append(
            "Published, in brackets the words that were learned from: "
            f"{found['published']['source']}."
        )
    return "\n\n".join(lines)


def _systems(found: Found) -> list[list[str]]:
    rows = [(f"**{found['method']}**", found), *found["baselines"].items()]
    shown = [
        [name, _shown(each), _shown(each.get("equal_tokens", {}))]
        for name, each in rows
    ]
    for name, each in found["published"]["systems"].items():
        shown.append([described(name), f"{each['mean']:.2f}", ABSENT])
    return shown


def described(name: str) -> str:
    """A published system and the text that it learned from."""
    if name not in SYSTEMS:
        return name
    return f"{SYSTEMS[name].name} ({SYSTEMS[name].text})"


def _parts(found: Found, kind: str, head: str) -> str:
    """A row a term or paradigm, a column a system that is known by it."""
    columns = {found["method"]: found[kind]}
    columns |= {n: each[kind] for n, each in found["baselines"].items()}
    for name, each in found["published"]["systems"].items():
        if kind == "paradigms" and "paradigms" in each:
            values = each["paradigms"].items()
            columns[name] = {part: {"mean": value} for part, value in values}
    rows = [
        [part, *(_shown(parts[part]) for parts in columns.values())]
        for part in found[kind]
    ]
    return _table([head, *columns], rows)


def _shown(part: Mapping[str, float]) -> str:
    if "mean" not in part:
        return ABSENT
    if "standard_error" not in part:
        return f"{part['mean']:.1f}"
    return f"{part['mean']:.2f} ± {part['standard_error']:.2f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(heads)
    return "\n".join(table_row(cells) for cells in (heads, rule, *rows))
