"""How every command is told what to do, how it starts and how it fails."""

import dataclasses
import functools
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NoReturn

from absl import app, flags, logging

from electra_tf.cli.startup import (
    fail,
    import_tensorflow_quietly,
    open_streams,
)
from electra_tf.config import (
    Field,
    Options,
    check_values,
    choices_of,
    field,
    fields_of,
    helps_of,
    kind_of,
    own,
)
from electra_tf.config.pretraining import PretrainingConfig
from electra_tf.config.sizes import SIZES
from electra_tf.endings import tidy_at_sigterm
from electra_tf.errors import InputError, require

PLUGINS = "electra_tf.plugins"
# A flag without a value -> the flag and the value that it stands for.
SHORT = {"pretokenized": ("word_borders", "spaces")}
_PARSERS: dict[type, flags.ArgumentParser[Any]] = {
    bool: flags.BooleanParser(),
    int: flags.IntegerParser(),
    float: flags.FloatParser(),
    str: flags.ArgumentParser(),
    tuple: flags.ListParser(),
}


@dataclasses.dataclass(frozen=True)
class PluginOptions(Options):
    """What every command has.

    Attributes:
      plugin: a Python module to import first: it registers objectives,
        tokenizers, formats or tasks of its own. May be given again.
    """

    plugin: tuple[str, ...] = field((), repeated=True)


class Command:
    """A function of options that is run from the command line.

    Called, it reads the command line, calls the function with the options,
    and exits with the code that it returns (None is 0). A mistake - an unknown
    flag, a bad value, a stray argument, any InputError - is one line on
    standard error and exit code 2.

    Args:
      main: gets an instance of each of `kinds`, and what `given` says.
      kinds: dataclasses of fields, each of which is one flag.
      given: one more, of which `main` gets name -> value of the flags that
        were given, where its defaults depend on them; None: no more.
    """

    def __init__(
        self,
        main: Callable[..., int | None],
        kinds: Sequence[type],
        given: type | None,
    ):
        self.main, self.kinds, self.given = main, kinds, given
        functools.update_wrapper(self, main)

    def __call__(self) -> NoReturn:
        open_streams()
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        logging.set_verbosity(logging.WARNING)
        import_plugins(sys.argv)
        define_flags(self.every_kind(), flags.FLAGS)
        app.run(self._run, flags_parser=self._parse)

    def read(
        self, argv: Sequence[str], values: flags.FlagValues | None = None
    ) -> list[Any]:
        """What `main` is called with; arguments as of `given_values`."""
        found = given_values(self.every_kind(), argv, values)
        options: list[Any] = [kind(**own(kind, found)) for kind in self.kinds]
        return [*options, own(self.given, found)] if self.given else options

    def every_kind(self) -> list[type]:
        """All dataclasses whose fields are its flags."""
        kinds = [*self.kinds, PluginOptions]
        return [*kinds, self.given] if self.given else kinds

    def _parse(self, argv: Sequence[str]) -> list[Any]:
        try:
            return self.read(argv, flags.FLAGS)
        except InputError as error:
            fail(str(error))
        except SystemExit:
            sys.exit(0)  # of --help, which absl ends with 1

    def _run(self, options: Sequence[Any]) -> int | None:
        import_tensorflow_quietly()
        try:
            with tidy_at_sigterm():
                return self.main(*options)
        except InputError as error:
            fail(str(error))


def command(
    *kinds: type, given: type | None = None
) -> Callable[[Callable[..., int | None]], Command]:
    """Makes a function a `Command`."""
    return lambda main: Command(main, kinds, given)


def import_plugins(argv: Sequence[str]) -> None:
    """Imports what is installed as a plugin, and what `--plugin` names.

    Nothing else is: what a file holds never says which code runs. One that
    cannot be imported is one line and exit code 2.
    """
    values = flags.FlagValues()
    define_flags((PluginOptions,), values)
    values.set_gnu_getopt()  # it may stand behind anything
    try:
        values(argv, known_only=True)
    except (flags.Error, ValueError) as error:
        fail(_told(error))
    named = [EntryPoint(m, m, PLUGINS) for m in values["plugin"].value or ()]
    plugins = [*entry_points(group=PLUGINS), *named]
    if plugins:
        import_tensorflow_quietly()  # they will, and with its lines
    if named and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # as `python -m` does
    for plugin in plugins:
        try:
            plugin.load()
        except Exception as error:
            fail(
                "--plugin must name an importable module; received "
                f"{plugin.value!r} ({type(error).__name__}: {error})"
            )
        print(f"plugin: {plugin.value}", file=sys.stderr)


def define_flags(kinds: Sequence[type], values: flags.FlagValues) -> None:
    """Defines a flag for every field, as the command's own.

    Flags hold texts: what a text means is said by `given_values`, so that a
    wrong one is refused as any other wrong value is.
    """
    helps = helps_of(*kinds)
    for name, each in fields_of(*kinds).items():
        if each.metadata["argument"]:
            continue
        is_repeated = each.metadata["repeated"]
        make: type = flags.MultiFlag if is_repeated else flags.Flag
        flag = make(
            flags.ArgumentParser(),
            flags.ArgumentSerializer(),
            name,
            None,
            _help(each, helps.get(name, "")),
            boolean=kind_of(each)[0] is bool,
        )
        # `--help` shows the flags of the module that is run.
        flags.DEFINE_flag(flag, values, module_name=sys.argv[0])
    for name, (long, value) in SHORT.items():
        if long in fields_of(*kinds):
            short = flags.BooleanFlag(name, None, f"same as --{long}={value}")
            flags.DEFINE_flag(short, values, module_name=sys.argv[0])


def _help(each: Field, text: str) -> str:
    choices = choices_of(each)
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


def given_values(
    kinds: Sequence[type],
    argv: Sequence[str],
    values: flags.FlagValues | None = None,
) -> dict[str, Any]:
    """Name -> value of the flags and arguments that a command line gives.

    Args:
      kinds: dataclasses whose fields they are.
      argv: the command line, the program's name first.
      values: has the flags already; None: they are apart from all others.

    Raises:
      InputError: an unknown flag, a stray argument, or a bad value.
    """
    if values is None:
        values = flags.FlagValues()
        define_flags(kinds, values)
    fields = fields_of(*kinds)
    try:
        rest = values(argv)[1:]
    except (flags.Error, ValueError) as error:
        raise InputError(_told(error)) from None
    arguments = [n for n, each in fields.items() if each.metadata["argument"]]
    stray = " ".join(rest[len(arguments) :])
    if stray:
        raise InputError(f"arguments must be --flags; received {stray!r}")
    found: dict[str, Any] = dict(zip(arguments, rest, strict=False))
    for name, each in fields.items():
        if name not in arguments and values[name].present:
            found[name] = _value(each, values[name].value)
    for name, (long, value) in SHORT.items():
        if long in fields and values[name].value:
            rule = f"{long} must be {value} with --{name}, or be left out"
            require(found.get(long, value) == value, rule, found.get(long))
            found[long] = value
    check_values(fields, found)
    return found


def _told(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"a flagfile must be UTF-8; received {error.object[:40]!r}"
    return str(error).removeprefix("ERROR:: ")


def _value(each: Field, text: Any) -> Any:
    """What a flag's text (of a repeated one, texts) means."""
    kind, _ = kind_of(each)
    if each.metadata["repeated"]:
        return tuple(text)
    try:
        value: Any = _PARSERS[kind].parse(text)
    except ValueError:
        return text  # to be refused by the kind that it should have
    return tuple(value) if kind is tuple else value
