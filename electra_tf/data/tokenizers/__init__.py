"""Texts to model inputs, inside the graph: tokenizers, and rows of ids.

TF Text's own trimmer is missing from TensorFlow Serving's images, so the cut
is made on ragged tensors, with plain TensorFlow ops.
"""

import dataclasses

import tensorflow as tf

from electra_tf.data.tokenizers.kinds import (
    DEFAULT_KIND,
    KINDS,
    kind_of_file,
    register,
)
from electra_tf.data.tokenizers.sentencepiece import SentencePieceTokenizer
from electra_tf.data.tokenizers.tokenizer import SETTINGS_NAME, Tokenizer
from electra_tf.data.tokenizers.word_splitter import check_is_split
from electra_tf.data.tokenizers.wordpiece import WordPieceTokenizer

__all__ = [
    "DEFAULT_KIND",
    "KINDS",
    "SETTINGS_NAME",
    "PackedSegments",
    "PackedTexts",
    "SentencePieceTokenizer",
    "Tokenizer",
    "WordPieceTokenizer",
    "kind_of_file",
    "pack_segments",
    "pack_texts",
    "pack_words",
    "register",
]


@dataclasses.dataclass(frozen=True)
class PackedTexts:
    """Texts as `[CLS] tokens [SEP]`, padded to the longest of the batch.

    Attributes:
      input_ids, input_mask, segment_ids: int32 [B, L].
      starts, ends: int32 [B, L - 2], bytes of the original text each token
        came from; 0 in padding.
      num_tokens: int32 [B], tokens without [CLS] and [SEP].
      truncated: bool [B], whether the text was cut.
    """

    input_ids: tf.Tensor
    input_mask: tf.Tensor
    segment_ids: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    num_tokens: tf.Tensor
    truncated: tf.Tensor


def pack_texts(
    tokenizer: Tokenizer, texts: tf.Tensor, max_seq_length: int
) -> PackedTexts:
    """Tokenises single texts and cuts them to `max_seq_length`.

    Args:
      tokenizer: the model's.
      texts: string [B].
      max_seq_length: with [CLS] and [SEP]; at most the position table.

    Raises:
      InputError: see `check_is_split`; not inside of a graph.
    """
    if tf.executing_eagerly():
        check_is_split(tokenizer, tf.constant(texts).numpy())
    ids, starts, ends = tokenizer.tokenize_with_offsets(texts)
    room = max_seq_length - 2
    truncated = ids.row_lengths() > room
    ids, starts, ends = ids[:, :room], starts[:, :room], ends[:, :room]
    edge = tf.ones([ids.nrows(), 1], ids.dtype)
    whole = tf.concat(
        [edge * tokenizer.cls_id, ids, edge * tokenizer.sep_id], axis=1
    )
    # Of no texts, too, the first place is there to be read.
    length = tf.maximum(tf.reduce_max(whole.row_lengths()), 2)
    shape = tf.stack([whole.nrows(), length])
    padded = whole.to_tensor(tokenizer.pad_id, shape=shape)
    input_ids = tf.cast(padded, tf.int32)
    mask = tf.sequence_mask(
        whole.row_lengths(), tf.shape(input_ids)[1], dtype=tf.int32
    )
    return PackedTexts(
        input_ids=input_ids,
        input_mask=mask,
        segment_ids=tf.zeros_like(input_ids),
        starts=tf.cast(starts.to_tensor(), tf.int32),
        ends=tf.cast(ends.to_tensor(), tf.int32),
        num_tokens=tf.cast(ids.row_lengths(), tf.int32),
        truncated=truncated,
    )


@dataclasses.dataclass(frozen=True)
class PackedSegments:
    """One or two segments: `[CLS] first [SEP]`, then `second [SEP]`.

    Attributes:
      input_ids, input_mask, segment_ids: int32 [B, L].
      truncated: bool [B], whether tokens were cut off.
    """

    input_ids: tf.Tensor
    input_mask: tf.Tensor
    segment_ids: tf.Tensor
    truncated: tf.Tensor

    def features(self) -> dict[str, tf.Tensor]:
        """What a model takes, by the records' names."""
        return {
            "input_ids": self.input_ids,
            "input_mask": self.input_mask,
            "segment_ids": self.segment_ids,
        }

    def trimmed(self) -> dict[str, tf.Tensor]:
        """`features` up to the longest row, L at least 2."""
        longest = tf.reduce_max(tf.reduce_sum(self.input_mask, 1))
        longest = tf.maximum(longest, 2)
        return {name: x[:, :longest] for name, x in self.features().items()}


