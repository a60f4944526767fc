"""One pre-training example as the authors' TFRecords hold it.

`input_ids`, `input_mask`, `segment_ids`: int64 [max_seq_length] each, in a
`tf.train.Example` (google-research/electra, build_pretraining_dataset.py).
"""

from collections.abc import Sequence

import tensorflow as tf

FEATURES = ("input_ids", "input_mask", "segment_ids")


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
        self._heads = {}  # by the number of bytes of the encoded ids
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
