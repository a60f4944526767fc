"""ELECTRA for TensorFlow and Keras 3.

The public names, and where they come from, stand in `__init__.pyi`, which
editors and type checkers read. Each is imported when it is first asked for,
so that a command's `--help` or a mistyped flag does not wait for TensorFlow.

Keras knows a stored class only once it is registered. So that `import
electra_tf` is enough for `keras.models.load_model`, Keras is promised every
class that a file may hold; a promise is imported when it is called upon.
"""

import ast
import importlib
import importlib.abc
import importlib.util
import pathlib
import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType
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


# Classes that files hold besides the public ones -> where they stand.
_STORED = {
    "CopyingLM": "electra_tf.modeling.networks",
    "Dense": "electra_tf.modeling.lora",
    "Dropout": "electra_tf.modeling.layers",
    "HuggingFaceHead": "electra_tf.finetune.models.text_heads",
    "JointSpanHead": "electra_tf.finetune.models.span_heads",
    "Lamb": "electra_tf.training.lamb",
    "LayerNorm": "electra_tf.modeling.layers",
    "LayerwiseAdamW": "electra_tf.finetune.models.optimizer",
    "LossScaledAdamW": "electra_tf.training.optimizers",
    "LossScaledLamb": "electra_tf.training.optimizers",
    "PlainSpanHead": "electra_tf.finetune.models.span_heads",
    "SelectionHead": "electra_tf.modeling.heads",
    "Selector": "electra_tf.modeling.networks",
    "Sinusoid": "electra_tf.modeling.layers",
    "TwoTowerCloze": "electra_tf.modeling.two_tower",
    "WarmupCosineDecay": "electra_tf.training.schedules",
    "WarmupPolynomialDecay": "electra_tf.training.schedules",
    "WarmupStableDecay": "electra_tf.training.schedules",
}


class _Promise:
    """In Keras' registry, until the class itself is imported and takes over."""

    def __init__(self, module: str, name: str):
        self._module, self._name = module, name

    def from_config(self, config: Mapping[str, Any]) -> Any:
        """What the class makes of a stored configuration."""
        stored = getattr(importlib.import_module(self._module), self._name)
        return stored.from_config(config)


def _promise_classes(keras: ModuleType) -> None:
    registry = keras.saving.get_custom_objects()
    for name, module in (_MODULES | _STORED).items():
        registry.setdefault(f"electra_tf>{name}", _Promise(module, name))


class _KerasIsImported(importlib.abc.MetaPathFinder):
    """Calls `_promise_classes` when somebody has imported Keras."""

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> ModuleSpec | None:
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_promise(module: ModuleType) -> None:
                execute(module)
                _promise_classes(module)

            spec.loader.exec_module = execute_and_promise  # type: ignore
        return spec


if "keras" in sys.modules:
    _promise_classes(sys.modules["keras"])
else:
    sys.meta_path.insert(0, _KerasIsImported())


# Rooms whose modules import Keras, by themselves or with TensorFlow Text.
_ON_KERAS = (
    "data demo embedding finetune modeling pretrained pretraining scoring "
    "serving training weights"
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
