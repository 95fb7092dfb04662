"""What the memory says, compared with the plain formula; what it recalls; what is set aside; its file."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from paznja.memory.contexts import Lettering
from paznja.memory.counted import CountedMemory, Row
from paznja.memory.evidence import BUCKETS_PER_SHARE, Evidence, add_weighed, weights_gradient
from paznja.memory.kinds import BUCKETS, FEATURES, KINDS, NUM_KINDS, ORDERS, RECALLED_KINDS
from paznja.memory.recall import NONE, Text
from paznja.memory.remembered import Remembered, Writing
from paznja.memory.storing import from_bytes, to_bytes

ASIDE = np.array([[3000, 4000]])


@pytest.fixture(scope="module")
def memory(ids, lettering) -> CountedMemory:
    return CountedMemory.count(ids, lettering, set_aside=ASIDE)


@pytest.fixture(scope="module")
def text(ids, lettering) -> Text:
    """The part that is set aside, as a separate text."""
    return Text(ids[3000:], lettering)


def said(evidence: Evidence, position: int, kind: int) -> dict[int, float]:
    entries = slice(evidence.starts[position, kind], evidence.starts[position, kind + 1])
    return dict(zip(evidence.tokens[entries].tolist(), evidence.gains[entries].tolist(), strict=True))


def plain_prior(memory: CountedMemory, before: list[int], counts: list[dict], context_of) -> tuple[np.ndarray, list[dict[int, float]]]:
    """P after all orders, and every order's gains, by the plain formula."""
    p = memory.tables.base.copy()
    gains: list[dict[int, float]] = []
    for k, order in enumerate(ORDERS):
        after: Counter[int] = counts[k].get(context_of(before, order), Counter())
        gains.append({})
        if not after:
            continue
        discount = [float(memory.tables.discounts[k, min(3, c)]) for c in range(200)]
        total = after.total()
        left = sum(discount[c] for c in after.values()) / total
        refined = p * left
        for token, c in after.items():
            refined[token] += (c - discount[c]) / total
            gains[-1][token] = math.log(refined[token] / (left * p[token]))
        p = refined
    return p, gains


@pytest.mark.parametrize("learning", [False, True])
def test_gains_of_the_orders_are_those_of_the_formula_with_and_without_what_is_set_aside(
    learning, ids, memory, text, counts_of, context_of
):
    counted = ids[:3000].tolist() if learning else ids.tolist()
    counts = [counts_of(counted, order) for order in ORDERS]
    evidence = memory.look_up([Row(text, 500, 560, learning)], 60)
    for position in range(60):
        before = text.ids[: 500 + position].tolist()
        _, gains = plain_prior(memory, before, counts, context_of)
        for k, expected in enumerate(gains):
            found = said(evidence, position, k)
            assert found.keys() == expected.keys()
            for token, gain in expected.items():
                # Where the two parts meet, a few contexts reach across the border.
                assert found[token] == pytest.approx(gain, abs=0.02 if learning else 1e-4)


def test_all_gains_together_make_the_prior(memory, text):
    evidence = memory.look_up([Row(text, 700, 740)], 40)
    logits = np.tile(np.log(memory.tables.base).astype(np.float32), (40, 1))
    add_weighed(evidence.starts, evidence.tokens, evidence.gains, np.ones((40, NUM_KINDS), np.float32), logits)
    p = np.exp(logits.astype(np.float64))
    np.testing.assert_allclose(p / p.sum(1, keepdims=True), evidence.prior.astype(np.float64) ** 2, atol=1e-5)
    np.testing.assert_allclose((evidence.prior.astype(np.float64) ** 2).sum(1), 1.0, atol=1e-5)


def test_a_context_that_was_never_seen_says_nothing(memory, lettering):
    strange = Text(np.array([2, 2, 0, 2, 0, 0, 2, 0, 2], np.uint16), lettering)
    evidence = memory.look_up([Row(strange, 9, 10)], 1)
    for k in (4, 5):
        assert said(evidence, 0, k) == {}
        assert evidence.buckets[0, k] == 0
        assert not evidence.features[0, FEATURES * k : FEATURES * (k + 1)].any()


