"""JSON that a user gives: every value has the type that its place asks for."""

import json
import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from electra_tf.data.columns import whole_characters
from electra_tf.errors import InputError, require

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_CALLED = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def parse_json(text: str, where: str) -> Any:
    """What JSON text stands for.

    Half a surrogate pair, which JSON can spell and no file can hold, becomes
    U+FFFD: texts stay as long as they were, so that places in them hold.

    Args:
      text: JSON.
      where: "path, line 7", for messages.

    Raises:
      InputError: it is no JSON, or an object has a key twice.
    """
    try:
        found = json.loads(text, object_pairs_hook=_with_keys_once)
        if _SURROGATE_ESCAPE.search(text):
            found = _without_surrogates(found)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: must be JSON; received {error}") from None
    return found


def value_of(record: Any, name: str, kind: type, where: str) -> Any:
    """The value of a key, which must be there and of a type.

    Args:
      record: what must be an object.
      name: the key.
      kind: one of str, int, bool, list and dict.
      where: "path, question 'q1'", for messages.

    Raises:
      InputError: no object, no such key, or a value of another type.
    """
    of_type(record, dict, where)
    require(name in record, f"{where}: must have {name!r}", list(record)[:9])
    return of_type(record[name], kind, f"{where}: {name}")


def value_or(
    record: Mapping[str, Any], name: str, default: Any, where: str
) -> Any:
    """As `value_of`, of the default's type; the default for a missing key."""
    of_type(record, dict, where)
    if name not in record:
        return default
    return value_of(record, name, type(default), where)


def of_type(value: Any, kind: type, what: str) -> Any:
    """The value, where it is of a type: 1 is no text, and true no number.

    Raises:
      InputError: it is of another.
    """
    is_kind = isinstance(value, kind)
    is_kind &= kind is bool or not isinstance(value, bool)
    if not is_kind:
        raise InputError(
            f"{what} must be {_CALLED[kind]}; received {reprlib.repr(value)}"
        )
    return value


def _with_keys_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} twice in one object")
    return found


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {
            _without_surrogates(name): _without_surrogates(item)
            for name, item in value.items()
        }
    return value
