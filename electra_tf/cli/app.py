"""How every command is told what to do, how it starts and how it fails."""

import dataclasses
import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from absl import app, flags, logging

from electra_tf.config import check_values, fields_of, kind_of
from electra_tf.config.pretraining import PretrainingConfig, make_config
from electra_tf.config.sizes import SIZES
from electra_tf.errors import InputError

USAGE_ERROR = 2
_PARSERS: dict[type, flags.ArgumentParser] = {
    bool: flags.BooleanParser(),
    int: flags.IntegerParser(),
    float: flags.FloatParser(),
    str: flags.ArgumentParser(),
    tuple: flags.ListParser(),
}


def command(
    *kinds: type, given: type | None = None
) -> Callable[[Callable[..., int | None]], Callable[[], NoReturn]]:
    """Makes a function of options a command.

    What is returned reads the command line, calls the function with an
    instance of each of `kinds`, and exits with the code that it returns (None
    is 0). A mistake - an unknown flag, a bad value, a stray argument, any
    InputError - is one line on standard error and exit code 2.

    Args:
      *kinds: dataclasses of fields, each of which is one flag.
      given: one more, of which the function gets name -> value of the flags
        that were given.
    """

    def decorate(main: Callable[..., int | None]) -> Callable[[], NoReturn]:
        @functools.wraps(main)
        def start() -> NoReturn:
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            logging.set_verbosity(logging.WARNING)
            _run(main, kinds, given)

        return start

    return decorate


def _run(
    main: Callable[..., int | None],
    kinds: Sequence[type],
    given: type | None,
) -> NoReturn:
    """Reads the options of the command line, calls `main`, exits."""
    every = (*kinds, given) if given else kinds
    define_flags(every, flags.FLAGS)

    def parse(argv: Sequence[str]) -> list[Any]:
        try:
            values = given_values(every, argv, flags.FLAGS)
            options = [make(kind, values) for kind in kinds]
        except InputError as error:
            fail(str(error))
        return [*options, own(given, values)] if given else options

    def guarded(options: Sequence[Any]) -> int | None:
        import_tensorflow_quietly()
        try:
            return main(*options)
        except InputError as error:
            fail(str(error))

    app.run(guarded, flags_parser=parse)


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


def fail(message: str) -> NoReturn:
    """Prints one line and exits with code 2."""
    line = " ".join(str(message).split())
    print(f"error: {line}", file=sys.stderr)
    sys.exit(USAGE_ERROR)


def define_flags(kinds: Sequence[type], values: flags.FlagValues) -> None:
    """Defines a flag for every field, as the command's own.

    Flags hold texts: what a text means is said by `given_values`, so that a
    wrong one is refused as any other wrong value is.
    """
    for name, each in fields_of(*kinds).items():
        if each.metadata["argument"]:
            continue
        make_flag = flags.MultiFlag if each.metadata["repeated"] else flags.Flag
        flag = make_flag(
            flags.ArgumentParser(),
            flags.ArgumentSerializer(),
            name,
            None,
            _help(each),
            boolean=kind_of(each)[0] is bool,
        )
        # `--help` shows the flags of the module that is run.
        flags.DEFINE_flag(flag, values, module_name=sys.argv[0])


def _help(each: dataclasses.Field) -> str:
    text, choices = each.metadata["help"], each.metadata["choices"]
    if choices is not None:
        text = f"<{'|'.join(choices)}>: {text}"
    by_size = {s: v[each.name] for s, v in SIZES.items() if each.name in v}
    is_sized = fields_of(PretrainingConfig).get(each.name) is each
    if is_sized and len(set(by_size.values())) > 1:
        default = ", ".join(f"{size} {v:g}" for size, v in by_size.items())
        return f"{text} (default: {default})"
    if each.default in (None, "", ()):
        return text
    return f"{text} (default: {each.default})"


def read_flags(kinds: Sequence[type], arguments: Sequence[str]) -> dict:
    """Name -> value of flags given apart from the command's own."""
    values = flags.FlagValues()
    define_flags(kinds, values)
    return given_values(kinds, ["", *arguments], values)


def given_values(
    kinds: Sequence[type], argv: Sequence[str], values: flags.FlagValues
) -> dict[str, Any]:
    """Name -> value of the flags and arguments that `argv` gives.

    Raises:
      InputError: an unknown flag, a stray argument, or a value that breaks
        its field's rule.
    """
    fields = fields_of(*kinds)
    try:
        rest = values(argv)[1:]
    except SystemExit:
        sys.exit(0)  # of --help, which absl ends with 1
    # A plain ValueError is of --noflag=value, or of a file that is no text.
    except (flags.Error, ValueError) as error:
        raise InputError(str(error).removeprefix("ERROR:: ")) from None
    arguments = [n for n, each in fields.items() if each.metadata["argument"]]
    stray = " ".join(rest[len(arguments) :])
    if stray:
        raise InputError(f"arguments must be --flags; received {stray!r}")
    found = dict(zip(arguments, rest, strict=False))
    for name, each in fields.items():
        if name not in found and name not in arguments and values[name].present:
            found[name] = _value(each, values[name].value)
    check_values(fields, found)
    return found


def _value(each: dataclasses.Field, text: Any) -> Any:
    """What a flag's text (of a repeated one, texts) means."""
    kind, _ = kind_of(each)
    if each.metadata["repeated"]:
        return tuple(text)
    try:
        value = _PARSERS[kind].parse(text)
    except ValueError:
        return text  # to be refused by the kind that it should have
    return tuple(value) if kind is tuple else value


def make(kind: type, values: Mapping[str, Any]) -> Any:
    """An instance of `kind` of those values that are its own."""
    if kind is PretrainingConfig:  # its defaults depend on the size
        return make_config(own(kind, values))
    return kind(**own(kind, values))


def own(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that belong to a field of `kind`."""
    return {name: values[name] for name in fields_of(kind) if name in values}


# Commands that define their flags by hand, for now.


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


def _parse(argv: Sequence[str], max_arguments: int) -> list[str]:
    try:
        rest = flags.FLAGS(argv)
    except flags.Error as error:
        fail(str(error).removeprefix("ERROR:: "))
    stray = " ".join(rest[1 + max_arguments :])
    if stray:
        fail(f"arguments must be --flags; received {stray!r}")
    return rest
