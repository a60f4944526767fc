"""Random access to the bytes of many files."""

import collections
import os
import threading
from collections.abc import Sequence

import tensorflow as tf

_MAX_OPEN = 128


class ShardReader:
    """Reads byte ranges; keeps the files used last open. Thread-safe.

    Args:
      paths: the files, local or of any file system that TensorFlow knows.
    """

    def __init__(self, paths: Sequence[str]):
        self.paths = tuple(paths)
        self._open = collections.OrderedDict()
        self._lock = threading.Lock()

    def read(self, shard: int, offset: int, length: int) -> bytes:
        """The range of one file; shorter if the file ends before."""
        with self._lock:
            file = self._open.pop(shard, None)
            if file is None:
                file = _open(self.paths[shard])
            self._open[shard] = file
            if len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)[1].close()
            return file.read_at(offset, length)

    def close(self) -> None:
        """Closes the files; a later read opens them again."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


class _LocalFile:
    def __init__(self, path: str):
        self._file = open(path, "rb", buffering=0)

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        self._file.close()


class _RemoteFile:
    def __init__(self, path: str):
        self._file = tf.io.gfile.GFile(path, "rb")

    def read_at(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(length)

    def close(self) -> None:
        self._file.close()


def _open(path: str) -> _LocalFile | _RemoteFile:
    # GFile costs ten times as much a read, which matters on local files only.
    return _RemoteFile(path) if "://" in path else _LocalFile(path)
