"""Bits per character compared with a slow loop and with models whose figures are known beforehand, and the choice of what is scored."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from paznja.config import ModelConfig
from paznja.evaluation.bits_per_character import TOKENS_AT_ONCE, bits_of_texts, score, spread
from paznja.model.transformer import Transformer

VOCABULARY = 11
NEWLINE = 4
CONTEXTS = [2, 3, 8, 9]


def config(context: int) -> ModelConfig:
    return ModelConfig(layers=1, width=8, heads=2, hidden=12, context=context, vocabulary=VOCABULARY)


def random_model(context: int) -> Transformer:
    generator = torch.Generator().manual_seed(1)
    model = Transformer(config(context))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.7, generator=generator)
    return model


def text_of(length: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(VOCABULARY, size=length).astype(np.uint16)


def slow_bits(model: Transformer, text: np.ndarray) -> float:
    """Each token by itself, by the definition: windows overlap by half, and the first half of each but the first is not scored."""
    context = model.config.context
    ids = [NEWLINE, *(int(i) for i in text)]
    bits = 0.0
    for k in range(1, len(ids)):
        # The first window that reaches the token scores it.
        start = 0
        while k > start + context:
            start += context // 2
        with torch.no_grad():
            logits_V = model(torch.tensor([ids[start:k]]))[0, -1].double()
        bits -= float(logits_V.log_softmax(0)[ids[k]]) / math.log(2)
    return bits


class Pairs(Transformer):
    """A network without its blocks: what comes next depends only on the last token, so no window changes a token's figure."""

    def __init__(self, context: int) -> None:
        super().__init__(config(context), torch.Generator().manual_seed(1))  # fresh blocks are the identity
        with torch.no_grad():
            assert self.head is not None
            self.head.normal_(std=2.0, generator=torch.Generator().manual_seed(2))
            logits_VV = self(torch.arange(VOCABULARY)[:, None])[:, 0]
        self.bits_VV = -logits_VV.log_softmax(-1).double().numpy() / math.log(2)

    def bits_of(self, text: np.ndarray) -> float:
        return float(sum(self.bits_VV[before, token] for before, token in zip([NEWLINE, *text], text, strict=False)))


class Counts:
    """No network: an id's probability is its share among the ids before it in its row, each counted once more than it occurs."""

    context, device = 6, torch.device("cpu")

    def losses(self, ids_BT: torch.Tensor, next_ids_BT: torch.Tensor, evidence: object = None) -> torch.Tensor:
        times_BTV = torch.nn.functional.one_hot(ids_BT, VOCABULARY).cumsum(1) + 1
        return -(times_BTV / times_BTV.sum(2, keepdim=True)).log().gather(2, next_ids_BT[:, :, None])[:, :, 0]


def test_anything_that_says_how_likely_the_next_id_was_can_be_scored():
    text = text_of(40)
    ids, bits, start = [NEWLINE, *text.tolist()], 0.0, 0
    for k in range(1, len(ids)):
        start += 3 if k > start + 6 else 0
        bits -= math.log2((ids[start:k].count(ids[k]) + 1) / (k - start + VOCABULARY))
    assert bits_of_texts(Counts(), [text], NEWLINE) == pytest.approx([bits])


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("more", [-7, -1, 0, 1, 2, 25])
def test_it_equals_a_slow_loop_over_overlapping_windows(context, more):
    length = max(1, context + more)
    model, text = random_model(context), text_of(length)
    assert bits_of_texts(model, [text], NEWLINE) == pytest.approx([slow_bits(model, text)], rel=1e-5)


def test_what_came_before_a_window_matters_within_it_and_no_further():
    """This shows that the test above would notice windows that are cut differently."""
    model, text = random_model(8), text_of(30)
    assert bits_of_texts(model, [text], NEWLINE) != pytest.approx([slow_bits(random_model(9), text)], rel=1e-3)


@settings(deadline=None)
@given(context=st.sampled_from(CONTEXTS), lengths=st.lists(st.integers(0, 40), min_size=1, max_size=5))
def test_every_token_of_every_text_is_scored_exactly_once(context, lengths):
    model = Pairs(context)
    texts = [text_of(length, seed) for seed, length in enumerate(lengths)]
    assert bits_of_texts(model, texts, NEWLINE) == pytest.approx([model.bits_of(text) for text in texts], rel=1e-5)


