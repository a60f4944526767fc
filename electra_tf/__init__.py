"""ELECTRA for TensorFlow and Keras 3.

The public names, and where they come from, stand in `__init__.pyi`, which
editors and type checkers read. Each is imported when it is first asked for,
so that a command's `--help` or a mistyped flag does not wait for TensorFlow.
"""

import ast
import importlib
import importlib.abc
import pathlib
import sys
from typing import Any

__version__ = "0.1.0"


def _modules_of_names() -> dict[str, str]:
    """Name -> the module that it is imported from, as the stub says."""
    stub = pathlib.Path(__file__).with_name("__init__.pyi")
    return {
        alias.name: str(node.module)
        for node in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


_MODULES = _modules_of_names()
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'electra_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__


# Rooms whose modules import Keras, by themselves or with TensorFlow Text.
_ON_KERAS = (
    "data demo finetune modeling pretrained pretraining scoring serving "
    "training weights"
).split()


class _PartIsImported(importlib.abc.MetaPathFinder):
    """Sees to it, before a part imports Keras, that it is the right one."""

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> None:
        package, _, part = name.partition(".")
        if package == __name__ and part in _ON_KERAS:
            importlib.import_module("electra_tf.errors").check_keras()


sys.meta_path.insert(0, _PartIsImported())
