"""Models as SavedModels; here, what their signatures take and refuse."""

import dataclasses

import tensorflow as tf

from electra_tf.modeling.embeddings import Embeddings

NAMES = ("input_ids", "input_mask", "segment_ids")
IDS = tuple(tf.TensorSpec([None, None], tf.int64, name) for name in NAMES)

Ids = tuple[tf.Tensor, tf.Tensor, tf.Tensor]
Function = tf.types.experimental.GenericFunction


def text_spec(name: str = "text") -> tf.TensorSpec:
    """A batch of texts."""
    return tf.TensorSpec([None], tf.string, name)


@dataclasses.dataclass(frozen=True)
class IdRules:
    """What ids must be.

    Without these checks an id outside the vocabulary fails somewhere in the
    model on CPU and reads zeros on GPU, a segment beyond the table reads
    zeros, and a mask of one row is taken for all rows.

    Attributes:
      vocab_size: ids lie below it.
      num_segments: segment ids lie below it.
      max_length: L is at most that.
    """

    vocab_size: int
    num_segments: int
    max_length: int

    @classmethod
    def of(cls, tables: Embeddings) -> "IdRules":
        return cls(
            tables.vocab_size,
            tables.type_vocab_size,
            tables.max_position_embeddings,
        )

    def checked(
        self,
        input_ids: tf.Tensor,
        input_mask: tf.Tensor,
        segment_ids: tf.Tensor,
    ) -> Ids:
        """int64 [B, L] each -> the same as int32.

        Running it raises tf.errors.InvalidArgumentError where a rule is
        broken, with the rule and what was received.
        """
        values = dict(
            zip(NAMES, (input_ids, input_mask, segment_ids), strict=True)
        )
        checks = [
            _same_shape(name, values[name], input_ids) for name in NAMES[1:]
        ]
        with tf.control_dependencies(checks):
            values = {name: tf.identity(x) for name, x in values.items()}
        below = (self.vocab_size, 2, self.num_segments)
        checks = [
            _in_range(name, x, bound)
            for (name, x), bound in zip(values.items(), below, strict=True)
        ]
        checks.append(self._fits(input_ids))
        with tf.control_dependencies(checks):
            return tuple(tf.cast(x, tf.int32) for x in values.values())

    def _fits(self, input_ids):
        length = tf.shape(input_ids)[1]
        return tf.debugging.Assert(
            (length >= 1) & (length <= self.max_length),
            [
                f"rows must have between 1 and {self.max_length} ids; received",
                length,
            ],
        )


class Unchecked(IdRules):
    """Of formats that have no assertions: what ids are is the caller's care."""

    def checked(self, input_ids, input_mask, segment_ids) -> Ids:
        ids = (input_ids, input_mask, segment_ids)
        return tuple(tf.cast(x, tf.int32) for x in ids)


def _same_shape(name, x, input_ids):
    found, expected = tf.shape(x), tf.shape(input_ids)
    return tf.debugging.Assert(
        tf.reduce_all(found == expected),
        [f"{name} must be shaped as input_ids,", expected, "but is", found],
    )


def _in_range(name, x, bound):
    outside = tf.boolean_mask(x, (x < 0) | (x >= bound))
    return tf.debugging.Assert(
        tf.equal(tf.size(outside), 0),
        [f"{name} must lie between 0 and {bound - 1}; received", outside],
    )
