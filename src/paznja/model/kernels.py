"""The network's memory-bound steps on a CPU, as loops that numba compiles: each reads and writes every number once.

`fused` uses them where numba can be imported and the tensors are large enough to make up for its import. They take numpy arrays of
float32, or of bfloat16 as uint16 (its bits), compute in float32, and write into arrays that the caller made.

Shapes: B batch, T positions, C width, H heads, D width of a head, F hidden width of the feed-forward, V vocabulary, M = B * T, N = B * H.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

_LOOSE = {"reassoc", "contract", "arcp", "nsz"}
"""What the compiler may do to float arithmetic: sum in any order. A not-a-number stays one, so that a failed training is noticed."""

_LOG2_E = np.float32(1.4426950408889634)
_LN_2_HIGH = np.float32(0.693359375)
_LN_2_LOW = np.float32(-2.12194440e-4)
_ONE, _HALF, _FAR = np.float32(1), np.float32(0.5), np.float32(87)


def _compiled(function: Callable[..., None]) -> Any:
    return njit(cache=True, nogil=True, fastmath=_LOOSE, error_model="numpy")(function)


def _wide(number):
    """The float32 of a float32 or of the bits of a bfloat16."""
    raise NotImplementedError


@overload(_wide)
def _compile_wide(number):
    if number == types.uint16:
        return lambda number: np.uint32(np.uint32(number) << np.uint32(16)).view(np.float32)
    return lambda number: number


def _put(array, i, number):
    """array[i] = number, rounded to the nearest bfloat16, ties to even, if the array has bits of bfloat16.

    The not-a-numbers that arithmetic makes have zeros in their lower halves, so they stay what they are.
    """


@overload(_put)
def _compile_put(array, i, number):
    if array.dtype == types.uint16:

        def put(array, i, number):
            bits = np.float32(number).view(np.uint32)
            rounded = np.uint32(bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))
            array[i] = np.uint16(rounded >> np.uint32(16))

        return put

    def keep(array, i, number):
        array[i] = number

    return keep


@njit(cache=True, fastmath=_LOOSE)
def _exp(x):
    """e^x in float32, to about its precision, without a branch, so that a loop over it is vectorised; x is moved to between -87 and 87.

    The polynomial is that of the Cephes library's `expf` (Stephen Moshier, 1989).
    """
    x = -_FAR if x < -_FAR else x
    x = _FAR if x > _FAR else x
    n = np.floor(x * _LOG2_E + _HALF)
    r = x - n * _LN_2_HIGH - n * _LN_2_LOW
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    return (p * r * r + r + _ONE) * power


@njit(cache=True, fastmath=_LOOSE)
def _sigmoid(x):
    return _ONE / (_ONE + _exp(-x))


@_compiled
def normalise(x_MC, epsilon, normed_MC, scale_M):
    """normed = x * scale, where scale is 1 / sqrt(mean(x^2) + epsilon) of the row."""
    C = x_MC.shape[1]
    for m in range(x_MC.shape[0]):
        x, normed = x_MC[m], normed_MC[m]
        squares = np.float32(0)
        for c in range(C):
            squares += x[c] * x[c]
        scale = _ONE / np.sqrt(squares / np.float32(C) + np.float32(epsilon))
        scale_M[m] = scale
        for c in range(C):
            _put(normed, c, x[c] * scale)


@_compiled
def normalise_backward(gradient_MC, x_MC, scale_M, result_MC):
    """The gradient of `normalise`."""
    C = x_MC.shape[1]
    for m in range(x_MC.shape[0]):
        gradient, x, scale, result = gradient_MC[m], x_MC[m], scale_M[m], result_MC[m]
        products = np.float32(0)
        for c in range(C):
            products += _wide(gradient[c]) * x[c]
        along = products * scale * scale / np.float32(C)
        for c in range(C):
            result[c] = (_wide(gradient[c]) - x[c] * along) * scale


@_compiled
def add_and_normalise(x_MC, more_MC, epsilon, sum_MC, normed_MC, scale_M):
    """sum = x + more; and `normalise` of the sum."""
    C = x_MC.shape[1]
    for m in range(x_MC.shape[0]):
        x, more, total, normed = x_MC[m], more_MC[m], sum_MC[m], normed_MC[m]
        squares = np.float32(0)
        for c in range(C):
            number = x[c] + _wide(more[c])
            total[c] = number
            squares += number * number
        scale = _ONE / np.sqrt(squares / np.float32(C) + np.float32(epsilon))
        scale_M[m] = scale
        for c in range(C):
            _put(normed, c, total[c] * scale)


@_compiled
def add_and_normalise_backward(sum_gradient_MC, gradient_MC, sum_MC, scale_M, result_MC, more_result_MC):
    """The gradient of `add_and_normalise`, the same for both terms, each in its own precision."""
    C = sum_MC.shape[1]
    for m in range(sum_MC.shape[0]):
        sum_gradient, gradient, total, scale = sum_gradient_MC[m], gradient_MC[m], sum_MC[m], scale_M[m]
        result, more_result = result_MC[m], more_result_MC[m]
        products = np.float32(0)
        for c in range(C):
            products += _wide(gradient[c]) * total[c]
        along = products * scale * scale / np.float32(C)
        for c in range(C):
            number = sum_gradient[c] + (_wide(gradient[c]) - total[c] * along) * scale
            result[c] = number
            _put(more_result, c, number)


@_compiled
def fold(matrix_OC, weight_C, result_OC):
    """Every row of the matrix times the weight."""
    for o in range(matrix_OC.shape[0]):
        row, result = matrix_OC[o], result_OC[o]
        for c in range(matrix_OC.shape[1]):
            _put(result, c, row[c] * weight_C[c])


@_compiled
def fold_backward(gradient_OC, matrix_OC, weight_C, result_OC, weight_result_C):
    """The gradient of `fold`. That of the weight is added to weight_result_C."""
    for o in range(matrix_OC.shape[0]):
        gradient, row, result = gradient_OC[o], matrix_OC[o], result_OC[o]
        for c in range(matrix_OC.shape[1]):
            number = _wide(gradient[c])
            result[c] = number * weight_C[c]
            weight_result_C[c] += number * row[c]


@_compiled
def split(qkv_BT3HD, query_norm_D, key_norm_D, cos_TD, sin_TD, epsilon, q_BHTD, k_BHTD, v_BHTD):
    """Queries and keys, each normalised, weighted and rotated, and values, with the heads before the positions."""
    B, T, _, H, D = qkv_BT3HD.shape
    half = D // 2
    for b in range(B):
        for t in range(T):
            cos, sin = cos_TD[t], sin_TD[t]
            for h in range(H):
                for part in range(2):
                    x = qkv_BT3HD[b, t, part, h]
                    weight = query_norm_D if part == 0 else key_norm_D
                    out = q_BHTD[b, h, t] if part == 0 else k_BHTD[b, h, t]
                    squares = np.float32(0)
                    for d in range(D):
                        squares += _wide(x[d]) * _wide(x[d])
                    scale = _ONE / np.sqrt(squares / np.float32(D) + np.float32(epsilon))
                    for d in range(half):
                        first = _wide(x[d]) * scale * weight[d]
                        second = _wide(x[d + half]) * scale * weight[d + half]
                        _put(out, d, first * cos[d] + second * sin[d])
                        _put(out, d + half, second * cos[d + half] + first * sin[d + half])
                value, out = qkv_BT3HD[b, t, 2, h], v_BHTD[b, h, t]
                for d in range(D):
                    out[d] = value[d]


@_compiled
def split_backward(
    q_gradient_BHTD, k_gradient_BHTD, v_gradient_BHTD, qkv_BT3HD, norms_2D, cos_TD, sin_TD, epsilon, result_BT3HD, norms_gradient_2D
):
    """The gradient of `split`. That of the queries' and keys' weights is added to norms_gradient_2D."""
    B, T, _, H, D = qkv_BT3HD.shape
    half = D // 2
    normed, turned = np.empty(D, np.float32), np.empty(D, np.float32)
    for b in range(B):
        for t in range(T):
            cos, sin = cos_TD[t], sin_TD[t]
            for h in range(H):
                for part in range(2):
                    gradient = q_gradient_BHTD[b, h, t] if part == 0 else k_gradient_BHTD[b, h, t]
                    x, result = qkv_BT3HD[b, t, part, h], result_BT3HD[b, t, part, h]
                    weight, weight_gradient = norms_2D[part], norms_gradient_2D[part]
                    squares = np.float32(0)
                    for d in range(D):
                        squares += _wide(x[d]) * _wide(x[d])
                    scale = _ONE / np.sqrt(squares / np.float32(D) + np.float32(epsilon))
                    for d in range(half):
                        # The transposed rotation: the sines come from the other half.
                        first, second = _wide(gradient[d]), _wide(gradient[d + half])
                        turned[d] = first * cos[d] + second * sin[d + half]
                        turned[d + half] = second * cos[d + half] + first * sin[d]
                    mean = np.float32(0)
                    for d in range(D):
                        normed[d] = _wide(x[d]) * scale
                        product = turned[d] * normed[d]
                        weight_gradient[d] += product
                        mean += product * weight[d]
                    mean /= np.float32(D)
                    for d in range(D):
                        _put(result, d, (turned[d] * weight[d] - normed[d] * mean) * scale)
                gradient, result = v_gradient_BHTD[b, h, t], result_BT3HD[b, t, 2, h]
                for d in range(D):
                    result[d] = gradient[d]


@_compiled
def causal_softmax(scores_NTT, factor):
    """In place: the softmax of each row's scores times `factor`, as far as its own position; zeros after it."""
    N, T, _ = scores_NTT.shape
    powers = np.empty(T, np.float32)
    for n in range(N):
        for t in range(T):
            row = scores_NTT[n, t]
            largest = np.float32(-np.inf)
            for s in range(t + 1):
                powers[s] = _wide(row[s]) * np.float32(factor)
                largest = max(largest, powers[s])
            total = np.float32(0)
            for s in range(t + 1):
                power = _exp(powers[s] - largest)
                powers[s] = power
                total += power
            share = _ONE / total
            for s in range(t + 1):
                _put(row, s, powers[s] * share)
            for s in range(t + 1, T):
                _put(row, s, np.float32(0))