def test_features_and_buckets_say_how_sure_a_kind_can_be(ids, memory, text, counts_of, context_of):
    evidence = memory.look_up([Row(text, 800, 830)], 30)
    for position in range(30):
        before = text.ids[: 800 + position].tolist()
        after = counts_of(ids.tolist(), 2)[context_of(before, 2)]
        share = max(after.values()) / after.total()
        expected = [1.0, 0.3 * math.log(after.total()), share, 0.3 * math.log(len(after))]
        np.testing.assert_allclose(evidence.features[position, :FEATURES], expected, rtol=0.02)
        bucket = 1 + BUCKETS_PER_SHARE * min(3, int(4 * share)) + min(7, int(math.log2(after.total())))
        assert evidence.buckets[position, 0] == bucket
    assert evidence.buckets.max() < BUCKETS


def test_rows_are_answered_side_by_side_as_one_by_one(memory, text):
    rows = [Row(text, 100, 140), Row(text, 300, 340, learning=True), Row(text, 310, 330)]
    together = memory.look_up(rows, 40, threads=2)
    for i, row in enumerate(rows):
        alone = memory.look_up([row], row.stop - row.start)
        for position in range(row.stop - row.start):
            for k in range(NUM_KINDS):
                assert said(together, 40 * i + position, k) == said(alone, position, k)
    empty = slice(100, 120)
    assert not together.prior[empty].any()
    assert (together.starts[empty] == 0).all()


# --- what occurred before in the same text ------------------------------------------------------------------------------------------------


def test_links_lead_to_the_last_place_with_the_same_context(text):
    for r, order in enumerate(RECALLED_KINDS):
        last: dict[tuple[int, ...], int] = {}
        for t in range(text.length + 1):
            context = tuple(text.ids[t - order : t].tolist()) if t >= order else None
            if context is not None:
                assert text.links[r, t] == last.get(context, NONE)
                last[context] = t
            else:
                assert text.links[r, t] == NONE


def test_nothing_is_recalled_from_another_book_or_from_what_is_to_come(ids, lettering, memory):
    spans = np.array([[0, 1000], [1000, 2500], [2500, 4000]])
    together = Text(ids, lettering, spans)
    for start, stop in spans:
        assert together.first(int(start)) == together.first(int(stop) - 1) == start
    for start, stop in spans:
        alone = memory.look_up([Row(Text(ids[start:stop], lettering), 400, 450)], 50)
        among = memory.look_up([Row(together, int(start) + 400, int(start) + 450)], 50)
        np.testing.assert_allclose(among.prior, alone.prior, atol=1e-6)
    changed = ids.copy()
    changed[1450:2500] = 3
    before = memory.look_up([Row(together, 1400, 1450)], 50)
    after = memory.look_up([Row(Text(changed, lettering, spans), 1400, 1450)], 50)
    np.testing.assert_array_equal(before.prior, after.prior)


def test_what_was_just_said_is_expected_again(memory, lettering):
    phrase = [11, 2, 10, 9, 2, 2, 8, 11, 0]
    once = Text(np.array(phrase + phrase[:-1], np.uint16), lettering)
    evidence = memory.look_up([Row(once, once.length, once.length + 1)], 1)
    recalled = said(evidence, 0, len(KINDS) + len(RECALLED_KINDS) - 1)
    assert recalled.keys() == {0}
    assert recalled[0] > 0


def test_a_text_that_grows_token_by_token_is_the_text_that_was_there_at_once(ids, lettering):
    growing = Text(ids[:5], lettering, growing=True)
    for new_id in ids[5:700]:
        growing.append(int(new_id))
    whole = Text(ids[:700], lettering)
    assert growing.length == 700
    assert (growing.ids[:700] == whole.ids).all()
    assert (growing.links[:, :701] == whole.links[:, :701]).all()


