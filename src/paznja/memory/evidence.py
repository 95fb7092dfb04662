"""What the memory says of the next token: for each kind of context, how much likelier it makes each token that it has seen.

The kinds refine each other: P_k(v) = (c_k(v) - D) / n_k + g_k P_{k-1}(v), the interpolated absolute discounting of Kneser and
Ney (1995). So log P_k - log P_{k-1} is log(1 + (c_k(v) - D) / (n_k g_k P_{k-1}(v))) for a token that was seen, plus a term that is the
same for all tokens. Only the former is kept. A network that weighs each of these differences separately can trust or distrust every
kind at every position. With all weights at one, their sum is log P of the last kind, up to a constant.

Shapes: N positions, K kinds (counted, then recalled), V tokens, M entries in all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from paznja.memory.contexts import hash_contexts
from paznja.memory.counting import BUCKET_BITS
from paznja.memory.kinds import FEATURES

BUCKETS_PER_SHARE = 8
"""How many buckets there are for the counts of a context, within each quarter of the most likely token's share."""

ROOM = 192
"""How many entries fit for each position, averaged over a row; what no longer fits is left out."""

_RECALLED_AT_MOST = 32
_RECALLED_DISCOUNT = 0.5
_RECALLED_DECAY = 0.95


@dataclass(frozen=True)
class Evidence:
    """What the memory says of N positions."""

    starts: NDArray[np.int32]
    """(N, K + 1): where each kind's entries begin in `tokens` and `gains`; the last is where they end."""
    tokens: NDArray[np.uint16]
    """(M,): the tokens that the entries are about."""
    gains: NDArray[np.float32]
    """(M,): log P_k - log P_{k-1} of the token, in nats, without the term that all tokens share."""
    features: NDArray[np.float32]
    """(N, K * FEATURES): how sure each kind can be; see `FEATURES`."""
    buckets: NDArray[np.uint8]
    """(N, K): the same, roughly, as a number below `BUCKETS`."""
    prior: NDArray[np.float32]
    """(N, V): the square root of P of the last kind."""

    @classmethod
    def empty(cls, positions: int, kinds: int, vocabulary: int) -> Evidence:
        """Space for this many positions."""
        return cls(
            np.zeros((positions, kinds + 1), np.int32),
            np.empty(positions * ROOM, np.uint16),
            np.empty(positions * ROOM, np.float32),
            np.zeros((positions, kinds * FEATURES), np.float32),
            np.zeros((positions, kinds), np.uint8),
            np.zeros((positions, vocabulary), np.float32),
        )


