"""The process that a command runs in: its streams, TensorFlow, its end."""

import os
import pathlib
import platform
import sys
from typing import NoReturn

from electra_tf.errors import InputError, check_keras

_CPUINFO = pathlib.Path("/proc/cpuinfo")


def open_streams() -> None:
    """Opens nothing where standard input, output or error was closed.

    Else the first file that is opened would get its number, and what
    TensorFlow prints.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
        if getattr(sys, name) is None:
            stream = open(
                number, "r" if name == "stdin" else "w", closefd=False
            )
            setattr(sys, name, stream)


def import_tensorflow_quietly() -> None:
    """Imports TensorFlow without the lines its libraries print at loading.

    They come before any log level is heard, so the descriptor itself is
    turned away; an exception still comes through. Of a processor without AVX
    TensorFlow tells in such a line, and aborts: it is let through.
    """
    try:
        check_keras()
    except InputError as error:
        fail(str(error))
    if not has_avx():
        import tensorflow  # noqa: F401
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


def has_avx() -> bool:
    """Whether the processor has it, or nothing tells that it lacks it."""
    try:
        text = _CPUINFO.read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    return platform.machine() != "x86_64" or "avx" in text.split()


def fail(message: str) -> NoReturn:
    """Prints one line and exits with code 2."""
    print("error:", *str(message).split(), file=sys.stderr)
    sys.exit(2)
