"""Fields and their rules: which values every flag of every command takes."""

import dataclasses
import inspect
import pathlib
import re
import runpy

import pytest

from electra_tf import config
from electra_tf.cli.app import Command, given_values
from electra_tf.config import Options, check_value, choices_of, field, kind_of
from electra_tf.errors import InputError

SCRIPTS = pathlib.Path(__file__).parents[2] / "scripts"


def commands() -> dict[str, Command]:
    """Every command by its script's name."""
    found = {}
    for path in sorted(SCRIPTS.glob("*.py")):
        if path.stem != "build_embedded_corpus":  # which loads TensorFlow
            names = runpy.run_path(str(path))
            if isinstance(names.get(path.stem), Command):
                found[path.stem] = names[path.stem]
    return found


COMMANDS = commands()
FLAGS = {
    (name, flag): each
    for name, command in COMMANDS.items()
    for flag, each in config.fields_of(*command.every_kind()).items()
    if not each.metadata["argument"]
}
# What no flag of numbers may take, whatever its rule: all would fail later,
# with a traceback or silently.
NEVER = ("", "nan", "inf", "-inf", "1e999", "x", "0x", "--", "1" + "0" * 50)


def refusal(name: str, flag: str, text: str) -> str | None:
    """The line that refuses a flag's text; None where it is taken."""
    try:
        given_values(COMMANDS[name].every_kind(), ["", f"--{flag}={text}"])
    except InputError as error:
        return str(error)
    return None


def test_every_command_has_flags_here():
    scripts = {path.stem for path in SCRIPTS.glob("*.py")}
    no_commands = {"build_embedded_corpus", "export_tflite", "export_weights"}
    assert set(COMMANDS) == scripts - no_commands


@pytest.mark.parametrize(("name", "flag"), FLAGS)
def test_every_flag_refuses_in_one_line_or_takes_it(name, flag):
    each = FLAGS[name, flag]
    kind, _ = kind_of(each)
    for text in (*NEVER, "1e30", "0", "-1", "0.5", "a\nb"):
        line = refusal(name, flag, text)
        if line is not None:
            assert line.startswith(f"{flag} must ")
            assert "; received " in line
            assert "\n" not in line
    never, ever = {
        bool: (("", "yes", "2"), ("true", "False", "1")),
        int: ((*NEVER, "1e30", "0.5"), ()),
        float: (NEVER, ()),
    }.get(kind, ((), ()))
    choices = choices_of(each) or ()
    assert all(refusal(name, flag, text) for text in never)
    assert not any(refusal(name, flag, text) for text in (*ever, *choices))
    assert not choices or refusal(name, flag, "no such choice")


# Texts that a rule refuses and takes, at its borders.
BORDERS = {
    config.POSITIVE: (("0", "-1"), ("1",)),
    config.NOT_NEGATIVE: (("-1",), ("0", "1")),
    config.PROBABILITY: (("-0.1", "1", "1.5"), ("0", "0.99")),
    config.INSIDE: (("0", "1", "-0.1"), ("0.01", "0.99")),
    config.FACTOR: (("0", "1.01"), ("0.01", "1")),
    config.GIVEN: (("",), ("a",)),
}


@pytest.mark.parametrize("rule", BORDERS, ids=lambda rule: rule.text)
def test_named_rules_hold_at_their_borders(rule):
    found = [k for k, each in FLAGS.items() if rule in each.metadata["rules"]]
    assert found
    refused, taken = BORDERS[rule]
    for name, flag in found:
        for text in refused:
            assert rule.text in refusal(name, flag, text)
        for text in taken:
            assert not refusal(name, flag, text)


@pytest.mark.parametrize(
    ("rule", "refused", "taken"),
    [
        (config.at_least(5), (4, -1), (5, 6)),
        (config.at_most(5), (6, 2**31), (5, -1)),
        (config.below(5), (5, 6), (4, -1)),
    ],
)
def test_bounds(rule, refused, taken):
    for value in refused:
        assert not rule.holds(value)
    for value in taken:
        assert rule.holds(value)


def test_every_default_keeps_its_own_rules_unless_it_must_be_given():
    for each in FLAGS.values():
        must_be_given = config.GIVEN in each.metadata["rules"]
        if must_be_given and not each.default:
            continue
        check_value(each, each.default)


def test_a_docstring_says_what_each_field_is():
    """Of every class of options: its fields, each once, and nothing else."""
    kinds = {
        k for c in COMMANDS.values() for k in config.groups_of(*c.every_kind())
    }
    assert len(kinds) > 20
    for kind in kinds:
        helps = config.helps_of(kind)
        assert set(helps) == set(config.fields_of(kind)), kind
        told = re.findall(r"^      (\w+): ", kind.__doc__, re.MULTILINE)
        own = [n for n in inspect.get_annotations(kind) if n in helps]
        assert told == own, kind
        assert all(helps.values()), kind


def test_helps_are_read_from_docstrings():
    assert config.helps_of(Own, TypeOptions) == {
        "number": "counted: from one, over two lines",
        "rate": "(default: the other's), ...",
        "name": "of it",
    }


@dataclasses.dataclass(frozen=True)
class Own(Options):
    """Numbers: not read.

    Attributes:
      number: counted: from one,
        over two lines.
      rate: (default: the other's), ...
    """

    number: int = field(1, config.POSITIVE)
    rate: float | None = field(None)
    word: str = field("a", choices=lambda: LETTERS)
    words: tuple[str, ...] = field(())
    text: str = field("")
    switch: bool = field(False)


@dataclasses.dataclass(frozen=True)
class TypeOptions(Own):
    """Inherits.

    Attributes:
      name: of it.
    """

    name: str = field("")


LETTERS = ["a", "b"]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"number": 0}, "number must be positive; received 0"),
        ({"number": True}, "number must be a whole number; received True"),
        ({"number": 1.0}, "number must be a whole number; received 1.0"),
        ({"number": None}, "number must be a whole number; received None"),
        ({"number": 2**32}, "below 4294967296; received 4294967296"),
        ({"rate": "1"}, "rate must be a number; received '1'"),
        (
            {"rate": float("nan")},
            "rate must be finite in float32; received nan",
        ),
        ({"rate": 1e39}, "rate must be finite in float32; received 1e+39"),
        ({"rate": 10**400}, "rate must be finite in float32; received 1"),
        ({"word": "c"}, "word must be one of a, b; received 'c'"),
        ({"text": "a\0"}, "text must not hold a NUL character; received"),
        ({"word": ["a"]}, "word must be a text; received ['a']"),
        ({"words": "ab"}, "words must be a list of texts; received 'ab'"),
        ({"words": (1,)}, "words must be a list of texts; received (1,)"),
        ({"switch": 1}, "switch must be true or false; received 1"),
    ],
)
def test_an_instance_that_breaks_a_rule_cannot_be_made(values, line):
    with pytest.raises(InputError) as caught:
        Own(**values)
    assert line in str(caught.value)


def test_values_that_are_allowed():
    made = Own(rate=2, words=("a",), switch=True)
    assert (made.rate, made.words, made.switch) == (2, ("a",), True)
    assert Own(rate=None) == Own()


def test_choices_may_grow(monkeypatch):
    with pytest.raises(InputError):
        Own(word="c")
    monkeypatch.setattr(f"{__name__}.LETTERS", ["a", "b", "c"])
    assert Own(word="c").word == "c"


def test_names_that_no_field_has():
    with pytest.raises(InputError, match="received 'wrod'"):
        config.check_values(config.fields_of(Own), {"wrod": "a"})
