"""How everything that a command can be told is declared and checked.

An option is a `field` of a dataclass that derives from `Options`: its kind is
its annotation, default, rule and choices stand beside it, and its help is what
the class's docstring says of it. What makes the values - a flag, a stored
configuration, Python code - does not matter: an instance that breaks a rule
cannot be made.
"""

import dataclasses
import inspect
import json
import re
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from electra_tf.errors import InputError, require

Field = dataclasses.Field[Any]
# "  name: text", whose further lines are indented more.
_ATTRIBUTE = re.compile(r"^  (\w+): (.*(?:\n    .*)*)", re.MULTILINE)


class Rule(NamedTuple):
    """What a value must keep.

    Attributes:
      text: what stands after the field's name: "must be positive".
      holds: whether a value keeps it.
    """

    text: str
    holds: Callable[[Any], bool]


def at_least(bound: float) -> Rule:
    """Not below `bound`."""
    return Rule(f"must be at least {bound}", lambda value: value >= bound)


def at_most(bound: float) -> Rule:
    """Not above `bound`."""
    return Rule(f"must be at most {bound}", lambda value: value <= bound)


def below(bound: float) -> Rule:
    """Strictly below `bound`."""
    return Rule(f"must be below {bound}", lambda value: value < bound)


POSITIVE = Rule("must be positive", lambda value: value > 0)
NOT_NEGATIVE = Rule("must not be negative", lambda value: value >= 0)
# Dropping or holding out everything leaves nothing to learn from.
PROBABILITY = Rule("must lie in [0, 1)", lambda value: 0 <= value < 1)
INSIDE = Rule("must lie strictly between 0 and 1", lambda value: 0 < value < 1)
FACTOR = Rule("must lie in (0, 1]", lambda value: 0 < value <= 1)
GIVEN = Rule("must be given", bool)

# What every value of a kind keeps, so that none overflows further on: numbers
# are float32 there, and neither NumPy's seeds nor an id go beyond 32 bits.
_FINITE = Rule("must be finite in float32", lambda value: abs(value) < 2.0**128)
_WHOLE = Rule(
    f"must be above {-(2**32)} and below {2**32}",
    lambda value: abs(value) < 2**32,
)
# No file system takes it; a flagfile can hold one.
_TEXT = Rule("must not hold a NUL character", lambda value: "\0" not in value)
_OF_KIND = {float: _FINITE, int: _WHOLE, str: _TEXT}
_NOUNS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple: "a list of texts",
    dict: "an object",
}


def field(
    default: Any,
    *rules: Rule,
    choices: Collection[str] | Callable[[], Collection[str]] | None = None,
    defines: bool = True,
    repeated: bool = False,
    argument: bool = False,
) -> Any:
    """A field that is one flag.

    Args:
      default: the value where none is given. A field whose default is decided
        elsewhere is annotated `| None`, has None, and its help says which.
      rules: what its values must keep; None always may stand.
      choices: the values it may have, or a function that says them whenever
        one is checked: a registry may grow.
      defines: whether a run that goes on must have the same value: true of
        what its weights depend on, false of how and where it runs.
      repeated: of a tuple: the flag may be given again and adds one text; else
        its text is cut at commas.
      argument: it is given without a name, behind the flags.
    """
    metadata = {
        "rules": rules,
        "choices": choices,
        "defines": defines,
        "repeated": repeated,
        "argument": argument,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Options:
    """Fields whose values keep their rules; a breach raises InputError.

    A subclass says what each of its own is under "Attributes:": their helps.
    A subclass with a rule over several fields adds it in `__post_init__`.
    """

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            check_value(each, getattr(self, each.name))


def groups_of(*kinds: type) -> Iterator[type[Options]]:
    """The classes whose fields are options: these, or those of their fields."""
    for kind in kinds:
        if issubclass(kind, Options):
            yield kind
        else:
            yield from groups_of(*get_type_hints(kind).values())


def fields_of(*kinds: type) -> dict[str, Field]:
    """The fields of dataclasses by name, with those of groups in them."""
    groups = groups_of(*kinds)
    return {f.name: f for group in groups for f in dataclasses.fields(group)}


def own(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that belong to a field of `kind`."""
    return {name: values[name] for name in fields_of(kind) if name in values}


def helps_of(*kinds: type) -> dict[str, str]:
    """Name -> what the docstring of the field's class says of it.

    It stands there under "Attributes:"; a full stop at its end is left out.
    """
    found: dict[str, str] = {}
    for group in groups_of(*kinds):
        for base in reversed(group.__mro__):
            doc = inspect.cleandoc(base.__doc__ or "")
            attributes = doc.partition("Attributes:\n")[2]
            for name, told in _ATTRIBUTE.findall(attributes):
                line = " ".join(told.split())
                found[name] = re.sub(r"(?<!\.)\.$", "", line)
    return found


def kind_of(each: Field) -> tuple[type, bool]:
    """The type of a field's values, and whether None is one of them."""
    kinds: tuple[Any, ...] = (each.type,)
    if isinstance(each.type, types.UnionType):
        kinds = get_args(each.type)
    [kind] = [k for k in kinds if k is not types.NoneType]
    return get_origin(kind) or kind, len(kinds) > 1


def choices_of(each: Field) -> Collection[str] | None:
    """The values that a field may have now; None where no list says."""
    choices = each.metadata["choices"]
    return choices() if callable(choices) else choices


def check_values(
    fields: Mapping[str, Field], values: Mapping[str, Any]
) -> None:
    """Refuses names that are no field's, and values that break a rule."""
    unknown = sorted(set(values) - set(fields))
    require(
        not unknown,
        "every name must be that of a configuration field",
        ", ".join(unknown),
    )
    for name, value in values.items():
        check_value(fields[name], value)


def check_value(each: Field, value: Any) -> None:
    """Refuses a value of another kind, no choice, or against a rule."""
    kind, may_be_none = kind_of(each)
    if value is None and may_be_none:
        return
    check_kind(each.name, value, kind)
    choices = choices_of(each)
    if choices is not None:
        rule = f"{each.name} must be one of {', '.join(choices)}"
        require(value in choices, rule, value)
    of_kind = (_OF_KIND[kind],) if kind in _OF_KIND else ()
    for rule in (*of_kind, *each.metadata["rules"]):
        require(rule.holds(value), f"{each.name} {rule.text}", value)


def check_kind(name: str, value: Any, kind: type) -> None:
    """Refuses a value of another kind; whole numbers pass as floats."""
    # A bool is an int to Python, and a mistake here.
    allowed = (int, float) if kind is float else (kind,)
    fits = type(value) in allowed
    if kind is tuple and fits:
        fits = all(isinstance(text, str) for text in value)
    require(fits, f"{name} must be {_NOUNS[kind]}", value)


def json_object(text: str) -> dict[str, Any]:
    """The one JSON object that `text` must be."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it must be JSON; received {error}") from None
    kind = type(found).__name__
    require(isinstance(found, dict), "it must be one JSON object", kind)
    return found
