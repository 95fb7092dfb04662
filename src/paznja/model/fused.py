"""The network's memory-bound steps, each with a backward pass that touches every number as few times as possible.

The backward pass that autograd derives from the plain formulas allocates a tensor for every slice and product; on a
CPU, these passes over memory take much of an iteration. On a CPU and where numba can be imported, compiled loops (`loops`) do
a step at once; elsewhere, and under `torch.compile`, it is done by eager PyTorch. The gradients are tested against the plain formulas.

Shapes: B batch, T positions, C width, H heads, D width of a head, F hidden width of the feed-forward, V vocabulary, M = B * T, N = B * H.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

import torch
from torch import Tensor

LEAST_FOR_LOOPS = 2**16
"""With fewer numbers in a tensor the compiled loops are not used: what they save does not make up for importing numba."""

_MOST_THREADS_FOR_LOOPS = 2
"""With more threads than this, PyTorch, which uses them all, is faster than loops that use one."""


def normalise(x: Tensor, epsilon: float) -> Tensor:
    """x divided by the root mean square of its last dimension (RMSNorm, 2019, arXiv:1910.07467, without its weights).

    The compiled loop returns it in the precision of autocast, because a matrix product is what comes next.
    """
    loops = _loops(x)
    if loops is not None and x.dtype == torch.float32:
        return loops.Normalise.apply(x, epsilon, _precision(x))
    return _Normalise.apply(x, epsilon)


def add_and_normalise(x: Tensor, more: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """x + more, in the precision of x, and the same normalised."""
    loops = _loops(x)
    if loops is not None and x.dtype == torch.float32:
        return loops.AddAndNormalise.apply(x, more, epsilon, _precision(x))
    x = x + more
    return x, _Normalise.apply(x, epsilon)


def linear(normed: Tensor, matrix_OC: Tensor, norm_C: Tensor) -> Tensor:
    """(normed * norm_C) times the transposed matrix. The norm's weights are folded into the matrix, because it is smaller."""
    loops = _loops(normed)
    if loops is not None and matrix_OC.dtype == norm_C.dtype == torch.float32:
        return torch.nn.functional.linear(normed, loops.Fold.apply(matrix_OC, norm_C, _precision(normed)))
    return torch.nn.functional.linear(normed, matrix_OC * norm_C)


def attention(qkv_BT3HD: Tensor, query_norm_D: Tensor, key_norm_D: Tensor, cos_TD: Tensor, sin_TD: Tensor, epsilon: float) -> Tensor:
    """What each position gathers from itself and those before it, (B, T, C); queries and keys are normalised and rotated first."""
    loops = _loops(qkv_BT3HD)
    if loops is not None:
        return loops.Attention.apply(qkv_BT3HD, query_norm_D, key_norm_D, cos_TD, sin_TD, epsilon)
    q_BTHD, k_BTHD, v_BTHD = qkv_BT3HD.unbind(2)
    q_BTHD = normalise_and_rotate(q_BTHD, query_norm_D, cos_TD, sin_TD, epsilon)
    k_BTHD = normalise_and_rotate(k_BTHD, key_norm_D, cos_TD, sin_TD, epsilon)
    return attend(q_BTHD.transpose(1, 2), k_BTHD.transpose(1, 2), v_BTHD.transpose(1, 2)).transpose(1, 2).flatten(2)


def normalise_and_rotate(x_BTHD: Tensor, weight_D: Tensor, cos_TD: Tensor, sin_TD: Tensor, epsilon: float) -> Tensor:
    """Queries or keys x_BTHD, normalised over D, multiplied by weight_D, rotated by the angles of their positions."""
    return _NormaliseAndRotate.apply(x_BTHD, weight_D, cos_TD, sin_TD, epsilon)


def swiglu(gate_up_BTF: Tensor) -> Tensor:
    """silu(gate) * up, where gate is the first half of the last dimension and up the second (arXiv:2002.05202)."""
    loops = _loops(gate_up_BTF)
    return _SwiGLU.apply(gate_up_BTF) if loops is None else loops.SwiGLU.apply(gate_up_BTF)


def cross_entropy(logits_MV: Tensor, targets_M: Tensor) -> Tensor:
    """The mean of -log softmax(logits)[target], in nats, float32."""
    loops = _loops(logits_MV)
    if loops is None or not logits_MV.requires_grad:
        return torch.nn.functional.cross_entropy(logits_MV.float(), targets_M)
    return loops.CrossEntropy.apply(logits_MV, targets_M)


def attend(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor) -> Tensor:
    """Causal attention, scaled by 1 / sqrt(D), (B, H, T, D).

    In bfloat16 on a CPU, `scaled_dot_product_attention` takes two to four times as long as these products (torch 2.13).
    """
    if q_BHTD.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return torch.nn.functional.scaled_dot_product_attention(q_BHTD, k_BHTD, v_BHTD, is_causal=True)
    precision = torch.get_autocast_dtype("cpu")
    return _Attend.apply(q_BHTD.to(precision), k_BHTD.to(precision), v_BHTD.to(precision))


