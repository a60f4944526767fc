"""Randomness as a pure function of (seed, step, name, place in the batch).

Philox is a counter-based generator: block number c of the stream of a key is
computed without the blocks before it. The key is the seed; the counter's high
word holds the step and the consumer's name, its low word the place, so that
a row of the global batch gets the same numbers on whichever replica, process
or micro-batch it stands, and after whichever restart.
"""

import contextlib
import dataclasses
import threading
import zlib
from collections.abc import Iterator, Mapping

import tensorflow as tf

# Differs from TF1: its streams are stateful and end with the process.
_PHILOX = 1
_WORDS_PER_BLOCK = 4  # a Philox block is 128 bits
_active = threading.local()


@dataclasses.dataclass(frozen=True)
class Noise:
    """The random numbers of one training step.

    Attributes:
      seed: the run's seed, a Python int or an int64 scalar.
      step: int64 scalar, below 2**31.
      first_row: int64 scalar, place of the local batch's first row in the
        global batch.
      name: distinguishes uses of one layer within a step.
    """

    seed: int | tf.Tensor
    step: int | tf.Tensor = 0
    first_row: int | tf.Tensor = 0
    name: str = ""

    def fork(self, name: str) -> "Noise":
        """The noise of one part of the step, apart from all others."""
        return dataclasses.replace(self, name=f"{self.name}/{name}")

    def stream(self, name: str) -> tf.Tensor:
        """Number of the stream of one use in this step: int64 scalar."""
        number = zlib.crc32(f"{self.name}/{name}".encode())
        return tf.cast(self.step, tf.int64) * 2**32 + number

    def words(self, name: str, rows: tf.Tensor, per_row: int) -> tf.Tensor:
        """Random words for each row: uint32 [rows, per_row]."""
        blocks = -(-per_row // _WORDS_PER_BLOCK)
        place = tf.cast(self.first_row, tf.int64) * tf.cast(blocks, tf.int64)
        words = tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=tf.stack([rows * blocks * _WORDS_PER_BLOCK]),
            key=tf.bitcast(
                tf.reshape(tf.cast(self.seed, tf.int64), [1]), tf.uint64
            ),
            counter=tf.bitcast(tf.stack([place, self.stream(name)]), tf.uint64),
            alg=_PHILOX,
            dtype=tf.uint32,
        )
        words = tf.reshape(words, [rows, blocks * _WORDS_PER_BLOCK])
        return words[:, :per_row]

    def uniform(self, name: str, rows: tf.Tensor, per_row: int) -> tf.Tensor:
        """Uniform numbers in [0, 1), multiples of 2**-24: [rows, per_row]."""
        words = self.words(name, rows, per_row)
        words = tf.bitwise.right_shift(words, tf.constant(8, tf.uint32))
        return tf.cast(words, tf.float32) * 2.0**-24

    def keep(
        self, name: str, shape: tf.Tensor, per_row: int, drop: float
    ) -> tf.Tensor:
        """A dropout mask: bool of `shape`, whose rows hold `per_row` values.

        Each value spends 16 bits; the probability of False is `drop` rounded
        to a multiple of 2**-16 (0.1 becomes 0.100006).
        """
        words = self.words(name, shape[0], -(-per_row // 2))
        halves = tf.bitcast(words, tf.uint16)  # [rows, words, 2]
        halves = tf.reshape(halves, [shape[0], -1])[:, :per_row]
        limit = tf.constant(drop_limit(drop), tf.uint16)
        return tf.reshape(halves >= limit, shape)

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Layers called inside draw from this noise."""
        outer = getattr(_active, "noise", None)
        _active.noise = self
        try:
            yield
        finally:
            _active.noise = outer


@dataclasses.dataclass(frozen=True)
class ToldNoise(Noise):
    """Noise whose streams are told, so that one graph may serve several.

    Attributes:
      streams: name of the use -> number of the stream, int64 scalar.
    """

    streams: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)

    def stream(self, name):
        return self.streams[name]


def drop_limit(drop: float) -> int:
    """How many of the 2**16 values of a half-word mean False."""
    return round(drop * 2**16)


def current_noise() -> Noise:
    """The noise whose scope is open; where none is, fresh noise."""
    return getattr(_active, "noise", None) or fresh_noise()


def fresh_noise() -> Noise:
    """Noise of a seed drawn from TensorFlow's global generator.

    For layers used alone, under plain `fit` of a model that opens no scope.
    """
    limits = tf.int64.min, tf.int64.max
    return Noise(tf.random.uniform([], *limits, dtype=tf.int64))


def noise_of(network: str) -> contextlib.AbstractContextManager[None]:
    """The scope of one network: shared layers drop apart in each pass."""
    return current_noise().fork(network).scope()
