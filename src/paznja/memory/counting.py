"""Counting what follows every context in the books.

Contexts are dealt into partitions by their hashes, and each partition is sorted in the processor's cache, which is faster than a hash table
in memory. A table holds entries (context, token, count) ordered by the context's hash, so everything that followed a context lies
together. An entry takes at most eight bytes: one 32-bit key of the hash's lower bits and the token, and two counts of a byte each, on a
scale that is exact below 128: in all the books, and in the part of them that is set aside to learn how far to trust the memory.

Shapes: n tokens, E entries, K kinds of contexts, V tokens in the vocabulary.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from paznja.memory.contexts import Lettering, hash_contexts, roll_orders
from paznja.memory.kinds import FIRST_WORD_KIND, KINDS

PARTITION_BITS = 11
"""How many of the hash's highest bits choose the partition; with this many, a partition fits into the processor's cache."""

_CHUNK = 1 << 15
_EXACT = 128
_GROWTH = 1.1


def _values() -> NDArray[np.float32]:
    exact = np.arange(_EXACT, dtype=np.float64)
    return np.concatenate((exact, _EXACT * _GROWTH ** np.arange(256 - _EXACT))).astype(np.float32)


COUNTS = _values()
"""The count that each of the 256 codes stands for: the code itself below 128, then steps of a tenth, up to twenty million."""


@dataclass(frozen=True)
class Table:
    """What followed every context of one kind."""

    keys: NDArray[np.uint32]
    """(E,): the bits of the context's hash below those of its partition, then the token; ascending within a partition."""
    counts: NDArray[np.uint8]
    """(E,): the code of the count."""
    set_aside: NDArray[np.uint8]
    """(E,): the code of the count in the part that is set aside."""
    partition_starts: NDArray[np.int64]
    """(2^PARTITION_BITS + 1,): where each partition's entries begin."""
    discounts: NDArray[np.float32]
    """(4,): how much is taken off counts of 0, 1, 2, and 3 or more, in favour of unseen tokens (Chen and Goodman, 1998)."""


def token_bits(vocabulary: int) -> int:
    """How many bits of a key hold the token."""
    return max(1, int(vocabulary - 1).bit_length())


def count(
    ids: NDArray[np.uint16], set_aside: NDArray[np.int64], lettering: Lettering, least: NDArray[np.int64], threads: int
) -> list[Table]:
    """A table for every kind in `KINDS`.

    `set_aside`: (S, 2), the stretches of `ids` that are also counted separately, ascending. `least`: (K,), how often a context must occur
    to be kept. `threads`: the number of tables that are counted at once.
    """
    bits = token_bits(len(lettering.is_letter))
    edges = np.ascontiguousarray(set_aside, np.int64).reshape(-1)

    def table(k: int) -> Table:
        kinds = np.array([KINDS[k]], np.int64)
        keys, starts = _partition(ids, edges, kinds, lettering.is_letter, lettering.folded, bits)
        num_seen = np.zeros(5, np.int64)
        num = _sort_and_count(keys, starts, bits, int(least[k]), num_seen, *(codes := _codes(len(keys))))
        return Table(keys[:num].copy(), codes[0][:num].copy(), codes[1][:num].copy(), starts, _discounts(num_seen))

    with ThreadPoolExecutor(max(1, threads)) as workers:
        return list(workers.map(table, range(len(KINDS))))