def test_scored_pieces_know_what_stands_before_them_in_their_text(ids, lettering, memory):
    newline = 0
    whole = Remembered(memory, newline, [ids[:2000]])
    texts, places = [ids[2000:2500], ids[:2000]], [(1, 100, 200), (0, 0, 50), (1, 1500, 1600)]
    pieces = Remembered(memory, newline, texts, places, threads=2)
    for piece, start in ((0, 100), (2, 1500)):
        expected = whole.evidence([(0, start + 10, start + 40)], 30)
        np.testing.assert_allclose(pieces.evidence([(piece, 10, 40)], 30).prior, expected.prior, atol=1e-6)
    other = Remembered(memory, newline, [ids[2000:2050]])
    np.testing.assert_allclose(pieces.evidence([(1, 0, 50)], 50).prior, other.evidence([(0, 0, 50)], 50).prior, atol=1e-6)


def test_texts_that_are_written_read_themselves(ids, lettering, memory):
    writing = Writing(memory, ids[:50].tolist(), 2)
    assert writing.evidence(50).prior.shape == (100, 12)
    for i in range(50, 90):
        writing.append([int(ids[i]), int(ids[i + 1])])
    text = Text(ids[:90], lettering)
    expected = memory.look_up([Row(text, 88, 91)], 3)
    np.testing.assert_allclose(writing.evidence(3).prior[:3], expected.prior, atol=1e-6)


# --- weights, and the file ----------------------------------------------------------------------------------------------------------------


def test_the_weights_gradient_is_that_of_the_sum(memory, text):
    evidence = memory.look_up([Row(text, 200, 210)], 10)
    dense = torch.zeros(10, NUM_KINDS, 12)
    for position in range(10):
        for k in range(NUM_KINDS):
            for token, gain in said(evidence, position, k).items():
                dense[position, k, token] = gain
    generator = torch.Generator().manual_seed(1)
    weights = torch.rand(10, NUM_KINDS, generator=generator, requires_grad=True)
    gradient = torch.randn(10, 12, generator=generator)
    logits = (weights[:, :, None] * dense).sum(1)
    logits.backward(gradient)
    out, added = np.empty((10, NUM_KINDS), np.float32), np.zeros((10, 12), np.float32)
    weights_gradient(evidence.starts, evidence.tokens, evidence.gains, gradient.numpy(), out)
    add_weighed(evidence.starts, evidence.tokens, evidence.gains, weights.detach().numpy(), added)
    assert weights.grad is not None
    np.testing.assert_allclose(out, weights.grad.numpy(), atol=1e-4)
    np.testing.assert_allclose(added, logits.detach().numpy(), atol=1e-4)


def test_the_file_holds_all_that_is_needed(memory, text, lettering):
    content = to_bytes(memory)
    again = from_bytes(content)
    assert to_bytes(again) == content
    for name in ("keys", "counts", "slots", "slot_offsets", "slot_bits", "discounts", "least", "base"):
        np.testing.assert_array_equal(getattr(again.tables, name), getattr(memory.tables, name))
    np.testing.assert_array_equal(again.lettering.folded, lettering.folded)
    expected, found = (m.look_up([Row(text, 300, 340)], 40) for m in (memory, again))
    np.testing.assert_array_equal(found.prior, expected.prior)


@pytest.mark.parametrize("damage", ["cut", "differences", "counts", "version"])
def test_a_damaged_file_is_refused(memory, damage):
    from safetensors.numpy import load, save

    content = to_bytes(memory)
    if damage == "cut":
        content = content[: len(content) // 2]
    else:
        arrays = dict(load(content))
        if damage == "version":
            arrays["version"] = arrays["version"] + 1
        else:
            arrays[damage] = arrays[damage][:-7].copy()
        content = save(arrays)
    with pytest.raises(ValueError, match=r"."):
        from_bytes(content)


def test_a_vocabulary_of_another_size_is_packed_and_unpacked_alike(lettering):
    numbers = np.random.default_rng(2)
    ids = numbers.integers(0, 3000, 5000).astype(np.uint16)
    wide = Lettering(np.zeros(3000, np.bool_), np.arange(3000))
    memory = CountedMemory.count(np.tile(ids, 3), wide)
    evidence = memory.look_up([Row(Text(ids, wide), 100, 200)], 100)
    expected = ids[100:200]
    assert (evidence.prior.argmax(1) == expected).mean() > 0.99
