"""What a user got wrong: the one exception, missing packages, other Keras."""

import importlib.util
import json
import os
import pathlib
from collections.abc import Sequence

_SHOWN = 3


class InputError(ValueError):
    """A user's input breaks a rule.

    The message is one line: the rule, the value received, what to do.
    Commands print it alone, without a traceback, and exit with code 2.
    Line ends and other characters that are not to be seen, which names and
    labels of a user's may hold, are written as Python's escapes.
    """

    def __init__(self, message: str):
        super().__init__(
            "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
        )


def require(holds: bool, rule: str, value: object) -> None:
    """Raises InputError, with the rule and the value, unless it holds."""
    if not holds:
        raise InputError(f"{rule}; received {value!r}")


def some(names: Sequence[str]) -> str:
    """The first of many names, for messages."""
    if not names:
        return "none"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def require_packages(purpose: str, names: tuple[str, ...], extra: str) -> None:
    """Refuses where a package of an optional extra is not installed.

    Args:
      purpose: what needs them, with its verb: "the report needs".
      names: of the modules to be imported.
      extra: of setup.py, which installs them.

    Raises:
      InputError: one or more are missing; the line names the cure.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"{purpose} {' and '.join(missing)}, not installed here: "
            f'pip install -e ".[{extra}]"'
        )


def check_keras() -> None:
    """Refuses a Keras on another backend than TensorFlow, and Keras 2.

    Asked before Keras is imported, which fails far from what is to be done.

    Raises:
      InputError: naming the variable or the file that says so.
    """
    legacy = os.environ.get("TF_USE_LEGACY_KERAS", "")
    rule = "TF_USE_LEGACY_KERAS must be unset, as electra_tf needs Keras 3"
    require(legacy.lower() not in ("1", "true"), rule, legacy)
    source, backend = "KERAS_BACKEND", os.environ.get("KERAS_BACKEND")
    if not backend:
        source, backend = _stored_backend()
    rule = f"{source} must be unset or say tensorflow, which electra_tf is of"
    require(backend in ("", "tensorflow"), rule, backend)


def _stored_backend() -> tuple[str, str]:
    """Keras' own file, and the backend that it names; "" for none."""
    home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    path = pathlib.Path(home, "keras.json")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["backend"]
    except (OSError, ValueError, LookupError, TypeError):
        return str(path), ""
    return str(path), str(found)