@pytest.mark.parametrize("context", [8, 9])
def test_every_token_is_scored_once_also_where_there_are_many_batches(context):
    model = Pairs(context)
    texts = [text_of(length, seed) for seed, length in enumerate((TOKENS_AT_ONCE, 3, TOKENS_AT_ONCE + 1))]
    assert bits_of_texts(model, texts, NEWLINE) == pytest.approx([model.bits_of(text) for text in texts], rel=1e-5)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 100])
def test_a_model_that_knows_nothing_needs_log2_of_the_vocabulary_a_token(length):
    bits = bits_of_texts(Transformer(config(8)), [text_of(length)], NEWLINE)
    assert bits == pytest.approx([length * math.log2(VOCABULARY)])


def test_a_text_has_the_same_figure_alone_and_among_others():
    model = random_model(8)
    texts = [text_of(length, seed) for seed, length in enumerate((50, 1, 9, 300, 8))]
    alone = [bits_of_texts(model, [text], NEWLINE)[0] for text in texts]
    assert bits_of_texts(model, texts, NEWLINE) == pytest.approx(alone, rel=1e-5)


def test_scoring_tells_how_many_tokens_are_done():
    texts = [text_of(TOKENS_AT_ONCE), text_of(5), text_of(TOKENS_AT_ONCE + 3)]
    steps = list(score(random_model(8), texts, NEWLINE))
    done = [step for step, _ in steps]
    assert len(steps) > 2
    assert done == sorted(set(done))
    assert done[-1] == sum(map(len, texts))
    assert {total for _, total in steps} == {sum(map(len, texts))}


def test_nothing_is_learnt_while_scoring():
    model = random_model(8)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    first = bits_of_texts(model, [text_of(100)], NEWLINE)
    assert bits_of_texts(model, [text_of(100)], NEWLINE) == first
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_half_precision_comes_close():
    model, text = random_model(8), text_of(100)
    scoring = score(model, [text], NEWLINE, precision=torch.bfloat16)
    while True:
        try:
            next(scoring)
        except StopIteration as finished:
            (bits,) = finished.value
            break
    assert bits == pytest.approx(bits_of_texts(model, [text], NEWLINE)[0], rel=0.02)


# --- the fixed part -------------------------------------------------------------------------------------------------------------------

lengths_of_books = st.lists(st.integers(0, 3000), min_size=1, max_size=8)


def books(lengths: list[int]) -> list[np.ndarray]:
    """Every token is a different number, so that a piece shows where it comes from."""
    ids = np.arange(sum(lengths), dtype=np.uint16)
    ends = np.cumsum(lengths)
    return [ids[end - length : end] for length, end in zip(lengths, ends, strict=True)]


@given(lengths_of_books, st.integers(30, 5000), st.integers(2, 25))
def test_the_part_that_is_scored_lies_within_the_books_and_is_no_longer_than_asked(lengths, tokens, pieces):
    texts = books(lengths)
    chosen = spread(texts, tokens, pieces)
    assert sum(map(len, chosen)) == (pieces * (tokens // pieces) if sum(lengths) > tokens else sum(lengths))
    assert len(chosen) <= pieces + len(texts)
    ends = np.cumsum(lengths)
    for piece in chosen:
        if len(piece):
            assert (np.diff(piece.astype(int)) == 1).all()
            # Within one book: the same number of books end before its first token as before its last.
            assert np.searchsorted(ends, piece[0], side="right") == np.searchsorted(ends, piece[-1], side="right")


@given(lengths_of_books, st.integers(30, 5000))
def test_no_token_is_taken_twice(lengths, tokens):
    taken = np.concatenate(spread(books(lengths), tokens))
    assert len(np.unique(taken)) == len(taken)


@given(lengths_of_books, st.integers(30, 5000))
def test_it_is_the_same_part_every_time(lengths, tokens):
    one, other = spread(books(lengths), tokens), spread(books(lengths), tokens)
    assert [piece.tolist() for piece in one] == [piece.tolist() for piece in other]


@given(lengths_of_books)
def test_where_it_is_enough_all_of_the_books_are_the_part(lengths):
    texts = books(lengths)
    assert [piece.tolist() for piece in spread(texts, sum(lengths))] == [text.tolist() for text in texts]


@given(st.integers(1000, 60_000), st.integers(100, 900))
def test_it_goes_from_the_first_token_to_the_end_in_equal_steps(length, tokens):
    assume(length > tokens)
    chosen = spread(books([length]), tokens)
    assert chosen[0][0] == 0
    assert chosen[-1][0] + (length - 1) // 25 + 1 >= length - 1
    assert {len(piece) for piece in chosen} == {tokens // 25}
    steps = np.diff([int(piece[0]) for piece in chosen])
    assert steps.max() - steps.min() <= 1
