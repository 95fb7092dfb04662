"""The steps by compiled loops against the plain formulas in float64, in both precisions; and that paznja does without them."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from paznja.config import ModelConfig
from paznja.model import loops
from paznja.model.transformer import Transformer, rotary_tables

EPSILON = 1e-3  # large enough to show if it is forgotten somewhere
B, T, H, D = 3, 13, 2, 18
COS_TD, SIN_TD = rotary_tables(T, D, 50.0)
FLOAT, BFLOAT = torch.float32, torch.bfloat16


def plain_normalise(x: Tensor) -> Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + EPSILON).sqrt()


def plain_add_and_normalise(x: Tensor, more: Tensor) -> tuple[Tensor, Tensor]:
    return x + more, plain_normalise(x + more)


def plain_attention(qkv_BT3HD: Tensor, query_norm_D: Tensor, key_norm_D: Tensor) -> Tensor:
    """The pair (i, i + D/2) of a query or key at position t turned by the angle t * theta^(-2i/D), written as complex numbers."""
    frequencies = 50.0 ** (-torch.arange(0, D, 2, dtype=torch.float64) / D)
    angles = torch.outer(torch.arange(T, dtype=torch.float64), frequencies)[:, None]

    def turned(x_BTHD: Tensor) -> Tensor:
        pairs = torch.complex(*x_BTHD.chunk(2, -1)) * torch.polar(torch.ones_like(angles), angles)
        return torch.cat((pairs.real, pairs.imag), -1).transpose(1, 2)

    q_BTHD, k_BTHD, v_BTHD = qkv_BT3HD.unbind(2)
    q_BHTD, k_BHTD = turned(plain_normalise(q_BTHD) * query_norm_D), turned(plain_normalise(k_BTHD) * key_norm_D)
    scores_BHTT = (q_BHTD @ k_BHTD.mT / D**0.5).masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -torch.inf)
    return (scores_BHTT.softmax(-1) @ v_BTHD.transpose(1, 2)).transpose(1, 2).flatten(2)


def plain_swiglu(gate_up: Tensor) -> Tensor:
    gate, up = gate_up.chunk(2, dim=-1)
    return gate * torch.sigmoid(gate) * up


TARGETS = torch.arange(11) % 7
Case = tuple[Callable[..., object], Callable[..., object], list[tuple[tuple[int, ...], bool]]]
"""By loops, by the plain formula, and the shapes of the inputs; with each, whether it is what a matrix product gave."""
CASES: dict[str, Callable[[torch.dtype], Case]] = {
    "normalise": lambda p: (lambda x: loops.Normalise.apply(x, EPSILON, p), plain_normalise, [((2, 3, 37), False)]),
    "add and normalise": lambda p: (
        lambda x, more: loops.AddAndNormalise.apply(x, more, EPSILON, p),
        plain_add_and_normalise,
        [((2, 3, 37), False), ((2, 3, 37), True)],
    ),
    "fold": lambda p: (lambda m, w: loops.Fold.apply(m, w, p), lambda m, w: m * w, [((5, 19), False), ((19,), False)]),
    "attention": lambda p: (
        lambda qkv, q_norm, k_norm: loops.Attention.apply(qkv, q_norm, k_norm, COS_TD, SIN_TD, EPSILON),
        plain_attention,
        [((B, T, 3, H, D), True), ((D,), False), ((D,), False)],
    ),
    "swiglu": lambda p: (loops.SwiGLU.apply, plain_swiglu, [((2, 5, 42), True)]),
    "cross-entropy": lambda p: (
        lambda logits: loops.CrossEntropy.apply(logits, TARGETS) * 11,
        lambda logits: F.cross_entropy(logits, TARGETS) * 11,
        [((11, 35), True)],
    ),
}


@pytest.mark.parametrize("precision", [FLOAT, BFLOAT], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_values_and_gradients_equal_those_of_the_plain_formula(case, precision):
    by_loops, plain, inputs = case(precision)
    generator = torch.Generator().manual_seed(3)
    given = [torch.randn(shape, generator=generator).to(precision if product else FLOAT) for shape, product in inputs]
    doubles = [one.double().requires_grad_() for one in given]
    given = [one.requires_grad_() for one in given]
    results, wanted = by_loops(*given), plain(*doubles)
    results, wanted = (one if isinstance(one, tuple) else (one,) for one in (results, wanted))
    factors = [torch.randn(one.shape, generator=generator).to(result.dtype) for one, result in zip(wanted, results, strict=True)]
    gradients = torch.autograd.grad(results, given, factors)
    wanted_gradients = torch.autograd.grad(wanted, doubles, [factor.double() for factor in factors])
    error = 2e-5 if precision == FLOAT else 0.03
    for one, other in zip((*results, *gradients), (*wanted, *wanted_gradients), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=error, atol=error * max(1.0, float(other.detach().abs().max()) / 4))


def test_bfloat16_is_rounded_as_pytorch_rounds_it():
    x = torch.randn(50, 100, generator=torch.Generator().manual_seed(1)) * torch.logspace(-30, 30, 100)
    x[0, :4] = torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, torch.inf, -torch.inf])  # two ties, and what has no neighbours
    assert torch.equal(loops.Fold.apply(x, torch.ones(100), BFLOAT), x.bfloat16())


def test_large_and_far_apart_logits_give_the_loss_and_gradient_of_pytorch():
    logits = torch.tensor([[1000.0, 0.0, -1000.0], [-500.0, -500.0, -500.0], [0.0, 90.0, 0.0]])
    given, wanted = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    targets = torch.tensor([1, 2, 1])
    one, other = loops.CrossEntropy.apply(given, targets), F.cross_entropy(wanted, targets)
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(*(torch.autograd.grad(loss, x)[0] for loss, x in ((one, given), (other, wanted))))


@pytest.mark.parametrize("precision", [FLOAT, BFLOAT], ids=["float32", "bfloat16"])
def test_one_number_that_is_none_makes_the_loss_none(precision):
    gate_up = torch.randn(2, 3, 64).to(precision)
    gate_up[0, 0, 3] = torch.nan
    normed = loops.Normalise.apply(loops.SwiGLU.apply(gate_up).float(), EPSILON, precision)
    assert normed[0, 0].isnan().all()
    qkv_BT3HD = torch.randn(B, T, 3, H, D).to(precision)
    qkv_BT3HD[0, 4, 0, 0, 0] = torch.nan
    mixed_BTC = loops.Attention.apply(qkv_BT3HD, torch.ones(D), torch.ones(D), COS_TD, SIN_TD, EPSILON)
    assert mixed_BTC[0, 4, :D].isnan().all()
    assert loops.CrossEntropy.apply(normed.flatten(0, 1), torch.zeros(6, dtype=torch.int64)).isnan()


@pytest.mark.parametrize("precision", [FLOAT, BFLOAT], ids=["float32", "bfloat16"])
def test_a_batch_large_enough_for_the_loops_gives_the_gradients_of_float64(precision, random_model):
    config = ModelConfig(layers=2, width=128, heads=2, hidden=256, context=64, norm_epsilon=1e-5, vocabulary=90)
    model, doubles = random_model(config), Transformer(config)
    doubles.load_state_dict(model.state_dict())
    doubles.double()
    ids_BT = torch.randint(90, (12, 64), generator=torch.Generator().manual_seed(2))
    with torch.autocast("cpu", BFLOAT, enabled=precision == BFLOAT):
        loss = model(ids_BT, ids_BT.roll(-1, dims=1))
    wanted = F.cross_entropy(doubles(ids_BT).flatten(0, 1), ids_BT.roll(-1, dims=1).flatten())
    loss.backward()
    wanted.backward()
    error = 1e-5 if precision == FLOAT else 0.05
    torch.testing.assert_close(loss.double(), wanted, rtol=error, atol=0)
    for one, other in zip(model.parameters(), doubles.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert (one.grad - other.grad).norm() < error * other.grad.norm()


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None  # importing it fails
import torch
from paznja.model.fused import LEAST_FOR_LOOPS, normalise, swiglu
torch.set_num_threads(1)
x = torch.ones(2, LEAST_FOR_LOOPS)
assert normalise(x, 0.0).equal(x)
assert swiglu(x).shape == (2, LEAST_FOR_LOOPS // 2)
"""


def test_without_numba_pytorch_does_the_same():
    done = subprocess.run([sys.executable, "-c", WITHOUT_NUMBA], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