@_compiled
def causal_softmax_backward(gradient_NTT, weights_NTT, factor):
    """In place: the gradient of `causal_softmax`, from that of its result."""
    N, T, _ = weights_NTT.shape
    for n in range(N):
        for t in range(T):
            gradient, weights = gradient_NTT[n, t], weights_NTT[n, t]
            mean = np.float32(0)
            for s in range(t + 1):
                mean += _wide(gradient[s]) * _wide(weights[s])
            for s in range(t + 1):
                _put(gradient, s, (_wide(gradient[s]) - mean) * _wide(weights[s]) * np.float32(factor))
            for s in range(t + 1, T):
                _put(gradient, s, np.float32(0))


@_compiled
def swiglu(gate_up_MF, result_MF):
    """silu(gate) * up: the gate is the first half of a row, up the second."""
    M, F = result_MF.shape
    for m in range(M):
        gate, up, result = gate_up_MF[m, :F], gate_up_MF[m, F:], result_MF[m]
        for f in range(F):
            number = _wide(gate[f])
            _put(result, f, number * _sigmoid(number) * _wide(up[f]))


@_compiled
def swiglu_backward(gradient_MF, gate_up_MF, result_MF):
    """The gradient of `swiglu`."""
    M, F = gradient_MF.shape
    for m in range(M):
        gate, up, gradient = gate_up_MF[m, :F], gate_up_MF[m, F:], gradient_MF[m]
        gate_result, up_result = result_MF[m, :F], result_MF[m, F:]
        for f in range(F):
            number, slope = _wide(gate[f]), _wide(gradient[f])
            sigmoid = _sigmoid(number)
            _put(up_result, f, slope * number * sigmoid)
            _put(gate_result, f, slope * _wide(up[f]) * sigmoid * (_ONE + number * (_ONE - sigmoid)))


@_compiled
def cross_entropy(logits_MV, targets_M, losses_M, gradient_MV):
    """-log softmax(logits)[target] of every row, and the gradient of their mean."""
    M, V = logits_MV.shape
    numbers = np.empty(V, np.float32)
    share = _ONE / np.float32(M)
    for m in range(M):
        logits, gradient, target = logits_MV[m], gradient_MV[m], targets_M[m]
        largest = np.float32(-np.inf)
        for v in range(V):
            numbers[v] = _wide(logits[v])
            largest = max(largest, numbers[v])
        wanted = numbers[target]
        total = np.float32(0)
        for v in range(V):
            power = _exp(numbers[v] - largest)
            numbers[v] = power
            total += power
        losses_M[m] = np.float32(math.log(total)) + largest - wanted
        factor = share / total
        numbers[target] -= total
        for v in range(V):
            _put(gradient, v, numbers[v] * factor)