def _codes(n: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return np.empty(n, np.uint8), np.empty(n, np.uint8)


def _discounts(num_seen: NDArray[np.int64]) -> NDArray[np.float32]:
    """The discounts, from how many entries (5,) were seen once, twice, three and four times."""
    n1, n2, n3, n4 = (float(x) + 1.0 for x in num_seen[1:])
    y = n1 / (n1 + 2 * n2)
    raw = [0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    return np.array([0.0, *(min(max(raw[i], 0.3), i - 0.1) for i in (1, 2, 3))], np.float32)


@njit(cache=True, nogil=True)
def _partition(ids, edges, kinds, is_letter, folded, bits):
    """The keys in their partitions, each with a last bit that says whether it is set aside; and where the partitions begin."""
    n = len(ids)
    num_partitions = 1 << PARTITION_BITS
    starts = np.zeros(num_partitions + 1, np.int64)
    hashes = np.empty((_CHUNK, 1), np.uint64)
    shift = np.uint64(64 - PARTITION_BITS)
    for chunk in range(0, n, _CHUNK):
        stop = min(n, chunk + _CHUNK)
        _hash_chunk(ids, chunk, stop, kinds, is_letter, folded, hashes)
        for i in range(stop - chunk):
            h = hashes[i, 0]
            if h != 0:
                starts[(h >> shift) + np.uint64(1)] += 1
    for i in range(num_partitions):
        starts[i + 1] += starts[i]
    next_in = starts.copy()
    keys = np.empty(starts[num_partitions], np.uint32)
    low = np.uint64(64 - PARTITION_BITS - (31 - bits))
    mask = np.uint64((1 << (31 - bits)) - 1)
    edge = 0
    for chunk in range(0, n, _CHUNK):
        stop = min(n, chunk + _CHUNK)
        _hash_chunk(ids, chunk, stop, kinds, is_letter, folded, hashes)
        for i in range(stop - chunk):
            t = chunk + i
            while edge < len(edges) and edges[edge] <= t:
                edge += 1
            h = hashes[i, 0]
            if h != 0:
                b = h >> shift
                key = (((h >> low) & mask) << np.uint64(bits)) | np.uint64(ids[t])
                keys[next_in[b]] = np.uint32((key << np.uint64(1)) | np.uint64(edge & 1))
                next_in[b] += 1
    return keys, starts


@njit(cache=True, nogil=True)
def _hash_chunk(ids, start, stop, kinds, is_letter, folded, out):
    """`hash_contexts` for one kind; orders are rolled from one position to the next."""
    if kinds[0] < FIRST_WORD_KIND:
        roll_orders(ids, start, stop, kinds[0], out)
    else:
        hash_contexts(ids, 0, start, stop, kinds, is_letter, folded, out)


@njit(cache=True, nogil=True)
def _sort(a, spare, histogram):
    """Sort uint32 in place: a radix sort in three passes of 11 bits, within the processor's cache."""
    n = len(a)
    for digit in range(3):
        shift = np.uint32(11 * digit)
        histogram[:] = 0
        for i in range(n):
            histogram[(a[i] >> shift) & np.uint32(2047)] += 1
        total = 0
        for i in range(2048):
            here = histogram[i]
            histogram[i] = total
            total += here
        for i in range(n):
            d = (a[i] >> shift) & np.uint32(2047)
            spare[histogram[d]] = a[i]
            histogram[d] += 1
        a, spare = spare, a
    for i in range(n):
        spare[i] = a[i]


@njit(cache=True, nogil=True, inline="always")
def _code(x):
    if x < _EXACT:
        return np.uint8(x)
    return np.uint8(min(255, _EXACT + int(np.round(np.log(x / _EXACT) / np.log(_GROWTH)))))


@njit(cache=True, nogil=True)
def _sort_and_count(keys, starts, bits, least, num_seen, counts, set_aside):
    """Sort each partition and write its distinct keys, without their last bit, to the front of `keys`, and their codes beside them.

    Changes `starts` to the partitions' new places, and counts in `num_seen` how many entries were seen 1, 2, 3 and 4 times.

    Returns the number of distinct keys.
    """
    num_partitions = len(starts) - 1
    longest = 0
    for b in range(num_partitions):
        longest = max(longest, starts[b + 1] - starts[b])
    work, spare = np.empty(longest, np.uint32), np.empty(longest, np.uint32)
    histogram = np.empty(2048, np.int32)
    token_shift = np.uint32(bits)
    m = 0
    begin = 0
    for b in range(num_partitions):
        end = starts[b + 1]
        n = end - begin
        a = work[:n]
        a[:] = keys[begin:end]
        if n > 1:
            _sort(a, spare[:n], histogram)
        begin = end
        starts[b] = m
        i = 0
        while i < n:
            context = a[i] >> np.uint32(1) >> token_shift
            stop = i
            while stop < n and a[stop] >> np.uint32(1) >> token_shift == context:
                stop += 1
            keep = stop - i >= least
            while i < stop:
                key = a[i] >> np.uint32(1)
                total, apart = 0, 0
                while i < stop and a[i] >> np.uint32(1) == key:
                    total += 1
                    apart += a[i] & np.uint32(1)
                    i += 1
                if total < 5:
                    num_seen[total] += 1
                if keep:
                    keys[m] = key
                    counts[m] = _code(total)
                    set_aside[m] = _code(apart)
                    m += 1
    starts[num_partitions] = m
    return m