@njit(cache=True, nogil=True)
def gather(
    ids, links, first, start, stop, row, kinds, recalled, is_letter, folded, bits, keys, counts, apart, use_apart, values, discounts,
    least, slots, slot_offsets, slot_bits, base, starts, tokens, gains, features, buckets, prior,
):  # fmt: skip
    """Write the evidence for the positions start..stop-1 of a text that begins at `first`, from position `row` of the evidence on."""
    K, R, V = len(kinds), len(recalled), len(base)
    hashes = np.empty((stop - start, K), np.uint64)
    hash_contexts(ids, first, start, stop, kinds, is_letter, folded, hashes)
    p_V = np.empty(V, np.float64)
    seen_V = np.zeros(V, np.float64)
    begins_K, ends_K, checks_K = np.empty(K, np.int64), np.empty(K, np.int64), np.empty(K, np.uint32)
    m = row * ROOM
    room = (row + stop - start) * ROOM
    check_bits = 31 - bits
    low = np.uint64(64 - BUCKET_BITS - check_bits)
    mask = np.uint64((1 << check_bits) - 1)
    token_mask = np.uint32((1 << bits) - 1)
    for t in range(start, stop):
        p = row + t - start
        # The tables are far larger than the cache: all kinds' look-ups are started before any is waited for.
        for k in range(K):
            h = hashes[t - start, k]
            slot = slot_offsets[k] + np.int64(h >> np.uint64(64 - slot_bits[k]))
            checks_K[k] = np.uint32((h >> low) & mask)
            begins_K[k] = slots[slot]
            ends_K[k] = 0 if h == 0 else slots[slot + 1]
        for k in range(K):
            i, end = begins_K[k], ends_K[k]
            while i < end and keys[i] >> bits < checks_K[k]:
                i += 1
            begins_K[k] = i
        p_V[:] = base
        scale = 1.0
        for k in range(K):
            starts[p, k] = m
            i, end, check = begins_K[k], ends_K[k], checks_K[k]
            stop_at = i
            total, taken, top, different = 0.0, 0.0, 0.0, 0
            while stop_at < end and keys[stop_at] >> bits == check:
                c = values[counts[stop_at]]
                if use_apart:
                    c -= values[apart[stop_at]]
                if c > 0:
                    total += c
                    taken += discounts[k, min(3, int(c))]
                    top = max(top, c)
                    different += 1
                stop_at += 1
            if different == 0 or total < least[k] or m + different > room:
                continue
            scale *= max(taken / total, 1e-4)
            share_of_one = 1.0 / (total * scale)
            for e in range(i, stop_at):
                c = values[counts[e]]
                if use_apart:
                    c -= values[apart[e]]
                if c > 0:
                    v = keys[e] & token_mask
                    part = (c - discounts[k, min(3, int(c))]) * share_of_one
                    tokens[m] = v
                    gains[m] = np.log(np.float32(1.0 + part / p_V[v]))
                    p_V[v] += part
                    m += 1
            share = top / total
            features[p, 4 * k] = 1.0
            features[p, 4 * k + 1] = 0.3 * np.log(total)
            features[p, 4 * k + 2] = share
            features[p, 4 * k + 3] = 0.3 * np.log(different)
            buckets[p, k] = 1 + BUCKETS_PER_SHARE * min(3, int(4 * share)) + min(7, int(np.log2(max(total, 1.0))))
        for r in range(R):
            k = K + r
            starts[p, k] = m
            x = links[r, t]
            if x < first or m + _RECALLED_AT_MOST > room:
                continue
            begin, found, total, weight = m, 0, 0.0, 1.0
            while x >= first and found < _RECALLED_AT_MOST:
                v = ids[x]
                if seen_V[v] == 0:
                    tokens[m] = v
                    m += 1
                seen_V[v] += weight
                total += weight
                weight *= _RECALLED_DECAY
                found += 1
                x = links[r, x]
            taken, top = 0.0, 0.0
            for e in range(begin, m):
                c = seen_V[tokens[e]]
                taken += min(c, _RECALLED_DISCOUNT)
                top = max(top, c)
            scale *= taken / total
            for e in range(begin, m):
                v = tokens[e]
                part = max(seen_V[v] - _RECALLED_DISCOUNT, 1e-6) / (total * scale)
                gains[e] = np.log(np.float32(1.0 + part / p_V[v]))
                p_V[v] += part
                seen_V[v] = 0
            share = top / total
            features[p, 4 * k] = 1.0
            features[p, 4 * k + 1] = 0.3 * np.log(total)
            features[p, 4 * k + 2] = share
            features[p, 4 * k + 3] = 0.1 * np.log(t - links[r, t])
            buckets[p, k] = 1 + BUCKETS_PER_SHARE * min(3, int(4 * share)) + min(7, found - 1)
        starts[p, K + R] = m
        for v in range(V):
            prior[p, v] = np.sqrt(scale * p_V[v])


@njit(cache=True, nogil=True)
def add_weighed(starts, tokens, gains, weights, logits):
    """Add the gains, each times its kind's weight, to `logits` (N, V)."""
    N, K = weights.shape
    for p in range(N):
        for k in range(K):
            w = weights[p, k]
            for e in range(starts[p, k], starts[p, k + 1]):
                logits[p, tokens[e]] += w * gains[e]


@njit(cache=True, nogil=True)
def weights_gradient(starts, tokens, gains, gradient, out):
    """The gradient of `add_weighed` for its weights: out[N, K] = the sum of `gradient` (N, V) times the gains of each kind."""
    N, K = out.shape
    for p in range(N):
        for k in range(K):
            total = np.float32(0)
            for e in range(starts[p, k], starts[p, k + 1]):
                total += gradient[p, tokens[e]] * gains[e]
            out[p, k] = total
