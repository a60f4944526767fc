"""Which kinds of tokenizers there are, and which one a file is of."""

from collections.abc import Mapping
from typing import Any, TypeVar

from electra_tf.config.pretraining import WORD_SPLITTERS
from electra_tf.errors import InputError, require

DEFAULT_KIND = "wordpiece"
# Name -> a subclass of Tokenizer.
KINDS: dict[str, type[Any]] = {}
_Class = TypeVar("_Class", bound=type[Any])


def register(cls: _Class) -> _Class:
    """Lets `from_file`, `from_folder` and the like know a kind."""
    if cls.kind in KINDS:
        raise InputError(f"a tokenizer's kind must be new; received {cls.kind}")
    KINDS[cls.kind] = cls
    return cls


def kind_of_file(path: str) -> type[Any]:
    """The kind of a vocabulary's file, by its name; else the default one."""
    kinds = (kind for kind in KINDS.values() if kind.is_file(path))
    return next(kinds, KINDS[DEFAULT_KIND])


def kind_of_settings(settings: Mapping[str, Any], source: str) -> type[Any]:
    """The kind that settings name.

    Raises:
      InputError: it is not known.
    """
    if (kind := settings.get("kind")) not in KINDS:
        raise InputError(
            f"tokenizer's kind must be one of {', '.join(KINDS)} (or of a "
            f"plugin, by --plugin=MODULE); received {kind!r} in {source!r}"
        )
    return KINDS[kind]


def check_kind(name: str, path: str, kind: str, source: str) -> None:
    """Refuses a vocabulary's file of another kind.

    Args:
      name: of the option that gave `path`.
      kind: of the tokenizer of `source`.
    """
    found = kind_of_file(path).kind
    rule = f"{name} must be of the kind {kind}, as the vocabulary of {source}"
    require(found == kind, rule, f"{path}, of the kind {found}")


def known_options(kind: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those that a kind has. Of a splitter it must not be silent."""
    splitter = given.get("word_splitter", WORD_SPLITTERS[0])
    fits = "word_splitter" in kind.OPTIONS or splitter == WORD_SPLITTERS[0]
    rule = f"word_splitter must be none with a vocabulary of {kind.kind}"
    require(fits, rule, splitter)
    return {n: value for n, value in given.items() if n in kind.OPTIONS}
