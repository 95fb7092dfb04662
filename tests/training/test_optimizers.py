"""Muon orthogonalises, the rest is torch's AdamW, and their state survives a restart bit for bit."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from paznja.config import ModelConfig, TrainingConfig
from paznja.model.transformer import Transformer
from paznja.model.weights import pack, unpack
from paznja.training.optimizers import AdamW, Muon, Optimizers, RowAdagrad, orthogonalise

MODEL = ModelConfig(layers=2, width=8, heads=2, hidden=12, context=6, vocabulary=9)
MEMORY = replace(MODEL, memory="learned", memory_order=3, memory_rows=90, memory_width=4)
CONFIG = TrainingConfig(warm_up=0, weight_decay=0.1)
kinds = pytest.mark.parametrize("kind", ["muon", "adamw"])
shapes = pytest.mark.parametrize("shape", [MODEL, MEMORY], ids=["without memory", "with memory"])


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def with_singular_values(values: list[float], columns: int, seed: int) -> Tensor:
    rows = len(values)
    u, _ = torch.linalg.qr(random(rows, rows, seed=seed))
    v, _ = torch.linalg.qr(random(columns, rows, seed=seed + 1))
    return u @ torch.diag(torch.tensor(values)) @ v.T


def batch(seed: int) -> Tensor:
    return torch.randint(MODEL.vocabulary, (4, MODEL.context + 1), generator=torch.Generator().manual_seed(seed))


def learn(model: Transformer, optimizers: Optimizers, seeds: range) -> list[float]:
    losses: list[float] = []
    for seed in seeds:
        ids = batch(seed)
        loss = model(ids[:, :-1], ids[:, 1:])
        loss.backward()
        optimizers.step(1.0)
        losses.append(float(loss.detach()))
    return losses


# --- Newton-Schulz --------------------------------------------------------------------------------------------------------------------


@given(
    values=st.lists(st.floats(0.02, 1), min_size=1, max_size=8),
    more_columns=st.integers(0, 8),
    size=st.sampled_from([1e-3, 1.0, 1e4]),
    seed=st.integers(0, 99),
)
@settings(deadline=None)
def test_orthogonalising_brings_every_singular_value_near_one_and_keeps_the_directions(values, more_columns, size, seed):
    matrix = size * with_singular_values(values, len(values) + more_columns, seed)
    result = orthogonalise(matrix[None])[0]
    found = torch.linalg.svdvals(result)
    assert found.min() > 0.6
    assert found.max() < 1.25
    # The nearest orthogonal matrix has the same singular vectors: their product is symmetric and positive.
    product = result @ matrix.T / size
    torch.testing.assert_close(product, product.T, rtol=1e-3, atol=1e-3)
    assert torch.linalg.eigvalsh(product).min() > 0


def test_matrices_of_one_shape_are_orthogonalised_each_by_itself():
    matrices = random(3, 5, 7, seed=1)
    alone = torch.cat([orthogonalise(matrix[None]) for matrix in matrices])
    torch.testing.assert_close(orthogonalise(matrices), alone, rtol=1e-4, atol=1e-5)


def test_orthogonalising_nothing_gives_nothing():
    assert torch.equal(orthogonalise(torch.zeros(1, 3, 4)), torch.zeros(1, 3, 4))


def test_orthogonalising_in_bfloat16_comes_near():
    matrices = random(2, 8, 12, seed=4)
    rough = orthogonalise(matrices, torch.bfloat16)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, orthogonalise(matrices), rtol=0.1, atol=0.05)
    assert not torch.equal(rough, orthogonalise(matrices))


# --- Muon -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (6, 3), (3, 6)])
@pytest.mark.parametrize("parts", [2, 3])
def test_a_fused_matrix_moves_as_its_parts_would_alone(rows, columns, parts):
    pieces = [nn.Parameter(random(rows, columns, seed=i)) for i in range(parts)]
    fused = nn.Parameter(torch.cat([piece.data for piece in pieces]))
    apart, together = Muon([(piece, 1) for piece in pieces]), Muon([(fused, parts)])
    for seed in range(3):
        gradient = random(parts * rows, columns, seed=50 + seed)
        fused.grad = gradient
        for piece, part in zip(pieces, gradient.chunk(parts), strict=True):
            piece.grad = part
        apart.step(0.1)
        together.step(0.1)
        torch.testing.assert_close(fused.data, torch.cat([piece.data for piece in pieces]))
    whole = nn.Parameter(torch.zeros_like(fused))
    whole.grad = fused.grad
    Muon([(whole, 1)]).step(0.1)
    split = nn.Parameter(torch.zeros_like(fused))
    split.grad = fused.grad
    Muon([(split, parts)]).step(0.1)
    assert not torch.allclose(whole, split, atol=1e-3)


@pytest.mark.parametrize(("rows", "columns", "scale"), [(4, 4, 1.0), (12, 3, 2.0), (3, 12, 1.0)])
def test_a_step_goes_against_the_gradient_by_the_learning_rate_in_every_direction(rows, columns, scale):
    gradient = with_singular_values([1.0, 0.5, 0.2], max(rows, columns), seed=1) if rows != columns else random(4, 4, seed=3)
    if rows > columns:
        gradient = gradient.T
    parameter = nn.Parameter(torch.zeros(rows, columns))
    parameter.grad = gradient.contiguous()
    Muon([(parameter, 1)]).step(0.1)
    values = torch.linalg.svdvals(parameter.data) / (0.1 * scale)
    assert values.min() > 0.5
    assert values.max() < 1.3
    assert (parameter.data * gradient).sum() < 0


def test_momentum_is_nesterovs():
    parameter, momentum = nn.Parameter(torch.zeros(3, 5)), 0.9
    muon = Muon([(parameter, 1)], momentum=momentum)
    buffer, wanted = torch.zeros(3, 5), torch.zeros(3, 5)
    for seed in range(4):
        gradient = random(3, 5, seed=seed)
        parameter.grad = gradient.clone()
        muon.step(0.1)
        buffer = momentum * buffer + (1 - momentum) * gradient
        wanted = wanted - 0.1 * orthogonalise(((1 - momentum) * gradient + momentum * buffer)[None])[0]
        torch.testing.assert_close(parameter.data, wanted, rtol=1e-4, atol=1e-5)
        assert torch.equal(parameter.grad, gradient)


def test_each_matrix_of_a_network_moves_as_if_muon_had_it_alone():
    """Whatever shapes are batched together."""
    model = Transformer(MODEL, torch.Generator().manual_seed(1))
    for parameter in model.parameters():
        if parameter.ndim == 2:  # some begin at zero, and nothing before them would get a gradient
            nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(parameter.numel()))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    ids = batch(1)
    model(ids[:, :-1], ids[:, 1:]).backward()
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}
    Optimizers(model, TrainingConfig(clip=1e9)).step(0.5)
    for name, parts in (("qkv", 3), ("out", 1), ("gate_up", 2), ("down", 1)):
        for layer in range(MODEL.layers):
            full_name = f"blocks.{layer}.{name}"
            alone = nn.Parameter(before[full_name].clone())
            alone.grad = gradients[full_name]
            Muon([(alone, parts)]).step(0.5 * TrainingConfig().matrix_learning_rate)
            torch.testing.assert_close(dict(model.named_parameters())[full_name].data, alone.data, rtol=1e-4, atol=1e-6)


# --- AdamW ----------------------------------------------------------------------------------------------------------------------------


def test_adamw_takes_the_steps_of_the_formula():
    start, betas, decay = random(3, 4, seed=1), (0.9, 0.95), 0.1
    parameter = nn.Parameter(start.clone())
    optimizer = AdamW([([parameter], decay)], betas=betas)
    wanted, mean, square = start.double(), torch.zeros(3, 4).double(), torch.zeros(3, 4).double()
    for step in range(1, 6):
        gradient, rate = random(3, 4, seed=step + 10), 0.01 * step
        parameter.grad = gradient.clone()
        optimizer.step(rate)
        mean = betas[0] * mean + (1 - betas[0]) * gradient
        square = betas[1] * square + (1 - betas[1]) * gradient**2
        moved = mean / (1 - betas[0] ** step) / ((square / (1 - betas[1] ** step)).sqrt() + 1e-10)
        wanted = wanted * (1 - rate * decay) - rate * moved
        torch.testing.assert_close(parameter.data.double(), wanted, rtol=1e-5, atol=1e-6)


# --- the table of the memory ----------------------------------------------------------------------------------------------------------


def with_gradient(table: nn.Parameter, rows: list[int], values_UW: Tensor) -> None:
    """As an embedding leaves it: a row that was looked up twice occurs twice."""
    table.grad = torch.sparse_coo_tensor(torch.tensor([rows]), values_UW, table.shape, check_invariants=True)


def test_adagrad_takes_the_steps_of_the_formula_with_one_mean_square_a_row():
    start, rate = random(6, 4, seed=1), 0.1
    table = nn.Parameter(start.clone())
    optimizer = RowAdagrad(table)
    wanted, squares = start.double(), torch.zeros(6).double()
    for step in range(4):
        rows, values = [5, 1, 5, step], random(4, 4, seed=step + 10)
        with_gradient(table, rows, values)
        optimizer.step(rate)
        dense = torch.zeros(6, 4).double().index_add_(0, torch.tensor(rows), values.double())
        squares += dense.square().mean(1)
        wanted -= rate * dense / (squares.sqrt() + 1e-12)[:, None]
        torch.testing.assert_close(table.data.double(), wanted, rtol=1e-5, atol=1e-6)


def test_adagrad_leaves_rows_that_were_not_looked_up_as_they_are():
    table = nn.Parameter(random(6, 4, seed=1))
    before = table.detach().clone()
    with_gradient(table, [2, 4, 2], random(3, 4, seed=2))
    RowAdagrad(table).step(0.1)
    moved = (table.data != before).any(dim=1)
    assert moved.tolist() == [False, False, True, False, True, False]


def test_a_row_whose_gradient_is_nothing_stays_a_number():
    table = nn.Parameter(torch.zeros(3, 4))
    with_gradient(table, [1], torch.zeros(1, 4))
    RowAdagrad(table).step(0.1)
    assert torch.equal(table.data, torch.zeros(3, 4))


# --- all together ---------------------------------------------------------------------------------------------------------------------


@kinds
@shapes
def test_they_learn(kind, shape):
    model = Transformer(shape, torch.Generator().manual_seed(1))
    optimizers = Optimizers(model, TrainingConfig(optimizer=kind))
    ids = batch(1)
    losses: list[float] = []
    for _ in range(40):
        loss = model(ids[:, :-1], ids[:, 1:])
        loss.backward()
        optimizers.step(1.0)
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(math.log(MODEL.vocabulary))
    assert losses[-1] < 0.7 * losses[0]


@kinds
@pytest.mark.parametrize("steps_before", [0, 1, 5])
@shapes
def test_after_saving_and_loading_the_next_steps_are_identical_bit_for_bit(kind, steps_before, shape):
    config = TrainingConfig(optimizer=kind, weight_decay=0.1)
    model = Transformer(shape, torch.Generator().manual_seed(1))
    optimizers = Optimizers(model, config)
    learn(model, optimizers, range(steps_before))
    weights, state = pack(model.state_for_export()), pack(optimizers.state_tensors())

    restored = Transformer(shape, torch.Generator().manual_seed(2))
    restored.load_exported(unpack(weights, "weights"))
    restored_optimizers = Optimizers(restored, config)
    restored_optimizers.load_state_tensors(unpack(state, "state"))
    assert learn(restored, restored_optimizers, range(5, 9)) == learn(model, optimizers, range(5, 9))
    assert pack(restored.state_for_export()) == pack(model.state_for_export())
    assert pack(restored_optimizers.state_tensors()) == pack(optimizers.state_tensors())


@kinds
def test_without_its_state_the_next_steps_would_differ(kind):
    """This shows that the test above would notice state that is not kept."""
    config = TrainingConfig(optimizer=kind)
    model = Transformer(MODEL, torch.Generator().manual_seed(1))
    optimizers = Optimizers(model, config)
    learn(model, optimizers, range(5))
    restored = Transformer(MODEL)
    restored.load_exported(model.state_for_export())
    assert learn(restored, Optimizers(restored, config), range(5, 9)) != learn(model, optimizers, range(5, 9))


@kinds
def test_a_step_gives_the_norm_before_clipping_and_clears_the_gradients(kind):
    model = Transformer(MODEL, torch.Generator().manual_seed(1))
    ids = batch(1)
    (100 * model(ids[:, :-1], ids[:, 1:])).backward()
    wanted = math.sqrt(sum(float(p.grad.double().square().sum()) for p in model.parameters() if p.grad is not None))
    assert wanted > 1.0
    assert Optimizers(model, TrainingConfig(optimizer=kind)).step(1.0) == pytest.approx(wanted, rel=1e-5)
    assert all(parameter.grad is None for parameter in model.parameters())


@kinds
def test_the_memory_is_moved_in_rows_and_its_state_is_a_number_a_row(kind):
    model = Transformer(MEMORY, torch.Generator().manual_seed(1))
    optimizers = Optimizers(model, TrainingConfig(optimizer=kind))
    learn(model, optimizers, range(1))  # the head, which is at zero, has to move before anything else has a gradient
    assert model.memory is not None
    before = model.memory.table.detach().clone()
    ids_BT = batch(1)[:1, :4]
    model(ids_BT[:, :-1], ids_BT[:, 1:]).backward()
    optimizers.step(1.0)
    moved = (model.memory.table != before).any(dim=1)
    assert 0 < int(moved.sum()) <= 3 * (MEMORY.memory_order - 1) * model.memory.pieces
    assert all(parameter.grad is None for parameter in model.parameters())
    state = optimizers.state_tensors()
    assert state["memory.squares"].shape == (MEMORY.memory_rows,)
    assert all(tensor.shape != model.memory.table.shape for tensor in state.values())


def test_clipping_bounds_what_a_wild_gradient_leaves_in_the_state():
    def mean_of(factor: float) -> float:
        model = Transformer(MODEL, torch.Generator().manual_seed(1))
        optimizers = Optimizers(model, TrainingConfig(optimizer="adamw", clip=0.5))
        ids = batch(1)
        (factor * model(ids[:, :-1], ids[:, 1:])).backward()
        optimizers.step(1.0)
        means = [tensor for name, tensor in optimizers.state_tensors().items() if name.endswith("mean")]
        return math.sqrt(sum(float(mean.square().sum()) for mean in means))

    assert mean_of(1e6) == pytest.approx(0.1 * 0.5, rel=1e-3)
    assert mean_of(1e-3) < 0.1 * 0.5


def test_weight_decay_shrinks_matrices_and_leaves_norms():
    model = Transformer(MODEL, torch.Generator().manual_seed(1))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    Optimizers(model, TrainingConfig(optimizer="adamw", learning_rate=0.1, weight_decay=0.5)).step(1.0)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.data, before[name] * (0.95 if parameter.ndim == 2 else 1.0))


def test_a_factor_of_zero_moves_nothing():
    model = Transformer(MODEL, torch.Generator().manual_seed(1))
    before = pack(model.state_for_export())
    ids = batch(1)
    model(ids[:, :-1], ids[:, 1:]).backward()
    Optimizers(model, CONFIG).step(0.0)
    assert pack(model.state_for_export()) == before
