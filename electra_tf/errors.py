"""What a user got wrong: the one exception, and missing packages."""

import importlib.util


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
