"""Where each record lies: shard, offset, length and checksum, as arrays."""

import array
import dataclasses
import hashlib
import io
import re
import zlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError

# A TFRecord frame: length (8 bytes), its checksum (4), data, checksum (4).
FRAME_HEAD = 12
FRAME_TAIL = 4


@dataclasses.dataclass(frozen=True)
class RecordIndex:
    """Places of N records; record i is row i of each array.

    Attributes:
      shard: int32 [N], number of the file.
      offset: int64 [N], first byte of the record's data in that file.
      length: int32 [N], bytes of data.
      crc: uint32 [N], zlib.crc32 of the data.
    """

    shard: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    crc: np.ndarray

    def __len__(self) -> int:
        return len(self.offset)

    def take(self, numbers: np.ndarray) -> "RecordIndex":
        """The index of the given records, in the given order."""
        return RecordIndex(
            *(getattr(self, f.name)[numbers] for f in dataclasses.fields(self))
        )

    def shard_sizes(self, num_shards: int) -> tuple[np.ndarray, np.ndarray]:
        """(records, bytes) of each file: int64 [num_shards]."""
        records = np.bincount(self.shard, minlength=num_shards)
        data = np.bincount(self.shard, self.length, num_shards)
        frames = records * (FRAME_HEAD + FRAME_TAIL)
        return records, data.astype(np.int64) + frames

    def digest(self) -> bytes:
        """A hash of what the records hold, wherever they lie."""
        content = hashlib.sha256(self.length.astype("<i4").tobytes())
        content.update(self.crc.astype("<u4").tobytes())
        return content.digest()


class IndexBuilder:
    """Collects places record by record, in the order of their numbers."""

    def __init__(self):
        # Arrays, since lists would take 3 GB for all of Wikipedia.
        self._columns = tuple(array.array(code) for code in "iqiI")
        self._ends = {}

    def add(self, shard: int, record: bytes) -> None:
        """Notes that `record` is the next one of the file `shard`."""
        start = self._ends.get(shard, 0) + FRAME_HEAD
        row = (shard, start, len(record), zlib.crc32(record))
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        self._ends[shard] = start + len(record) + FRAME_TAIL

    def build(self) -> RecordIndex:
        types = (np.int32, np.int64, np.int32, np.uint32)
        return RecordIndex(
            *(
                np.array(column, dtype)
                for column, dtype in zip(self._columns, types, strict=True)
            )
        )


def save_index(
    path: str, index: RecordIndex, token_counts: np.ndarray | None
) -> None:
    """Writes an .npz (no pickles) with the index and the token counts."""
    arrays = dataclasses.asdict(index)
    if token_counts is not None:
        arrays["token_counts"] = token_counts
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    with tf.io.gfile.GFile(path, "wb") as f:
        f.write(buffer.getvalue())


def load_index(path: str) -> tuple[RecordIndex, np.ndarray | None]:
    """Reads what `save_index` wrote.

    Raises:
      InputError: the file is missing or damaged.
    """
    try:
        with tf.io.gfile.GFile(path, "rb") as f:
            arrays = np.load(io.BytesIO(f.read()), allow_pickle=False)
        columns = [arrays[f.name] for f in dataclasses.fields(RecordIndex)]
        counts = arrays["token_counts"] if "token_counts" in arrays else None
    except Exception as e:  # zipfile, zlib and NumPy each raise their own
        raise InputError(
            f"The index of the records cannot be read: {path} "
            f"({type(e).__name__}). Build the records again."
        ) from None
    return RecordIndex(*columns), counts


def natural_order(paths: Sequence[str]) -> list[str]:
    """Sorts names so that -2-of-10 comes before -10-of-10."""
    return sorted(
        paths,
        key=lambda path: [
            (0, int(part), "") if part.isdigit() else (1, 0, part)
            for part in re.split(r"(\d+)", path)
        ],
    )
