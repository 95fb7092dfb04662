"""The learned memory looks up the last tokens and no others, and begins by saying nothing."""

from dataclasses import replace

import pytest
import torch

from paznja.config import ModelConfig
from paznja.model.ngram_memory import NgramMemory
from paznja.model.ngrams import rows_of_ngrams
from paznja.model.transformer import Transformer

CONFIG = ModelConfig(
    layers=1, width=8, heads=2, hidden=12, context=10, vocabulary=30, memory="learned", memory_order=4, memory_rows=5000, memory_width=4
)


@pytest.fixture
def memory() -> NgramMemory:
    memory = NgramMemory(CONFIG)
    torch.nn.init.normal_(memory.table, generator=torch.Generator().manual_seed(1))
    return memory


@pytest.fixture
def ids_BT() -> torch.Tensor:
    return torch.randint(CONFIG.vocabulary, (3, CONFIG.context), generator=torch.Generator().manual_seed(5))


def vector(table_RW: torch.Tensor, rows: list[int]) -> torch.Tensor:
    """The rows of each order laid end to end, and the orders added up."""
    pieces = CONFIG.width // CONFIG.memory_width
    orders = [torch.cat([table_RW[row] for row in rows[start : start + pieces]]) for start in range(0, len(rows), pieces)]
    return torch.stack(orders).sum(0)


def rows_at(ids_BT: torch.Tensor, b: int, t: int) -> list[int]:
    back = [int(ids_BT[b, t - j]) + 1 if t >= j else 0 for j in range(CONFIG.memory_order)]
    return rows_of_ngrams(back, CONFIG.width // CONFIG.memory_width, CONFIG.memory_rows)


def test_a_position_is_given_the_rows_of_its_ngrams(memory, ids_BT):
    given_BTC = memory(ids_BT)
    for b in range(3):
        for t in range(CONFIG.context):
            torch.testing.assert_close(given_BTC[b, t], vector(memory.table, rows_at(ids_BT, b, t)))


def test_a_position_sees_as_many_tokens_as_the_order_and_no_more(memory, ids_BT):
    for position in range(CONFIG.context):
        changed = ids_BT.clone()
        changed[:, position] = (changed[:, position] + 1) % CONFIG.vocabulary
        moved_T = (memory(changed) - memory(ids_BT)).abs().amax(dim=(0, 2)) > 1e-4
        assert moved_T.nonzero().flatten().tolist() == list(range(position, min(position + CONFIG.memory_order, CONFIG.context)))


def test_the_gradient_is_that_of_the_rows_that_were_looked_up(memory, ids_BT):
    weights_BTC = torch.randn(3, CONFIG.context, CONFIG.width, generator=torch.Generator().manual_seed(7))
    (memory(ids_BT) * weights_BTC).sum().backward()
    gradient = memory.table.grad
    assert gradient is not None
    assert gradient.is_sparse
    table_RW = memory.table.detach().clone().requires_grad_()
    plain = [weights_BTC[b, t] @ vector(table_RW, rows_at(ids_BT, b, t)) for b in range(3) for t in range(CONFIG.context)]
    (wanted,) = torch.autograd.grad(torch.stack(plain).sum(), table_RW)
    torch.testing.assert_close(gradient.to_dense(), wanted)


def test_at_the_start_it_changes_nothing(ids_BT):
    generators = [torch.Generator().manual_seed(1) for _ in range(2)]
    with_it, without = Transformer(CONFIG, generators[0]), Transformer(replace(CONFIG, memory="none"), generators[1])
    for model in (with_it, without):
        assert model.head is not None
        torch.nn.init.normal_(model.head, generator=torch.Generator().manual_seed(2))
    assert torch.equal(with_it(ids_BT), without(ids_BT))


def test_at_the_start_the_table_gets_a_gradient_as_soon_as_the_head_has_one(ids_BT):
    model = Transformer(CONFIG, torch.Generator().manual_seed(1))
    assert model.head is not None
    torch.nn.init.normal_(model.head)
    model(ids_BT, ids_BT.roll(-1, dims=1)).backward()
    assert model.memory is not None
    assert model.memory.table.grad is not None
    assert model.memory.table.grad.to_dense().abs().max() > 0
