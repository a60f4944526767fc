"""A shuffled order that needs no memory: place in the epoch -> record number.

A Feistel network permutes the numbers below the next power of two; a result
that is not below n is put through again until it is ("cycle walking": Black
and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002), which leaves a
permutation of range(n). Any worker can ask for any slice of any epoch.
"""

import numpy as np

_ROUNDS = 8
# Networks on fewer bits have too few states to look random; walking down
# from 64 numbers to two or three costs little.
_MIN_BITS = 6


def permute(positions: np.ndarray, n: int, seed: int, epoch: int) -> np.ndarray:
    """Record numbers at the given places of one epoch's order.

    Args:
      positions: integers in [0, n), any shape.
      n: number of records, at least 1.
      seed: any integer; only its lowest 64 bits count.
      epoch: number of the epoch, from 0.

    Returns:
      int64, the shape of `positions`. Over all positions every number of
      range(n) comes exactly once; the order is a pure function of
      (n, seed, epoch).
    """
    if n < 1:
        raise ValueError(f"n must be at least 1. Received: {n}")
    flat = np.asarray(positions, np.int64).reshape(-1)
    if flat.size and not 0 <= flat.min() <= flat.max() < n:
        raise ValueError(f"positions must be in [0, {n}).")
    bits = max(_MIN_BITS, (n - 1).bit_length())
    keys = np.random.SeedSequence((seed % 2**64, epoch)).generate_state(
        _ROUNDS, np.uint64
    )
    values = _feistel(flat.astype(np.uint64), bits, keys)
    outside = np.flatnonzero(values >= n)
    while outside.size:
        walked = _feistel(values[outside], bits, keys)
        values[outside] = walked
        outside = outside[walked >= n]
    return values.astype(np.int64).reshape(np.shape(positions))


def _feistel(values: np.ndarray, bits: int, keys: np.ndarray) -> np.ndarray:
    """One pass of the network: a permutation of range(2**bits), uint64."""
    low_bits = np.uint64(bits // 2)
    low_mask = np.uint64((1 << (bits // 2)) - 1)
    high_mask = np.uint64((1 << (bits - bits // 2)) - 1)
    high, low = values >> low_bits, values & low_mask
    # The halves may differ by a bit: change them in turn, never swap them.
    for i, key in enumerate(keys):
        if i % 2 == 0:
            high = high ^ (_mix(low ^ key) & high_mask)
        else:
            low = low ^ (_mix(high ^ key) & low_mask)
    return (high << low_bits) | low


def _mix(x: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele et al., 2014); wraps modulo 2**64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
