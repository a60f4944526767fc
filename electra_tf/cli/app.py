"""How every command starts and how it fails."""

import os
import sys
from collections.abc import Callable, Sequence

from absl import app, flags, logging

from electra_tf.errors import InputError

USAGE_ERROR = 2


def run(
    define_flags: Callable[[], None],
    main: Callable[[Sequence[str]], int | None],
    max_arguments: int = 0,
) -> None:
    """Defines flags, parses the command line, runs `main`, exits.

    An unknown flag, a bad value, a stray argument and an InputError print one
    line on standard error and exit with code 2; `main` may return a code. Up
    to `max_arguments` beside the flags reach `main` behind the program's name.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.set_verbosity(logging.WARNING)
    _define(define_flags)

    def guarded(argv: Sequence[str]) -> int | None:
        import_tensorflow_quietly()
        try:
            return main(argv)
        except InputError as error:
            fail(str(error))

    app.run(guarded, flags_parser=lambda argv: _parse(argv, max_arguments))


def _define(define_flags: Callable[[], None]) -> None:
    """Defines the flags, as the command's own: `--help` shows only those."""
    before = set(flags.FLAGS)
    define_flags()
    for name in set(flags.FLAGS) - before:
        flag = flags.FLAGS[name]
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def import_tensorflow_quietly() -> None:
    """Imports TensorFlow without the lines its libraries print at loading.

    They come before any log level is heard, so the descriptor itself is
    turned away; an exception still comes through.
    """
    sys.stderr.flush()
    kept = os.dup(sys.stderr.fileno())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stderr.fileno())
        import keras  # noqa: F401
        import tensorflow_text  # noqa: F401
    finally:
        os.dup2(kept, sys.stderr.fileno())
        os.close(kept)
        os.close(nowhere)


def fail(message: str) -> None:
    """Prints one line and exits with code 2."""
    line = " ".join(str(message).split())
    print(f"error: {line}", file=sys.stderr)
    sys.exit(USAGE_ERROR)


def _parse(argv: Sequence[str], max_arguments: int) -> list[str]:
    try:
        rest = flags.FLAGS(argv)
    except flags.Error as error:
        fail(str(error).removeprefix("ERROR:: "))
    stray = " ".join(rest[1 + max_arguments :])
    if stray:
        fail(f"arguments must be --flags; received {stray!r}")
    return rest
