"""The one exception for what a user got wrong."""


class InputError(ValueError):
    """A user's input breaks a rule.

    The message is one line: the rule, the value received, what to do.
    Commands print it alone, without a traceback, and exit with code 2.
    """
