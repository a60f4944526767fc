"""Which documents are kept for evaluation: known from their numbers."""

import numpy as np

HEAD = 100
_MIN_DOCUMENTS = 3


class HeldOut:
    """Chooses held-out documents by (seed, number), before they are read.

    Each document has a number in [0, 1) drawn from (seed, its number), and is
    held out if that lies below the fraction. Among the first hundred, or all
    if there are fewer, the lowest ones are taken instead: as many as the
    fraction says, but at least three (of 30 documents or more), or one in
    ten (of fewer), or one (of two or more). So a small corpus has a held-out
    part too.

    Args:
      seed: of the build.
      fraction: in [0, 1); 0 holds out nothing.
      head: how many documents there are, or HEAD if there are more.
    """

    def __init__(self, seed: int, fraction: float, head: int):
        self._seed = seed
        self._fraction = fraction
        self._head = head
        count = 0
        if fraction > 0 and head > 1:
            count = max(
                1, round(fraction * head), min(_MIN_DOCUMENTS, head // 10)
            )
        draws = [self._draw(number) for number in range(head)]
        self._first = set(np.argsort(draws, kind="stable")[:count].tolist())

    def __call__(self, number: int) -> bool:
        """Whether the document of that number is held out."""
        if number < self._head:
            return number in self._first
        return self._draw(number) < self._fraction

    def _draw(self, number: int) -> float:
        # Apart from the stream that builds the document's examples.
        key = np.random.SeedSequence((self._seed % 2**64, number, 1))
        return int(key.generate_state(1, np.uint64)[0]) * 2.0**-64