def _loops(x: Tensor) -> Any:
    """The module `loops` if its loops suit this tensor and can be had, else None."""
    if torch.compiler.is_compiling() or x.device.type != "cpu" or x.numel() < LEAST_FOR_LOOPS:
        return None
    if x.dtype not in (torch.float32, torch.bfloat16) or torch.get_num_threads() > _MOST_THREADS_FOR_LOOPS:
        return None
    return _import_loops()


@functools.cache
def _import_loops() -> Any:
    try:
        return importlib.import_module("paznja.model.loops")
    except (ImportError, OSError):  # OSError: numba's compiler does not load
        return None


def _precision(x: Tensor) -> torch.dtype:
    """The one in which matrix products of x are computed."""
    return torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else x.dtype


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor) -> Tensor:
        q_NTD, k_NTD, v_NTD = (x_BHTD.flatten(0, 1) for x_BHTD in (q_BHTD, k_BHTD, v_BHTD))
        T, D = q_NTD.shape[1:]
        mask_TT = torch.full((T, T), -torch.inf, dtype=q_NTD.dtype).triu_(1)
        scores_NTT = torch.baddbmm(mask_TT, q_NTD, k_NTD.transpose(1, 2), alpha=D**-0.5)
        weights_NTT = torch.softmax(scores_NTT, -1)
        ctx.save_for_backward(q_NTD, k_NTD, v_NTD, weights_NTT)
        return torch.bmm(weights_NTT, v_NTD).view(q_BHTD.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q_NTD, k_NTD, v_NTD, weights_NTT = ctx.saved_tensors
        (gradient_BHTD,) = gradients
        gradient_NTD = gradient_BHTD.flatten(0, 1)
        v_gradient = torch.bmm(weights_NTT.transpose(1, 2), gradient_NTD)
        weights_gradient = torch.bmm(gradient_NTD, v_NTD.transpose(1, 2))
        scores_gradient = torch.ops.aten._softmax_backward_data(weights_gradient, weights_NTT, -1, weights_NTT.dtype)
        scores_gradient.mul_(q_NTD.shape[2] ** -0.5)
        q_gradient = torch.bmm(scores_gradient, k_NTD)
        k_gradient = torch.bmm(scores_gradient.transpose(1, 2), q_NTD)
        shape = gradient_BHTD.shape
        return q_gradient.view(shape), k_gradient.view(shape), v_gradient.view(shape)


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, epsilon: float) -> Tensor:
        scale = _inverse_rms(x, epsilon)
        normed = x * scale
        ctx.save_for_backward(normed, scale)
        return normed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        normed, scale = ctx.saved_tensors
        return _normalise_backward(gradients[0], normed, scale), None


class _NormaliseAndRotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BTHD: Tensor, weight_D: Tensor, cos_TD: Tensor, sin_TD: Tensor, epsilon: float) -> Tensor:
        scale = _inverse_rms(x_BTHD, epsilon)
        normed = x_BTHD * scale
        half = weight_D.shape[0] // 2
        # The weight is folded into the tables, because they are small and the activations are not.
        cos_T1D = (cos_TD * weight_D)[:, None]
        sin_T1D = (sin_TD * torch.cat((weight_D[half:], weight_D[:half])))[:, None]
        ctx.save_for_backward(normed, scale, weight_D, cos_TD, sin_TD)
        rotated = normed * cos_T1D
        rotated[..., :half].addcmul_(normed[..., half:], sin_T1D[..., :half])
        rotated[..., half:].addcmul_(normed[..., :half], sin_T1D[..., half:])
        return rotated

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        normed, scale, weight_D, cos_TD, sin_TD = ctx.saved_tensors
        (gradient,) = gradients
        half = weight_D.shape[0] // 2
        cos_T1D, sin_T1D = cos_TD[:, None], sin_TD[:, None]
        turned = gradient * cos_T1D
        # The transposed rotation: the sines come from the other half.
        turned[..., :half].addcmul_(gradient[..., half:], sin_T1D[..., half:])
        turned[..., half:].addcmul_(gradient[..., :half], sin_T1D[..., :half])
        products = turned * normed
        weight_gradient_D = products.flatten(0, -2).sum(0)
        mean = products @ (weight_D / weight_D.shape[0])[:, None]
        turned.mul_(weight_D).addcmul_(normed, mean, value=-1).mul_(scale)
        return turned, weight_gradient_D, None, None, None


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up_BTF: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up_BTF)
        gate, up = gate_up_BTF.chunk(2, dim=-1)
        return torch.nn.functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gate_up_BTF,) = ctx.saved_tensors
        (gradient,) = gradients
        gate, up = gate_up_BTF.chunk(2, dim=-1)
        result = torch.empty_like(gate_up_BTF)
        gate_gradient, up_gradient = result.chunk(2, dim=-1)
        torch.mul(torch.nn.functional.silu(gate), gradient, out=up_gradient)
        torch.ops.aten.silu_backward.grad_input(gradient * up, gate, grad_input=gate_gradient)
        return result


def _inverse_rms(x: Tensor, epsilon: float) -> Tensor:
    """1 / sqrt(mean(x^2) + epsilon) over the last dimension, which stays with size 1."""
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()


def _normalise_backward(gradient: Tensor, normed: Tensor, scale: Tensor) -> Tensor:
    mean = (gradient * normed).sum(-1, keepdim=True).div_(normed.shape[-1])
    return torch.addcmul(gradient, normed, mean, value=-1).mul_(scale)
