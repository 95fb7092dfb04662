"""The learned memory's table in compiled loops: rows found, summed and moved, each in one pass over memory. Needs numba.

Tests check that they do the same as the plain PyTorch in `ngram_memory.py` and `training/optimizers.py`, which is used without numba and on
other devices. Here an iteration's share of the table takes less than half the time.

Shapes: B windows, T positions, N = B * T, O orders (2..N-grams), P pieces of a vector, L = O * P look-ups of a position, R rows,
W width of a row, C = P * W width of the network.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from paznja.model.ngrams import FACTOR, PRIME, STEP


@njit(cache=True, nogil=True)
def find_rows(ids_BT, orders, pieces, num_rows, rows_NL):
    """Write the rows of every position, as `ngrams.rows_of_ngrams` finds them; a window counts as the beginning of a text."""
    B, T = ids_BT.shape
    for b in range(B):
        for t in range(T):
            n = b * T + t
            key = ids_BT[b, t] + 1
            for order in range(orders):
                place = t - order - 1
                code = ids_BT[b, place] + 1 if place >= 0 else 0
                key = (key * FACTOR + code) % PRIME
                hashed = key
                for piece in range(pieces):
                    hashed = hashed * STEP % PRIME
                    rows_NL[n, order * pieces + piece] = hashed % num_rows


@njit(cache=True, nogil=True, fastmath={"contract"})
def sum_rows(table_RW, rows_NL, pieces, sums_NC):
    """Write the sum over the orders of the rows that were found, laid end to end."""
    N, L = rows_NL.shape
    W = table_RW.shape[1]
    for n in range(N):
        for piece in range(pieces):
            start = piece * W
            row = rows_NL[n, piece]
            for w in range(W):
                sums_NC[n, start + w] = table_RW[row, w]
            for look_up in range(piece + pieces, L, pieces):
                row = rows_NL[n, look_up]
                for w in range(W):
                    sums_NC[n, start + w] += table_RW[row, w]


@njit(cache=True, nogil=True, fastmath={"contract"})
def add_gradients(rows_NL, gradient_NC, pieces, first, last, place_of_R, rows_U, sums_UW, found):
    """Add the gradients of these positions to the sums of the rows first..last-1; returns how many rows have a sum.

    `found` is how many had one before. `place_of_R` says where the sum of each row is, and is -1 for all others.
    """
    N, L = rows_NL.shape
    W = sums_UW.shape[1]
    for n in range(N):
        for look_up in range(L):
            row = rows_NL[n, look_up]
            if row < first or row >= last:
                continue
            start = look_up % pieces * W
            place = place_of_R[row]
            if place < 0:
                place_of_R[row] = found
                rows_U[found] = row
                for w in range(W):
                    sums_UW[found, w] = gradient_NC[n, start + w]
                found += 1
            else:
                for w in range(W):
                    sums_UW[place, w] += gradient_NC[n, start + w]
    return found


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def move_rows(table_RW, squares_R, rows_U, sums_UW, found, learning_rate, epsilon, place_of_R):
    """Move the rows that have a sum against it, as `RowAdagrad` does, and make `place_of_R` -1 again."""
    W = table_RW.shape[1]
    for u in range(found):
        row = rows_U[u]
        place_of_R[row] = -1
        total = sums_UW[u, 0] * sums_UW[u, 0]
        for w in range(1, W):
            total += sums_UW[u, w] * sums_UW[u, w]
        squares_R[row] += total / table_RW.dtype.type(W)
        scale = table_RW.dtype.type(learning_rate) / np.sqrt(squares_R[row] + table_RW.dtype.type(epsilon))
        for w in range(W):
            table_RW[row, w] -= scale * sums_UW[u, w]
