"""A network as a SavedModel runs it: in length buckets, from stored weights."""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from electra_tf.data.tokenizers import Tokenizer
from electra_tf.data.tokenizers.word_splitter import without_splitter
from electra_tf.modeling.embeddings import Embeddings
from electra_tf.serving import IdRules, Unchecked

# Upper ends; what is longer forms the last bucket.
BUCKETS = (32, 64, 128, 256)
_ROWS = tf.TensorSpec([None, None], tf.int32)


class StoredWeights:
    """float32 as they are, or float16 matrices that are cast when read.

    Computing is in float32 in any case. Vectors stay in float32: they are
    small, and scales and biases matter most.

    Args:
      dtype: of the matrices, "float32" or "float16".
    """

    def __init__(self, dtype: str = "float32"):
        self._dtype = dtype
        # Of each variable once, whichever networks share it.
        self._cast: dict[int, tf.Variable] = {}

    def stored(self, variables: Sequence[keras.Variable]) -> list[tf.Variable]:
        """What a module must track for these; nothing of it is Keras'."""
        for v in variables:
            if self._is_cast(v) and id(v) not in self._cast:
                self._cast[id(v)] = tf.Variable(
                    tf.cast(v.value, self._dtype), trainable=False, name=v.name
                )
        return [self._cast.get(id(v), v.value) for v in variables]

    def scope(
        self, variables: Sequence[keras.Variable]
    ) -> contextlib.AbstractContextManager:
        """Where layers read the stored values of these variables."""
        cast = [
            (v, tf.cast(self._cast[id(v)], v.dtype))
            for v in variables
            if self._is_cast(v)
        ]
        if not cast:
            return contextlib.nullcontext()
        return keras.StatelessScope(state_mapping=cast)

    def _is_cast(self, variable: keras.Variable) -> bool:
        is_float = variable.dtype.startswith("float")
        differs = variable.dtype != self._dtype
        return is_float and differs and len(variable.shape) > 1


class Forward:
    """A network whose short rows do not pay for the long ones of a batch.

    In a graph, rows of similar length go through the network together, cut to
    their bucket's end, so that the work grows with the tokens, not with the
    longest row times the rows. The network is traced once, whichever
    signatures call it. Called eagerly it is the plain network on the whole
    batch: what exports are compared with.

    Args:
      network: (input_ids, input_mask, segment_ids), and whatever else, int32
        [B, L] each -> a (nested) structure of tensors. Their first axis is
        the batch; each other axis of no fixed size is the length.
      variables: all that the network reads.
      weights: how they are stored; shared by the networks of an export.
      buckets: their upper ends, rising; what is longer forms one more. ():
        the batch stays together.
      num_inputs: how many the network takes.

    Attributes:
      buckets: as given; may be changed before the first graph.
      saved: what the module must track.
    """

    def __init__(
        self,
        network: Callable[..., Any],
        variables: Sequence[keras.Variable],
        weights: StoredWeights,
        buckets: tuple[int, ...] = BUCKETS,
        num_inputs: int = 3,
    ):
        self._network = network
        self.buckets = buckets
        self._variables = variables
        self._weights = weights
        self.saved = weights.stored(variables)
        self._traced = tf.function(
            self._from_stored, [_ROWS] * num_inputs, autograph=False
        )

    def __call__(self, *inputs: tf.Tensor) -> Any:
        """int32 [B, L] each; outputs are 0 beyond a row's bucket."""
        if tf.executing_eagerly():
            return self._network(*inputs)
        forward = self._traced.get_concrete_function()
        if not self.buckets:
            return forward(*inputs)
        return self._in_buckets(forward, *inputs)

    def _from_stored(self, *inputs):
        with self._weights.scope(self._variables):
            return self._network(*inputs)

    def _in_buckets(self, forward, *inputs):
        rows, length = tf.unstack(tf.shape(inputs[0]))
        bucket = tf.searchsorted(self.buckets, row_lengths(inputs[1]))  # [B]
        used = tf.unique(bucket).y
        bounds = tf.constant([*self.buckets, tf.int32.max])
        outputs = tf.nest.map_structure(
            lambda spec: tf.zeros(_shape(spec, rows, length), spec.dtype),
            forward.structured_outputs,
        )

        def run(i, outputs):
            members = tf.where(bucket == used[i])  # [b, 1]
            cut = tf.minimum(bounds[used[i]], length)
            part = forward(
                *(tf.gather(x, members[:, 0])[:, :cut] for x in inputs)
            )
            part = tf.nest.map_structure(
                lambda x: _padded(x, length - cut), part
            )
            outputs = tf.nest.map_structure(
                lambda whole, x: tf.tensor_scatter_nd_update(whole, members, x),
                outputs,
                part,
            )
            return i + 1, outputs

        return tf.while_loop(lambda i, _: i < tf.size(used), run, (0, outputs))[
            1
        ]


class ServedNetwork(tf.Module):
    """A network, its tokenizer and its variables, as a SavedModel holds them.

    Args:
      network, variables, weights, buckets, num_inputs: see `Forward`. The
        network is a method: the layer itself would be saved along.
      tables: say which ids the network takes.
      tokenizer: the model's; its splitter, which is Python, stays behind, so
        that texts must come split.

    Attributes:
      max_length: the most ids of a row.
      forward: the network.
      weights: what it reads.
    """

    def __init__(
        self,
        network: Callable[..., Any],
        variables: Sequence[keras.Variable],
        tables: Embeddings,
        tokenizer: Tokenizer,
        weights: StoredWeights,
        buckets: tuple[int, ...] = BUCKETS,
        num_inputs: int = 3,
    ):
        super().__init__()
        self.tokenizer = without_splitter(tokenizer)
        self.rules = IdRules.of(tables)
        self.max_length = self.rules.max_length
        self.forward = Forward(network, variables, weights, buckets, num_inputs)
        self.weights = self.forward.saved

    def leave_out_checks(self) -> None:
        """For formats without assertions and loops: ids must be right, and a
        batch stays together."""
        self.rules = Unchecked(**dataclasses.asdict(self.rules))
        self.forward.buckets = ()

    def of_ids(self, *ids: tf.Tensor) -> Any:
        """The network's outputs; int64 [B, L] each, whatever a caller sent."""
        return self.forward(*self.rules.checked(*ids))


def row_lengths(input_mask: tf.Tensor) -> tf.Tensor:
    """Places up to the last 1 of each row: [B, L] -> int32 [B].

    L for a row of zeros: nothing of it may be cut, as its scores are spread
    over all places.
    """
    length = tf.shape(input_mask)[1]
    places = tf.range(1, length + 1) * tf.cast(input_mask != 0, tf.int32)
    ends = tf.reduce_max(places, 1)
    return tf.where(ends > 0, ends, length)


def _shape(spec: tf.TensorSpec, rows, length) -> list:
    return [rows, *(length if n is None else n for n in spec.shape[1:])]


def _padded(x: tf.Tensor, missing: tf.Tensor) -> tf.Tensor:
    """Zeros behind each axis that is the length."""
    sizes = x.shape[1:]
    behind = [0, *(missing if n is None else 0 for n in sizes)]
    return tf.pad(x, [[0, n] for n in behind])
