"""Arrays in a .npz without pickles, one in memory at a time."""

import contextlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.files import replacing
from electra_tf.weights.record import LazyArrays


class _Unseekable(io.RawIOBase):
    """A file that zipfile does not go back in, as remote ones cannot."""

    def __init__(self, file: tf.io.gfile.GFile):
        super().__init__()
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._file.write(bytes(content))
        return len(content)


def write_npz(
    path: str, arrays: Mapping[str, Mapping[str, np.ndarray]], dtype: str
) -> None:
    """As `np.savez_compressed`, with one array in memory at a time.

    Args:
      path: of the file.
      arrays: name -> what holds it under that name.
      dtype: of the file.
    """
    with (
        replacing(path) as temporary,
        tf.io.gfile.GFile(temporary, "wb") as file,
        zipfile.ZipFile(_Unseekable(file), "w", zipfile.ZIP_DEFLATED) as parts,
    ):
        for name, holder in arrays.items():
            with parts.open(f"{name}.npy", "w", force_zip64=True) as part:
                array = np.asarray(holder[name], dtype, order="C")
                np.lib.format.write_array(part, array)


def read_npz(path: str) -> LazyArrays:
    """Arrays of a file, each read when it is asked for, as float32.

    Raises:
      InputError: it is damaged; reading an array raises it, too.
    """

    @contextlib.contextmanager
    def naming_damage() -> Iterator[None]:
        try:
            yield
        except Exception as error:  # zipfile, zlib and NumPy raise their own
            raise InputError(
                f"cannot read weights from {path!r} "
                f"({type(error).__name__}: {error})"
            ) from None

    def read(name: str) -> np.ndarray:
        with naming_damage():
            return arrays[name].astype(np.float32)

    with naming_damage():
        file = tf.io.gfile.GFile(path, "rb")  # open while arrays are read
        arrays = np.load(file, allow_pickle=False)
        return LazyArrays(arrays.files, read)
