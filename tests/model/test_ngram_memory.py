"""The learned memory looks up the last tokens and no others, and begins by saying nothing."""

from dataclasses import replace

import pytest
import torch

from paznja.config import ModelConfig
from paznja.model.ngram_memory import NgramMemory, table_loops
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


def test_what_was_found_gets_the_gradient_of_every_row_that_was_looked_up(memory, ids_BT):
    weights_BTC = torch.randn(3, CONFIG.context, CONFIG.width, generator=torch.Generator().manual_seed(7))
    (memory(ids_BT) * weights_BTC).sum().backward()
    ((rows_NL, found_NC),) = memory.looked_up
    assert found_NC.grad is not None
    pieces_NPW = found_NC.grad.view(len(rows_NL), memory.pieces, -1)
    values_NOPW = pieces_NPW[:, None].expand(-1, memory.orders, -1, -1)
    summed = torch.zeros_like(memory.table).index_add_(0, rows_NL.flatten().long(), values_NOPW.reshape(-1, CONFIG.memory_width))
    table_RW = memory.table.detach().clone().requires_grad_()
    plain = [weights_BTC[b, t] @ vector(table_RW, rows_at(ids_BT, b, t)) for b in range(3) for t in range(CONFIG.context)]
    (wanted,) = torch.autograd.grad(torch.stack(plain).sum(), table_RW)
    torch.testing.assert_close(summed, wanted)


def test_where_no_gradients_are_computed_nothing_is_noted(memory, ids_BT):
    with torch.inference_mode():
        memory(ids_BT)
    assert memory.looked_up == []
    memory(ids_BT)
    assert len(memory.looked_up) == 1


@pytest.mark.parametrize("order", [2, 3, 6])
@pytest.mark.parametrize("context", [1, 4, 10])
def test_the_compiled_loops_find_what_plain_pytorch_finds(order, context, monkeypatch):
    memory = NgramMemory(replace(CONFIG, memory_order=order))
    torch.nn.init.normal_(memory.table, generator=torch.Generator().manual_seed(1))
    ids_BT = torch.randint(CONFIG.vocabulary, (3, context), generator=torch.Generator().manual_seed(5))
    assert table_loops() is not None
    compiled = memory(ids_BT)
    monkeypatch.setattr("paznja.model.ngram_memory.table_loops", lambda: None)
    plain = memory(ids_BT)
    assert torch.equal(memory.looked_up[0].rows, memory.looked_up[1].rows.int())
    torch.testing.assert_close(compiled, plain)


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
    gradient = model.memory.looked_up[0].found.grad
    assert gradient is not None
    assert gradient.abs().max() > 0
