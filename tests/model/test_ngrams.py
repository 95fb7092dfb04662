"""N-grams find their rows: the same ones with any arithmetic, each by its own tokens only, and evenly."""

import itertools

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from paznja.model.ngrams import rows_of_ngrams

codes = st.lists(st.integers(0, 2**16), min_size=2, max_size=8)
TRIGRAMS = list(itertools.product(range(1, 60), repeat=3))
tables = st.integers(1, 2**31)
numbers_of_pieces = st.integers(1, 4)


@given(st.lists(st.tuples(*[st.integers(0, 2**16)] * 4), min_size=1, max_size=5), numbers_of_pieces, tables)
def test_integers_arrays_and_tensors_give_the_same_rows(positions, pieces, num_rows):
    one_by_one = [rows_of_ngrams(back, pieces, num_rows) for back in positions]
    arrays = rows_of_ngrams(list(np.array(positions).T), pieces, num_rows)
    tensors = rows_of_ngrams(list(torch.tensor(positions).T), pieces, num_rows)
    assert np.stack(arrays, axis=1).tolist() == torch.stack(tensors, dim=1).tolist() == one_by_one


@given(codes, numbers_of_pieces, tables)
def test_there_are_rows_of_the_table_for_every_order_from_two_on(back, pieces, num_rows):
    rows = rows_of_ngrams(back, pieces, num_rows)
    assert len(rows) == pieces * (len(back) - 1)
    assert all(0 <= row < num_rows for row in rows)


@given(codes, st.data())
def test_an_order_depends_on_its_own_tokens_and_on_no_older_ones(back, data):
    changed = data.draw(st.integers(0, len(back) - 1))
    other = [*back[:changed], back[changed] + 1, *back[changed + 1 :]]
    rows, others = rows_of_ngrams(back, 1, 2**31), rows_of_ngrams(other, 1, 2**31)
    for order, (row, its_other) in enumerate(zip(rows, others, strict=True), 2):
        assert (row == its_other) == (changed >= order)


def test_different_ngrams_hardly_ever_share_a_row_of_a_table_with_room():
    rows = {rows_of_ngrams(trigram, 1, 2**31)[1] for trigram in TRIGRAMS}
    assert len(rows) > 0.999 * len(TRIGRAMS)


def test_ngrams_that_share_a_row_hardly_ever_share_another():
    """About one in `num_rows` of them would by chance."""
    num_rows = 1000
    rows = np.array([rows_of_ngrams(trigram, 3, num_rows)[3:] for trigram in TRIGRAMS])
    order = np.argsort(rows[:, 0], kind="stable")
    first, second = rows[order[:-1]], rows[order[1:]]
    neighbours = first[:, 0] == second[:, 0]
    assert neighbours.sum() > 0.99 * (len(TRIGRAMS) - num_rows)
    for piece in (1, 2):
        assert (first[neighbours, piece] == second[neighbours, piece]).mean() < 5 / num_rows


def test_the_rows_of_a_small_table_are_filled_evenly():
    num_rows = 1000
    rows = np.array([rows_of_ngrams(trigram, 3, num_rows)[3:] for trigram in TRIGRAMS])
    for piece in range(3):
        filled = np.bincount(rows[:, piece], minlength=num_rows)
        # By chance alone it would be 205 a row, give or take 14.
        assert filled.min() > 100
        assert filled.max() < 350
