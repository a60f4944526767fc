"""Records as bytes: one example, and where each of many lies.

An example is `input_ids`, `input_mask`, `segment_ids`, int64 [max_seq_length]
each, in a `tf.train.Example`, as the authors' TFRecords hold it
(google-research/electra, build_pretraining_dataset.py).
"""

import array
import dataclasses
import hashlib
import io
import zlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError

FEATURES = ("input_ids", "input_mask", "segment_ids")
# A TFRecord frame: length (8 bytes), its checksum (4), data, checksum (4).
FRAME_HEAD = 12
FRAME_TAIL = 4


class ExampleSerializer:
    """Writes `tf.train.Example` messages, some twenty times as fast as it.

    Token ids are looked up in a table of encoded numbers, which is all there
    is to the format (Protocol Buffers, "Encoding").

    Args:
      vocab_size: ids must lie below it.
      max_seq_length: length of each feature.
    """

    def __init__(self, vocab_size: int, max_seq_length: int):
        self._varints = [_varint(i) for i in range(max(vocab_size, 2))]
        self._length = max_seq_length
        # By the number of bytes of the encoded ids.
        self._heads: dict[int, bytes] = {}
        self._mask_head, self._segments_head = (
            _feature(name, max_seq_length) for name in FEATURES[1:]
        )

    def __call__(
        self, ids: Sequence[int], first_length: int, second_length: int
    ) -> bytes:
        """Serialises one example, padded with zeros.

        Args:
          ids: the tokens with [CLS] and [SEP], at most max_seq_length.
          first_length: how many of them are of segment 0.
          second_length: how many of segment 1.
        """
        used = first_length + second_length
        padding = bytes(self._length - used)
        encoded = b"".join(map(self._varints.__getitem__, ids)) + padding
        head = self._heads.get(len(encoded))
        if head is None:
            head = self._heads[len(encoded)] = self._head(len(encoded))
        return b"".join(
            (
                head,
                encoded,
                self._mask_head,
                b"\x01" * used,
                padding,
                self._segments_head,
                bytes(first_length),
                b"\x01" * second_length,
                padding,
            )
        )

    def _head(self, size: int) -> bytes:
        """What comes before the ids: Example.features (1), the first entry."""
        ids_head = _feature(FEATURES[0], size)
        rest = len(self._mask_head) + len(self._segments_head)
        rest += 2 * self._length
        return _tag(1, len(ids_head) + size + rest) + ids_head


def _feature(name: str, size: int) -> bytes:
    """What comes before `size` bytes of packed numbers.

    Features.feature (1) is a map entry of a key (1) and a value (2), which is
    a Feature; its int64_list (3) holds packed values (1).
    """
    head = _tag(1, size)
    for number in (3, 2):
        head = _tag(number, len(head) + size) + head
    head = _tag(1, len(name)) + name.encode() + head
    return _tag(1, len(head) + size) + head


def _tag(number: int, size: int) -> bytes:
    """Begins a length-delimited field (wire type 2)."""
    return bytes([number << 3 | 2]) + _varint(size)


def _varint(value: int) -> bytes:
    low = bytearray()
    while value > 0x7F:
        low.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(low) + bytes([value])


def parse_examples(
    serialized: tf.Tensor, max_seq_length: int
) -> dict[str, tf.Tensor]:
    """Parses string [B] into {feature: int32 [B, max_seq_length]}."""
    feature = tf.io.FixedLenFeature([max_seq_length], tf.int64)
    parsed = tf.io.parse_example(serialized, dict.fromkeys(FEATURES, feature))
    return {name: tf.cast(parsed[name], tf.int32) for name in FEATURES}


def parse_ragged(serialized: tf.Tensor) -> dict[str, tf.RaggedTensor]:
    """As `parse_examples`, of whatever length; absent features are empty."""
    feature = tf.io.RaggedFeature(tf.int64)
    return tf.io.parse_example(serialized, dict.fromkeys(FEATURES, feature))


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
            "the records' index must be what the builder wrote; received "
            f"{path!r}, which cannot be read ({type(e).__name__}): build the "
            "records again"
        ) from None
    return RecordIndex(*columns), counts
