"""Texts to model inputs inside the graph, with plain TensorFlow ops.

TF Text's own trimmer is missing from TensorFlow Serving's images, so the cut
is made on ragged tensors.
"""

import dataclasses

import tensorflow as tf

from electra_tf.data.tokenizer import Tokenizer


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
    """
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
