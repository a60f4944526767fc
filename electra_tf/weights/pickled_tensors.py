"""Pickles of PyTorch's tensors, read without PyTorch and without their code.

A pickle is a program, which may import and call anything. Here it may build
texts, numbers, tuples, lists and dictionaries, and call what stands for
PyTorch's rebuilding of tensors, which does nothing but note its arguments.
Whatever else it asks for is refused by name.
"""

import pickle
import pickletools
from collections.abc import Callable, Iterable
from typing import IO, Any, NamedTuple

import ml_dtypes
import numpy as np

from electra_tf.errors import InputError, require

_DTYPES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}

# What PyTorch writes (protocol 2) for texts, numbers, tuples, lists and
# dictionaries, and for GLOBAL, REDUCE and BINPERSID, which are checked below.
_OPCODES = """
PROTO STOP MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT
BINUNICODE BINSTRING SHORT_BINSTRING EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3
EMPTY_LIST APPEND APPENDS EMPTY_DICT BINGET LONG_BINGET BINPUT LONG_BINPUT
GLOBAL REDUCE BINPERSID
""".split()


class Storage(NamedTuple):
    """Values in a row: `size` of them, found under `key`."""

    key: str
    dtype: np.dtype
    size: int


class Tensor(NamedTuple):
    """A view of a storage; offset, shape and strides are those it claims."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any
) -> Tensor:
    # What follows: whether it has a gradient, hooks, and marks of operations
    # not yet done (a conjugate, a minus sign), which would change the values.
    is_sound = (
        isinstance(storage, Storage)
        and isinstance(shape, tuple)
        and isinstance(strides, tuple)
        and len(shape) == len(strides)
        and all(type(n) is int and n >= 0 for n in (offset, *shape, *strides))
        and not any(rest[2:])
    )
    require(
        is_sound,
        "a tensor must be a plain view of a storage, with an offset, a shape "
        "and strides",
        type(storage).__name__,
    )
    return Tensor(storage, offset, shape, strides)


def _parameter(tensor: Any, *rest: Any) -> Any:
    return tensor


def _dictionary(pairs: Iterable[Any] = ()) -> dict[str, Any]:
    found = {}
    for name, value in pairs:
        require(
            isinstance(name, str),
            "names in a pickle of weights must be texts",
            type(name).__name__,
        )
        found[name] = value
    return found


_FUNCTIONS = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "collections.OrderedDict": _dictionary,
}


class _Dispatch(dict[int, Callable[[Any], None]]):
    def __missing__(self, code: int) -> Callable[[Any], None]:
        names = [o.name for o in pickletools.opcodes if o.code == chr(code)]
        raise InputError(
            "a pickle of weights must have none but PyTorch's operations; "
            f"received {names[0] if names else hex(code)}"
        )


class _Unpickler(pickle._Unpickler):
    """Builds dictionaries of `Tensor`.

    It is the one in Python, whose operations are a table and whose memo is a
    dictionary: the one in C takes memory for whatever place a pickle names,
    and reads beyond the end of the first of several pickles.
    """

    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    dispatch = _Dispatch(
        (code[0], pickle._Unpickler.dispatch[code[0]])
        for code in (getattr(pickle, name) for name in _OPCODES)
    )

    def find_class(self, module: str, name: str) -> Any:
        whole = f"{module}.{name}"
        if module == "torch" and name in _DTYPES:
            return np.dtype(_DTYPES[name])
        require(
            whole in _FUNCTIONS,
            "a pickle of weights must call nothing but the rebuilding of "
            "tensors",
            whole,
        )
        return _FUNCTIONS[whole]

    def persistent_load(self, pid: Any) -> Storage:
        match pid:
            # A sixth entry was for views of storages, never written any more.
            case (
                "storage",
                np.dtype() as dtype,
                str() as key,
                _,
                int() as size,
                *view,
            ) if size >= 0 and not any(view):
                return Storage(key, dtype, size)
            case (str() as received, *_):
                pass
            case _:
                received = type(pid).__name__
        raise InputError(
            "a pickle of weights must refer to nothing but storages; received "
            f"{received!r}"
        )

    def _set_item(self) -> None:
        value, name = self.stack.pop(), self.stack.pop()
        self.stack[-1].update(_dictionary([(name, value)]))

    def _set_items(self) -> None:
        items = self.pop_mark()
        pairs = zip(items[::2], items[1::2], strict=True)
        self.stack[-1].update(_dictionary(pairs))

    def _forget_state(self) -> None:
        self.stack.pop()  # versions of modules, set on a dictionary

    dispatch[pickle.SETITEM[0]] = _set_item
    dispatch[pickle.SETITEMS[0]] = _set_items
    dispatch[pickle.BUILD[0]] = _forget_state


def load_pickle(file: IO[bytes]) -> Any:
    """What the pickle at the file's position builds; stops after its end.

    Raises:
      InputError: it asks for anything but tensors; a damaged one raises
        whatever `pickle` does.
    """
    return _Unpickler(file, encoding="utf-8").load()


def load_tensors(file: IO[bytes]) -> dict[str, Tensor]:
    """As `load_pickle`; InputError for all but a dictionary of tensors."""
    found = load_pickle(file)
    require(
        isinstance(found, dict),
        "a pickle of weights must be a dictionary of tensors",
        type(found).__name__,
    )
    for name, value in found.items():
        require(
            isinstance(value, Tensor),
            f"{name!r} in a pickle of weights must be a tensor",
            type(value).__name__,
        )
    return found
