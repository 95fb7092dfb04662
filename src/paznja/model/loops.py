"""The network's memory-bound steps by the compiled loops of `kernels`, with their backward passes; for `fused`, which chooses them.

They take and return float32, or bfloat16 where that is the precision of autocast: what a matrix product will read is written in its
precision at once, without a copy.

Shapes: B batch, T positions, C width, H heads, D width of a head, F hidden width of the feed-forward, V vocabulary, M = B * T, N = B * H.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paznja.model import kernels


class Normalise(torch.autograd.Function):
    """See `fused.normalise`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, epsilon: float, precision: torch.dtype) -> Tensor:
        x = x.contiguous()
        normed, scale_M = torch.empty_like(x, dtype=precision), x.new_empty(x.shape[:-1].numel())
        kernels.normalise(_rows(x), epsilon, _rows(normed), _array(scale_M))
        ctx.save_for_backward(x, scale_M)
        return normed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        x, scale_M = ctx.saved_tensors
        result = torch.empty_like(x)
        kernels.normalise_backward(_rows(gradients[0]), _rows(x), _array(scale_M), _rows(result))
        return result, None, None


class AddAndNormalise(torch.autograd.Function):
    """See `fused.add_and_normalise`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, more: Tensor, epsilon: float, precision: torch.dtype) -> tuple[Tensor, Tensor]:
        sums, normed, scale_M = torch.empty_like(x), torch.empty_like(x, dtype=precision), x.new_empty(x.shape[:-1].numel())
        kernels.add_and_normalise(_rows(x), _rows(more), epsilon, _rows(sums), _rows(normed), _array(scale_M))
        ctx.precision = more.dtype
        ctx.save_for_backward(sums, scale_M)
        return sums, normed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        sums, scale_M = ctx.saved_tensors
        result = torch.empty_like(sums)
        more_result = result if ctx.precision == result.dtype else torch.empty_like(sums, dtype=ctx.precision)
        kernels.add_and_normalise_backward(
            _rows(gradients[0]), _rows(gradients[1]), _rows(sums), _array(scale_M), _rows(result), _rows(more_result)
        )
        return result, more_result, None, None


class Fold(torch.autograd.Function):
    """See `fused.fold`."""

    @staticmethod
    def forward(ctx: Any, matrix_OC: Tensor, weight_C: Tensor, precision: torch.dtype) -> Tensor:
        result_OC = torch.empty_like(matrix_OC, dtype=precision)
        kernels.fold(_array(matrix_OC), _array(weight_C), _array(result_OC))
        ctx.save_for_backward(matrix_OC, weight_C)
        return result_OC

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        matrix_OC, weight_C = ctx.saved_tensors
        result_OC, weight_result_C = torch.empty_like(matrix_OC), torch.zeros_like(weight_C)
        kernels.fold_backward(_array(gradients[0]), _array(matrix_OC), _array(weight_C), _array(result_OC), _array(weight_result_C))
        return result_OC, weight_result_C, None


class Attention(torch.autograd.Function):
    """See `fused.attention`."""

    @staticmethod
    def forward(
        ctx: Any, qkv_BT3HD: Tensor, query_norm_D: Tensor, key_norm_D: Tensor, cos_TD: Tensor, sin_TD: Tensor, epsilon: float
    ) -> Tensor:
        B, T, _, H, D = qkv_BT3HD.shape
        q_BHTD, k_BHTD, v_BHTD = qkv_BT3HD.new_empty(3, B, H, T, D)
        small = [_array(one) for one in (query_norm_D, key_norm_D, cos_TD, sin_TD)]
        kernels.split(_array(qkv_BT3HD), *small, epsilon, _array(q_BHTD), _array(k_BHTD), _array(v_BHTD))
        q_NTD, k_NTD, v_NTD = (one.flatten(0, 1) for one in (q_BHTD, k_BHTD, v_BHTD))
        weights_NTT = torch.bmm(q_NTD, k_NTD.transpose(1, 2))
        kernels.causal_softmax(_array(weights_NTT), D**-0.5)
        ctx.epsilon = epsilon
        ctx.save_for_backward(qkv_BT3HD, q_NTD, k_NTD, v_NTD, weights_NTT, query_norm_D, key_norm_D, cos_TD, sin_TD)
        return torch.bmm(weights_NTT, v_NTD).view(B, H, T, D).transpose(1, 2).reshape(B, T, H * D)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        qkv_BT3HD, q_NTD, k_NTD, v_NTD, weights_NTT, query_norm_D, key_norm_D, cos_TD, sin_TD = ctx.saved_tensors
        B, T, _, H, D = qkv_BT3HD.shape
        gradient_NTD = gradients[0].view(B, T, H, D).transpose(1, 2).reshape(B * H, T, D)
        v_gradient_NTD = torch.bmm(weights_NTT.transpose(1, 2), gradient_NTD)
        scores_gradient_NTT = torch.bmm(gradient_NTD, v_NTD.transpose(1, 2))
        kernels.causal_softmax_backward(_array(scores_gradient_NTT), _array(weights_NTT), D**-0.5)
        q_gradient_NTD = torch.bmm(scores_gradient_NTT, k_NTD)
        k_gradient_NTD = torch.bmm(scores_gradient_NTT.transpose(1, 2), q_NTD)
        result_BT3HD, norms_gradient_2D = torch.empty_like(qkv_BT3HD), torch.zeros(2, D)
        kernels.split_backward(
            *(_array(one.view(B, H, T, D)) for one in (q_gradient_NTD, k_gradient_NTD, v_gradient_NTD)),
            _array(qkv_BT3HD),
            _array(torch.stack((query_norm_D, key_norm_D))),
            _array(cos_TD),
            _array(sin_TD),
            ctx.epsilon,
            _array(result_BT3HD),
            _array(norms_gradient_2D),
        )
        return result_BT3HD, norms_gradient_2D[0], norms_gradient_2D[1], None, None, None


class SwiGLU(torch.autograd.Function):
    """See `fused.swiglu`."""

    @staticmethod
    def forward(ctx: Any, gate_up_BTF: Tensor) -> Tensor:
        result_BTF = gate_up_BTF.new_empty(*gate_up_BTF.shape[:-1], gate_up_BTF.shape[-1] // 2)
        kernels.swiglu(_rows(gate_up_BTF), _rows(result_BTF))
        ctx.save_for_backward(gate_up_BTF)
        return result_BTF

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gate_up_BTF,) = ctx.saved_tensors
        result_BTF = torch.empty_like(gate_up_BTF)
        kernels.swiglu_backward(_rows(gradients[0]), _rows(gate_up_BTF), _rows(result_BTF))
        return result_BTF


class CrossEntropy(torch.autograd.Function):
    """See `fused.cross_entropy`. The gradient is computed together with the loss, while the row of logits is in the cache."""

    @staticmethod
    def forward(ctx: Any, logits_MV: Tensor, targets_M: Tensor) -> Tensor:
        losses_M, gradient_MV = torch.empty(len(targets_M)), torch.empty_like(logits_MV)
        kernels.cross_entropy(_rows(logits_MV), _array(targets_M), _array(losses_M), _rows(gradient_MV))
        ctx.save_for_backward(gradient_MV)
        return losses_M.mean()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient_MV,) = ctx.saved_tensors
        factor = float(gradients[0])
        return gradient_MV if factor == 1.0 else gradient_MV * factor, None


def _array(tensor: Tensor) -> NDArray[Any]:
    """The tensor's numbers as a numpy array that shares its memory; bfloat16 as its bits, in uint16."""
    tensor = tensor.detach().contiguous()
    return tensor.view(torch.uint16).numpy() if tensor.dtype == torch.bfloat16 else np.asarray(tensor)


def _rows(tensor: Tensor) -> NDArray[Any]:
    """The same with all dimensions but the last as one."""
    return _array(tensor).reshape(-1, tensor.shape[-1])
