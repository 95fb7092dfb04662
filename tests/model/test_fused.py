"""The fused steps and their own backward passes against the plain formulas and autograd."""

import pytest
import torch
from torch import Tensor

from paznja.model.fused import attend, normalise, normalise_and_rotate, swiglu
from paznja.model.transformer import rotary_tables

EPSILON = 1e-3  # large enough to show if it is forgotten somewhere


def plain_normalise(x: Tensor) -> Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + EPSILON).sqrt()


def plain_rotate(x_BTHD: Tensor, weight_D: Tensor, theta: float = 50.0) -> Tensor:
    """The pair (i, i + D/2) at position t turned by the angle t * theta^(-2i/D), written as complex numbers."""
    D = x_BTHD.shape[-1]
    x_BTHD = plain_normalise(x_BTHD) * weight_D
    frequencies = theta ** (-torch.arange(0, D, 2, dtype=torch.float64) / D)
    angles = torch.outer(torch.arange(x_BTHD.shape[1], dtype=torch.float64), frequencies)[:, None]
    turned = torch.complex(x_BTHD[..., : D // 2], x_BTHD[..., D // 2 :]) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat((turned.real, turned.imag), dim=-1)


def plain_swiglu(gate_up: Tensor) -> Tensor:
    gate, up = gate_up.chunk(2, dim=-1)
    return gate * torch.sigmoid(gate) * up


def random(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def rotate(x_BTHD: Tensor, weight_D: Tensor) -> Tensor:
    cos_TD, sin_TD = rotary_tables(x_BTHD.shape[1], x_BTHD.shape[3], 50.0)
    return normalise_and_rotate(x_BTHD, weight_D, cos_TD.to(x_BTHD.dtype), sin_TD.to(x_BTHD.dtype), EPSILON)


CASES = {
    "normalise": (lambda x: normalise(x, EPSILON), plain_normalise, [(2, 3, 6)]),
    "rotate": (rotate, plain_rotate, [(2, 5, 3, 8), (8,)]),
    "swiglu": (swiglu, plain_swiglu, [(2, 3, 10)]),
}
cases = pytest.mark.parametrize(("fused", "plain", "shapes"), CASES.values(), ids=CASES.keys())


@cases
def test_values_equal_the_plain_formula(fused, plain, shapes):
    inputs = [random(*shape, seed=i) for i, shape in enumerate(shapes)]
    torch.testing.assert_close(fused(*inputs), plain(*inputs), rtol=1e-6, atol=1e-6)


@cases
def test_gradients_equal_autograds_of_the_plain_formula(fused, plain, shapes):
    inputs = [random(*shape, seed=i) for i, shape in enumerate(shapes)]
    weights = random(*plain(*inputs).shape, seed=9).detach()
    wanted = torch.autograd.grad((plain(*inputs) * weights).sum(), inputs)
    given = torch.autograd.grad((fused(*inputs) * weights).sum(), inputs)
    torch.testing.assert_close(given, wanted, rtol=1e-6, atol=1e-6)


@cases
def test_gradients_equal_finite_differences(fused, plain, shapes):
    assert torch.autograd.gradcheck(fused, [random(*shape, seed=i) for i, shape in enumerate(shapes)])


def test_gradients_are_right_for_slices_of_one_tensor_and_transposed_results():
    """As in a block: queries and keys are slices of one product, and are then transposed."""

    def scores(rotation, qkv: Tensor, weight_D: Tensor) -> Tensor:
        q, k, v = qkv.unbind(2)
        q, k = rotation(q, weight_D), rotation(k, weight_D)
        return (q.transpose(1, 2) @ k.transpose(1, 2).mT) @ v.transpose(1, 2)

    qkv, weight_D = random(2, 4, 3, 2, 6), random(6, seed=2)
    wanted = torch.autograd.grad(scores(plain_rotate, qkv, weight_D).pow(2).sum(), [qkv, weight_D])
    given = torch.autograd.grad(scores(rotate, qkv, weight_D).pow(2).sum(), [qkv, weight_D])
    torch.testing.assert_close(given, wanted, rtol=1e-5, atol=1e-5)


def test_a_row_of_zeros_stays_zeros_and_its_gradient_finite():
    x = torch.zeros(1, 4, requires_grad=True)
    y = normalise(x, 1e-6)
    y.sum().backward()
    assert torch.equal(y, torch.zeros(1, 4))
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_the_same_in_float32_to_its_precision():
    x, weight = random(3, 7, 2, 16), random(16, seed=3)
    torch.testing.assert_close(rotate(x.float(), weight.float()), plain_rotate(x, weight).float(), rtol=1e-4, atol=1e-5)


def plain_attend(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor) -> Tensor:
    T, D = q_BHTD.shape[2:]
    scores_BHTT = (q_BHTD @ k_BHTD.transpose(2, 3) / D**0.5).masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -torch.inf)
    return scores_BHTT.softmax(-1) @ v_BHTD


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float32])
def test_attention_equals_the_plain_formula_within_its_precision(precision):
    inputs = [random(2, 3, 7, 16, seed=i) for i in range(3)]
    weights = random(2, 3, 7, 16, seed=9).detach()
    wanted = plain_attend(*inputs)
    wanted_gradients = torch.autograd.grad((wanted * weights).sum(), inputs)
    rounded = [one.detach().float().requires_grad_() for one in inputs]
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        given = attend(*rounded)
    assert given.dtype == precision
    gradients = torch.autograd.grad((given.float() * weights.float()).sum(), rounded)
    error = 0.03 if precision == torch.bfloat16 else 1e-5
    for one, other in zip((given, *gradients), (wanted, *wanted_gradients), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=error, atol=error)


def test_attention_in_bfloat16_sees_nothing_that_comes_later():
    q_BHTD, k_BHTD, v_BHTD = (random(1, 1, 6, 16, seed=i).detach().float() for i in range(3))
    later = v_BHTD.clone()
    later[..., 4:, :] = 100.0
    with torch.autocast("cpu", torch.bfloat16):
        before, after = attend(q_BHTD, k_BHTD, v_BHTD), attend(q_BHTD, k_BHTD, later)
    assert torch.equal(before[..., :4, :], after[..., :4, :])
    assert not torch.equal(before[..., 4:, :], after[..., 4:, :])
