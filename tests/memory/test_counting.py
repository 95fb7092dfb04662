"""Contexts and counts, compared with counting in plain Python."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from paznja.memory.contexts import Lettering, hash_contexts
from paznja.memory.counting import COUNTS, count, token_bits
from paznja.memory.kinds import KINDS
from paznja.tokenizers.characters import CharacterTokenizer

Hashes = np.ndarray


def hashes_of(ids: np.ndarray, lettering: Lettering, start: int = 0, stop: int | None = None) -> Hashes:
    stop = len(ids) if stop is None else stop
    out = np.empty((stop - start, len(KINDS)), np.uint64)
    hash_contexts(ids, 0, start, stop, np.array(KINDS, np.int64), lettering.is_letter, lettering.folded, out)
    return out


@pytest.mark.parametrize("k", range(len(KINDS)))
def test_two_positions_have_the_same_hash_where_their_contexts_are_the_same_and_only_there(k, ids, lettering, context_of):
    hashes = hashes_of(ids, lettering)[:, k]
    contexts = [context_of(ids[max(0, t - 100) : t].tolist(), KINDS[k]) for t in range(len(ids))]
    settled = range(60, len(ids))  # before the first words the kinds begin differently
    by_context: dict[object, set[int]] = {}
    for t in settled:
        by_context.setdefault(contexts[t], set()).add(int(hashes[t]))
    assert all(len(found) == 1 for found in by_context.values())
    assert len({found.copy().pop() for found in by_context.values()}) == len(by_context)


def test_a_context_that_reaches_before_the_text_begins_has_none(ids, lettering):
    hashes = hashes_of(ids, lettering)
    for k, kind in enumerate(KINDS[:6]):
        assert (hashes[:kind, k] == 0).all()
        assert (hashes[kind:, k] != 0).all()


def test_hashes_are_the_same_wherever_the_reading_begins(ids, lettering):
    whole = hashes_of(ids, lettering)
    assert (hashes_of(ids, lettering, 1234, 1300) == whole[1234:1300]).all()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("least", [1, 3])
def test_counts_are_those_of_plain_counting(ids, lettering, counts_of, least, threads):
    tables = count(ids, np.empty((0, 2), np.int64), lettering, np.full(len(KINDS), least), threads)
    for table, kind in zip(tables, KINDS, strict=True):
        expected = Counter(
            (token, number) for after in counts_of(ids.tolist(), kind).values() if after.total() >= least for token, number in after.items()
        )
        found = Counter(zip((table.keys & ((1 << token_bits(12)) - 1)).tolist(), COUNTS[table.counts].tolist(), strict=True))
        assert sum(found.values()) == len(table.keys)
        # The first words of the text may begin differently.
        assert (found - expected).total() + (expected - found).total() <= (0 if kind < 32 else 40)


def test_entries_of_a_partition_ascend_and_every_partition_is_where_it_says(ids, lettering):
    for table in count(ids, np.empty((0, 2), np.int64), lettering, np.ones(len(KINDS), np.int64), 1):
        assert table.partition_starts[0] == 0
        assert table.partition_starts[-1] == len(table.keys)
        for start, stop in zip(table.partition_starts[:-1], table.partition_starts[1:], strict=True):
            assert (np.diff(table.keys[start:stop].astype(np.int64)) > 0).all()


def test_what_is_set_aside_is_counted_apart_too(ids, lettering):
    aside = np.array([[500, 900], [2000, 2600]])
    tables = count(ids, aside, lettering, np.ones(len(KINDS), np.int64), 1)
    for table, kind in zip(tables[:6], KINDS[:6], strict=True):
        assert COUNTS[table.counts].sum() == len(ids) - kind
        assert COUNTS[table.set_aside].sum() == 1000
        assert (table.set_aside <= table.counts).all()


def test_counts_in_a_byte_are_exact_while_they_are_small_and_near_afterwards():
    ids = np.array([3] * 5000 + [4], np.uint16)
    lettering = Lettering(np.ones(12, np.bool_), np.arange(12))
    table = count(ids, np.empty((0, 2), np.int64), lettering, np.ones(len(KINDS), np.int64), 1)[0]
    assert sorted(COUNTS[table.counts].tolist()) == [1.0, pytest.approx(4998, rel=0.05)]
    assert COUNTS[:128].tolist() == list(range(128))


def test_letters_are_letters_and_capitals_are_folded():
    tokenizer = CharacterTokenizer.learn(["Ана и Бане. АНА!\n" * 10])
    lettering = Lettering.of(tokenizer)
    of: Callable[[str], int] = lambda text: int(tokenizer.encode(text)[0])  # noqa: E731
    assert lettering.is_letter[of("а")]
    assert not lettering.is_letter[of(" ")]
    assert lettering.folded[of("А")] == of("а")
    assert lettering.folded[of("н")] == of("н")
