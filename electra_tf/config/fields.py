"""A field of the configuration: default, help, choices, what it decides."""

import dataclasses


def field(default=dataclasses.MISSING, help="", choices=None, defines=True):
    """A dataclass field that becomes one flag.

    `defines` says whether a run that goes on must have the same value: true
    of what its weights depend on, false of how and where it runs. `choices`
    may be a function, asked whenever a value is checked.
    """
    metadata = {"help": help, "choices": choices, "defines": defines}
    return dataclasses.field(default=default, metadata=metadata)


def choices_of(each: dataclasses.Field) -> tuple[str, ...] | None:
    """The values that a field may take now; None where all of its type."""
    choices = each.metadata["choices"]
    return choices() if callable(choices) else choices
