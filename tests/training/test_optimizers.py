"""Muon orthogonalises, the rest is torch's AdamW, and their state survives a restart bit for bit."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from paznja.config import ModelConfig, TrainingConfig
from paznja.model.ngram_memory import LookedUp, NgramMemory
from paznja.model.transformer import Transformer
from paznja.model.weights import pack, unpack
from paznja.training.optimizers import AdamW, Layout, Matrix, Muon, Optimizers, RowAdagrad, orthogonalise

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


def muon_for(weights: list[Tensor], parts: int = 1, decay: float = 0.95) -> Muon:
    starts = itertools.accumulate((one.numel() for one in weights), initial=0)
    matrices = [Matrix(one, start, parts) for one, start in zip(weights, starts, strict=False)]
    return Muon(matrices, torch.zeros(sum(one.numel() for one in weights)), decay=decay)


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (6, 3), (3, 6)])
@pytest.mark.parametrize("parts", [2, 3])
def test_a_fused_matrix_moves_as_its_parts_would_alone(rows, columns, parts):
    pieces = [random(rows, columns, seed=i) for i in range(parts)]
    fused = torch.cat(pieces)
    apart, together = muon_for(pieces), muon_for([fused], parts)
    gradient = torch.zeros(parts * rows, columns)
    for seed in range(3):
        gradient = random(parts * rows, columns, seed=50 + seed)
        apart.step(gradient.flatten().clone(), 0.1)
        together.step(gradient.flatten().clone(), 0.1)
        torch.testing.assert_close(fused, torch.cat(pieces))
    whole, split = torch.zeros_like(fused), torch.zeros_like(fused)
    muon_for([whole]).step(gradient.flatten().clone(), 0.1)
    muon_for([split], parts).step(gradient.flatten().clone(), 0.1)
    assert not torch.allclose(whole, split, atol=1e-3)


@pytest.mark.parametrize(("rows", "columns", "scale"), [(4, 4, 1.0), (12, 3, 2.0), (3, 12, 1.0)])
def test_a_step_goes_against_the_gradient_by_the_learning_rate_in_every_direction(rows, columns, scale):
    gradient = with_singular_values([1.0, 0.5, 0.2], max(rows, columns), seed=1) if rows != columns else random(4, 4, seed=3)
    if rows > columns:
        gradient = gradient.T
    weights = torch.zeros(rows, columns)
    muon_for([weights]).step(gradient.flatten().clone(), 0.1)
    values = torch.linalg.svdvals(weights) / (0.1 * scale)
    assert values.min() > 0.5
    assert values.max() < 1.3
    assert (weights * gradient).sum() < 0


def test_momentum_is_nesterovs():
    weights, decay = torch.zeros(3, 5), 0.9
    muon = muon_for([weights], decay=decay)
    buffer, wanted = torch.zeros(3, 5), torch.zeros(3, 5)
    for seed in range(4):
        gradient = random(3, 5, seed=seed)
        muon.step(gradient.flatten().clone(), 0.1)
        buffer = decay * buffer + (1 - decay) * gradient
        wanted = wanted - 0.1 * orthogonalise(((1 - decay) * gradient + decay * buffer)[None])[0]
        torch.testing.assert_close(weights, wanted, rtol=1e-4, atol=1e-5)


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
            alone = before[full_name].clone()
            muon_for([alone], parts).step(gradients[full_name].flatten(), 0.5 * TrainingConfig().matrix_learning_rate)
            torch.testing.assert_close(dict(model.named_parameters())[full_name].data, alone, rtol=1e-4, atol=1e-6)


# --- AdamW ----------------------------------------------------------------------------------------------------------------------------


def test_adamw_takes_the_steps_of_the_formula():
    start, betas, decay = random(3, 4, seed=1), (0.9, 0.95), 0.1
    weights = start.clone()
    optimizer = AdamW([weights], [decay], [torch.zeros(3, 4)], [torch.zeros(3, 4)], betas=betas)
    wanted, mean, square = start.double(), torch.zeros(3, 4).double(), torch.zeros(3, 4).double()
    for step in range(1, 6):
        gradient, rate = random(3, 4, seed=step + 10), 0.01 * step
        optimizer.step([gradient.clone()], rate)
        mean = betas[0] * mean + (1 - betas[0]) * gradient
        square = betas[1] * square + (1 - betas[1]) * gradient**2
        moved = mean / (1 - betas[0] ** step) / ((square / (1 - betas[1] ** step)).sqrt() + 1e-10)
        wanted = wanted * (1 - rate * decay) - rate * moved
        torch.testing.assert_close(weights.double(), wanted, rtol=1e-5, atol=1e-6)


# --- the table of the memory ----------------------------------------------------------------------------------------------------------


TABLE = replace(MODEL, width=4, heads=1, memory="learned", memory_order=2, memory_rows=6, memory_width=4)
"""A position has one look-up, of a row as wide as the network."""

with_and_without_numba = pytest.mark.parametrize("numba", [True, False], ids=["compiled", "plain"])


@pytest.fixture
def table(numba, monkeypatch) -> NgramMemory:
    if not numba:
        monkeypatch.setattr("paznja.training.optimizers.table_loops", lambda: None)
    memory = NgramMemory(TABLE)
    memory.table.data.copy_(random(6, 4, seed=1))
    return memory


def looked_up(rows: list[int], values_NC: Tensor) -> LookedUp:
    return LookedUp(torch.tensor(rows, dtype=torch.int32)[:, None], values_NC)


@with_and_without_numba
def test_adagrad_takes_the_steps_of_the_formula_with_one_mean_square_a_row(table):
    rate = 0.1
    optimizer = RowAdagrad(table, torch.zeros(6), (0, 6))
    wanted, squares = table.table.data.double(), torch.zeros(6).double()
    for step in range(4):
        rows, values = [5, 1, 5, step], random(4, 4, seed=step + 10)
        optimizer.step([looked_up(rows[:2], values[:2]), looked_up(rows[2:], values[2:])], rate)
        dense = torch.zeros(6, 4).double().index_add_(0, torch.tensor(rows), values.double())
        squares += dense.square().mean(1)
        wanted -= rate * dense / (squares.sqrt() + 1e-12)[:, None]
        torch.testing.assert_close(table.table.data.double(), wanted, rtol=1e-5, atol=1e-6)


@with_and_without_numba
def test_adagrad_leaves_rows_that_were_not_looked_up_as_they_are(table):
    before = table.table.detach().clone()
    RowAdagrad(table, torch.zeros(6), (0, 6)).step([looked_up([2, 4, 2], random(3, 4, seed=2))], 0.1)
    moved = (table.table.data != before).any(dim=1)
    assert moved.tolist() == [False, False, True, False, True, False]


@with_and_without_numba
def test_processes_that_each_move_their_own_rows_do_what_one_does(table):
    whole, squares = NgramMemory(TABLE), torch.zeros(6)
    whole.table.data.copy_(table.table.data)
    alone, shared = RowAdagrad(whole, torch.zeros(6), (0, 6)), [RowAdagrad(table, squares, rows) for rows in ((0, 2), (2, 3), (3, 6))]
    for step in range(3):
        seen = [looked_up([0, 2, 5, 2, 3, step], random(6, 4, seed=step))]
        alone.step(seen, 0.1)
        for one in shared:
            one.step(seen, 0.1)
    assert torch.equal(whole.table.data, table.table.data)


@with_and_without_numba
def test_a_row_whose_gradient_is_nothing_stays_a_number(table):
    table.table.data.zero_()
    RowAdagrad(table, torch.zeros(6), (0, 6)).step([looked_up([1], torch.zeros(1, 4))], 0.1)
    assert torch.equal(table.table.data, torch.zeros(6, 4))


@pytest.mark.parametrize("width", [4, 12])
def test_the_compiled_loops_move_rows_as_plain_pytorch_does(width, monkeypatch):
    config = replace(MEMORY, width=width, memory_rows=40)
    tables: list[Tensor] = []
    for loops in (True, False):
        if not loops:
            monkeypatch.setattr("paznja.training.optimizers.table_loops", lambda: None)
        memory = NgramMemory(config)
        optimizer = RowAdagrad(memory, torch.zeros(40), (0, 40))
        for step in range(5):
            found_BTC = memory(batch(step))
            (found_BTC * random(*found_BTC.shape, seed=step)).sum().backward()
            (seen,) = memory.looked_up
            assert seen.found.grad is not None
            optimizer.step([(seen.rows, seen.found.grad)], 0.1)
            memory.looked_up.clear()
        tables.append(memory.table.data)
    assert tables[0].abs().max() > 0.1
    torch.testing.assert_close(tables[0], tables[1], rtol=1e-5, atol=1e-6)


# --- who answers for what -------------------------------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("size", [1, 2, 3, 4, 40])
def test_every_weight_has_one_process_that_answers_for_it(kind, size):
    model = Transformer(MODEL)
    matrices = {id(p): 1 for p in model.parameters() if p.ndim == 2} if kind == "muon" else {}
    layout = Layout(list(model.parameters()), matrices, size)
    assert sorted(map(id, layout.parameters)) == sorted(map(id, model.parameters()))
    assert len(layout.bounds) == size + 1
    assert layout.bounds[-1] == sum(p.numel() for p in model.parameters())
    ends = {start + p.numel() for p, start in zip(layout.parameters, layout.starts, strict=True)}
    assert set(layout.bounds[1:-1]) <= ends | {0}
    assert [sum(numbers) for numbers in layout.kinds] == [b - a for a, b in itertools.pairwise(layout.bounds)]


def test_the_work_is_dealt_evenly():
    layout = Layout(list(Transformer(replace(MODEL, layers=6)).parameters()), {}, 3)
    shares = [b - a for a, b in itertools.pairwise(layout.bounds)]
    assert max(shares) < 1.2 * min(shares)


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
    assert Optimizers(model, TrainingConfig(optimizer=kind)).step(1.0, 2.5) == pytest.approx((2.5, wanted), rel=1e-5)
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
