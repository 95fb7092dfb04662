"""An epoch covers the books once, in its own order, and only the position has to be remembered."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paznja.errors import NoBooks
from paznja.training.batches import Batches

shapes = given(length=st.integers(5, 400), context=st.integers(2, 20), batch=st.integers(1, 5), seed=st.integers(0, 99))


def numbered(length: int) -> np.ndarray:
    """Ids that show their own position."""
    return np.arange(length, dtype=np.uint16)


def draw(batches: Batches, windows: int) -> list[list[int]]:
    """This many windows (or a few more, to fill the last batch), each with its last next id."""
    drawn: list[list[int]] = []
    while len(drawn) < windows:
        ids_BT, next_ids_BT, _ = batches.next()
        drawn += torch.cat((ids_BT, next_ids_BT[:, -1:]), dim=1).tolist()
    return drawn


@shapes
def test_the_next_ids_are_the_ids_one_further_in_the_books(length, context, batch, seed):
    batches = Batches(numbered(length + 2 * context), context, batch, seed)
    for _ in range(5):
        ids_BT, next_ids_BT, _ = batches.next()
        assert ids_BT.shape == next_ids_BT.shape == (batch, context)
        assert ids_BT.dtype == next_ids_BT.dtype == torch.int64
        assert torch.equal(next_ids_BT, ids_BT + 1)
        assert (ids_BT.diff(dim=1) == 1).all()


@shapes
@settings(deadline=None)
def test_an_epoch_asks_for_every_token_once_but_for_less_than_a_window_at_each_end(length, context, batch, seed):
    length += 2 * context
    windows = (length - context - 1) // context
    drawn = draw(Batches(numbered(length), context, batch, seed), 3 * windows)
    for epoch in range(3):
        asked = sorted(token for window in drawn[epoch * windows : (epoch + 1) * windows] for token in window[1:])
        assert asked == list(range(asked[0], asked[0] + windows * context))
        assert asked[0] <= context
        assert length - 1 - asked[-1] <= 2 * context


@given(seed=st.integers(0, 999))
def test_every_epoch_has_an_order_and_an_offset_of_its_own(seed):
    windows = (1000 - 9) // 8
    starts = [window[0] for window in draw(Batches(numbered(1000), 8, 4, seed), 6 * windows)]
    epochs = [starts[i * windows : (i + 1) * windows] for i in range(6)]
    assert len({tuple(epoch) for epoch in epochs}) == 6
    assert all(epoch != sorted(epoch) for epoch in epochs)
    assert len({epoch[0] % 8 for epoch in epochs}) > 1


@shapes
@settings(deadline=None)
def test_a_restored_position_draws_what_the_undisturbed_one_would_have_drawn(length, context, batch, seed):
    ids = numbered(length + 2 * context)
    undisturbed = Batches(ids, context, batch, seed)
    for _ in range(7):
        restored = Batches(ids, context, batch, seed)
        restored.windows_drawn = undisturbed.windows_drawn
        wanted, given = undisturbed.next(), restored.next()
        assert torch.equal(wanted[0], given[0])
        assert torch.equal(wanted[1], given[1])
    assert undisturbed.windows_drawn == 7 * batch


def test_a_position_can_be_set_back_as_well():
    batches = Batches(numbered(200), 5, 3, seed=1)
    first = batches.next()[0]
    draw(batches, 300)
    batches.windows_drawn = 0
    assert torch.equal(batches.next()[0], first)


def test_the_seed_decides_the_order():
    def starts(seed: int) -> list[int]:
        return [window[0] for window in draw(Batches(numbered(500), 5, 10, seed), 50)]

    assert starts(1) == starts(1)
    assert starts(1) != starts(2)


def test_too_little_text_is_refused_with_what_is_needed():
    with pytest.raises(NoBooks, match=r"40 tokens long; a context of 20 needs 41"):
        Batches(numbered(40), 20, 1, seed=1)
    assert len(draw(Batches(numbered(41), 20, 1, seed=1), 10)) == 10
