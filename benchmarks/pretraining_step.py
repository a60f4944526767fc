"""What the engines of benchmarks/pretraining.py share: shapes and timing.

One engine and one shape a process, so that the delay to the first step and the
peak of memory are the engine's own. All take the same work: a joint ELECTRA
step with dropout 0.1, k = 15 % masked slots, AdamW and a clip of 1.0.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from turns import peak_gigabytes

BEGUN = time.perf_counter()
VOCAB, MASK_ID, FIRST_WORD, CLIP, RATE = 30522, 103, 1000, 1.0, 1e-4
# hidden, embedding, blocks, heads, generator's hidden, heads
SIZES = {
    "small": (256, 128, 12, 4, 64, 1),
    "base": (768, 768, 12, 12, 256, 4),
}


def shape_of(text: str) -> tuple[str, int, int]:
    """small,16,128: size, batch B, length L."""
    size, batch, length = text.split(",")
    return size, int(batch), int(length)


def slots_of(length: int) -> int:
    """k, as the masked slots of a row without padding."""
    return round(0.15 * length)


def ids_of(batch: int, length: int) -> np.ndarray:
    """Rows without padding; int64 [B, L]."""
    rng = np.random.default_rng(0)
    return rng.integers(FIRST_WORD, VOCAB, (batch, length), np.int64)


def timed(begun: float, build: Callable[[], Callable[[], Any]]):
    """Builds, runs the first step, and answers how many more are to run."""
    imported = time.perf_counter()
    step = build()
    step()
    first = time.perf_counter() - imported

    def respond(steps: int) -> dict[str, Any]:
        seconds = []
        for _ in range(steps):
            begin = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - begin)
        return {"seconds": seconds, "peak": peak_gigabytes()}

    return {"import": imported - begun, "first": first}, respond
