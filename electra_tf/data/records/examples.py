"""Documents -> examples, by the rule of the authors' builder.

Source: `ExampleBuilder` in google-research/electra,
build_pretraining_dataset.py. Two departures. Randomness is drawn for each
document from (seed, number of the document), so that documents can be built
anywhere in any order; the first example of a document draws its target like
any other, where the authors' first one takes over that of the document
before. And long lines may be split rather than cut: see `ExampleBuilder`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

SINGLE_SEGMENT_PROBABILITY = 0.1
SHORT_TARGET_PROBABILITY = 0.05
MIN_TARGET = 5
# [CLS] first [SEP], and second [SEP]
_SPECIALS_SINGLE, _SPECIALS_PAIR = 2, 3
# How much of an example may stay empty rather than tear a sentence apart.
_MAX_EMPTY = 1 / 8

Line = Sequence[Sequence[int]]  # the sentences of a line, as token ids
Draw = Callable[[], float]


class Example(NamedTuple):
    """One or two segments of token ids, without [CLS] and [SEP]."""

    first: list[int]
    second: list[int]


class DocumentDraws:
    """Uniform numbers in [0, 1): a pure function of seed and document.

    Philox's raw output is fixed for good, unlike that of NumPy's Generator.
    """

    def __init__(self, seed: int, document: int):
        key = np.array([seed % 2**64, document], np.uint64)
        self._bits = np.random.Philox(key=key)

    def __call__(self) -> float:
        return (int(self._bits.random_raw()) >> 11) * 2.0**-53


class ExampleBuilder:
    """Makes examples of at most `max_seq_length` tokens from documents.

    An example has a target length: `max_seq_length`, or with probability
    0.05 a uniform number from 5 to that. With probability 0.1 it is to have
    one segment, else the first segment's target is half of what fits.

    With `split_long_lines=False`, the authors' rule: lines gather until they
    reach the target, or the document ends; what is over is cut off.

    With `split_long_lines=True` nothing is cut off. Lines gather while they
    fit whole. The first line that does not fit is taken sentence by
    sentence; the sentence that does not fit starts the next example, if at
    most an eighth of this one stays empty and an empty one would hold it;
    else it is split at the last word boundary that fits, and goes on in the
    next example. Tokens are lost only from a word longer than an example.

    Args:
      cls_id: id of [CLS].
      sep_id: id of [SEP].
      max_seq_length: with [CLS] and [SEP], at least 5.
      split_long_lines: see above.
      starts_word: bool [V], false for ids that go on with a word ("##ing");
        None means that every token is a word.
    """

    def __init__(
        self,
        cls_id: int,
        sep_id: int,
        max_seq_length: int,
        split_long_lines: bool = True,
        starts_word: Sequence[bool] | None = None,
    ):
        if max_seq_length < MIN_TARGET:
            raise ValueError(
                f"max_seq_length must be at least {MIN_TARGET}; received "
                f"{max_seq_length}"
            )
        self._cls, self._sep = cls_id, sep_id
        self._max = max_seq_length
        self._split = split_long_lines
        self._starts_word = starts_word

    def build(self, document: Sequence[Line], draw: Draw) -> Iterator[Example]:
        """The examples of one document, in order.

        Args:
          document: lines, each a sequence of sentences of token ids. Where
            lines are not split, how they are divided does not matter.
          draw: gives uniform numbers in [0, 1), as `DocumentDraws`.
        """
        return (self._split_lines if self._split else self._whole_lines)(
            document, draw
        )

    def layout(self, example: Example) -> tuple[list[int], int, int]:
        """(ids with [CLS] and [SEP], how many of segment 0, of segment 1)."""
        ids = [self._cls, *example.first, self._sep]
        first_length = len(ids)
        if example.second:
            ids += example.second
            ids.append(self._sep)
        return ids, first_length, len(ids) - first_length

    def _whole_lines(
        self, document: Sequence[Line], draw: Draw
    ) -> Iterator[Example]:
        gathered: list[Sequence[int]] = []
        length = 0
        # Differs from TF1: a document draws its first target itself.
        target, single = self._plan(draw)
        for sentences in document:
            line = _join(sentences)
            gathered.append(line)
            length += len(line)
            if length >= target:
                yield self._divide(gathered, target, single, draw)
                gathered, length = [], 0
                target, single = self._plan(draw)
        if length:
            yield self._divide(gathered, target, single, draw)

    def _split_lines(
        self, document: Sequence[Line], draw: Draw
    ) -> Iterator[Example]:
        gathered: list[Sequence[int]] = []
        target, single = self._plan(draw)
        room = capacity = _capacity(target, single)
        for line in document:
            whole = sum(map(len, line)) <= room
            for part in [_join(line)] if whole else line:
                start = 0
                while len(part) - start > room:
                    end, later = self._tear(part, start, room, capacity)
                    if end > start:
                        gathered.append(part[start:end])
                    yield self._divide(gathered, target, single, draw)
                    gathered = []
                    target, single = self._plan(draw)
                    room = capacity = _capacity(target, single)
                    start = later
                if start < len(part):
                    gathered.append(part[start:])
                    room -= len(part) - start
        if gathered:
            yield self._divide(gathered, target, single, draw)

    def _tear(
        self, part: Sequence[int], start: int, room: int, capacity: int
    ) -> tuple[int, int]:
        """Splits part[start:], which is longer than `room`.

        Returns:
          (end of what goes into this example, start of what comes after).
        """
        longest = self._max - _SPECIALS_PAIR
        remains = len(part) - start
        if room <= capacity * _MAX_EMPTY and remains <= longest:
            return start, start
        cut = start + room
        while cut > start and not self._is_word_start(part[cut]):
            cut -= 1
        if cut > start or room < capacity:
            return cut, cut
        # A single word longer than the (perhaps short) target.
        end = start + 1
        while end < len(part) and not self._is_word_start(part[end]):
            end += 1
        return min(end, start + longest), end

    def _is_word_start(self, token: int) -> bool:
        return self._starts_word is None or self._starts_word[token]

    def _plan(self, draw: Draw) -> tuple[int, bool]:
        """Draws (target length, whether to have a single segment)."""
        target = self._max
        if draw() < SHORT_TARGET_PROBABILITY:
            choices = self._max - MIN_TARGET + 1
            target = MIN_TARGET + int(draw() * choices)
        return target, draw() < SINGLE_SEGMENT_PROBABILITY

    def _divide(
        self, parts: list[Sequence[int]], target: int, single: bool, draw: Draw
    ) -> Example:
        """Gives each part to a segment, then cuts both to what fits."""
        first_target = (target - _SPECIALS_PAIR) // 2
        first: list[int] = []
        second: list[int] = []
        for part in parts:
            if (
                single
                or not first
                or len(first) + len(part) < first_target
                or (not second and len(first) < first_target and draw() < 0.5)
            ):
                first += part
            else:
                second += part
        first = first[: self._max - _SPECIALS_SINGLE]
        room = max(0, self._max - len(first) - _SPECIALS_PAIR)
        return Example(first, second[:room])


def _capacity(target: int, single: bool) -> int:
    return target - (_SPECIALS_SINGLE if single else _SPECIALS_PAIR)


def _join(line: Line) -> list[int]:
    return [token for sentence in line for token in sentence]