def pack_segments(
    tokenizer: Tokenizer,
    first: tf.RaggedTensor,
    second: tf.RaggedTensor | None,
    max_seq_length: int,
) -> PackedSegments:
    """Joins token ids to rows of exactly `max_seq_length`.

    Of a pair that is too long, the longer segment gives first, token by token
    from its end, as BERT's `_truncate_seq_pair` does.

    Args:
      tokenizer: gives the special ids.
      first: int32 [B, (tokens)].
      second: int32 [B, (tokens)], or None for single texts.
      max_seq_length: L, with [CLS] and [SEP].
    """
    rows, a = first.nrows(), first.row_lengths()
    edge = tf.ones([rows, 1], first.dtype)
    cls, sep = edge * tokenizer.cls_id, edge * tokenizer.sep_id
    if second is None:
        room = max_seq_length - 2
        truncated = a > room
        parts = [cls, first[:, :room], sep]
        num_first = num_tokens = tf.minimum(a, room) + 2
    else:
        room, b = max_seq_length - 3, second.row_lengths()
        truncated = a + b > room
        keep_a = tf.minimum(a, tf.maximum(room - b, (room + 1) // 2))
        keep_b = tf.minimum(b, tf.maximum(room - a, room // 2))
        first, second = _heads(first, keep_a), _heads(second, keep_b)
        parts = [cls, first, sep, second, sep]
        num_first, num_tokens = keep_a + 2, keep_a + keep_b + 3
    ids = tf.concat(parts, axis=1)
    ids = ids.to_tensor(tokenizer.pad_id, shape=[None, max_seq_length])
    mask = tf.sequence_mask(num_tokens, max_seq_length, tf.int32)
    return PackedSegments(
        input_ids=tf.cast(ids, tf.int32),
        input_mask=mask,
        segment_ids=mask
        - tf.sequence_mask(num_first, max_seq_length, tf.int32),
        truncated=truncated,
    )


def pack_words(
    tokenizer: Tokenizer, words: tf.RaggedTensor, max_seq_length: int
) -> tuple[PackedSegments, tf.RaggedTensor]:
    """Rows of words that are parted already.

    Args:
      tokenizer: the model's. A word of which it leaves nothing is [UNK].
      words: string [B, (words)].
      max_seq_length: L, with [CLS] and [SEP].

    Returns:
      the rows, and the place of each word's first piece, int64 [B, (words)];
      from L - 1 on words are cut off.
    """
    pieces = tokenizer.tokenize(words.values)  # [W, (pieces)]
    is_lost = tf.cast(pieces.row_lengths() == 0, tf.int64)  # [W]
    unknown = tf.fill([tf.reduce_sum(is_lost)], tokenizer.unk_id)
    lost = tf.RaggedTensor.from_row_lengths(unknown, is_lost)
    pieces = tf.concat([pieces, lost], axis=1)
    ids = words.with_values(pieces).merge_dims(1, 2)  # [B, (pieces)]
    row_begin = tf.gather(ids.row_starts(), words.value_rowids())
    places = 1 + pieces.row_starts() - row_begin
    packed = pack_segments(tokenizer, ids, None, max_seq_length)
    return packed, words.with_values(places)


def _heads(ragged: tf.RaggedTensor, lengths: tf.Tensor) -> tf.RaggedTensor:
    """The first `lengths[i]` values of row i."""
    places = tf.ragged.range(ragged.row_lengths()).values
    keep = places < tf.repeat(lengths, ragged.row_lengths())
    return tf.RaggedTensor.from_row_lengths(
        tf.boolean_mask(ragged.values, keep), lengths
    )
