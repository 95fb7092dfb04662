"""Books set aside in turn, and what the network learns beside a counted memory."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from paznja.api import open_run
from paznja.config import ModelConfig
from paznja.errors import RunError, WrongUse
from paznja.loading import load_memory
from paznja.memory.contexts import Lettering
from paznja.memory.counted import CountedMemory, Row
from paznja.memory.recall import Text
from paznja.model.decoder import Decoder
from paznja.model.transformer import Transformer
from paznja.run import Run
from paznja.run.layout import MEMORY, WEIGHTS
from paznja.training.events import Counting, Evaluated, Progress, Sampled
from paznja.training.schedule import Place
from paznja.training.set_aside import GROUPS, Turns, groups

VOCABULARY = 9
LETTERING = Lettering(np.arange(VOCABULARY) >= 3, np.arange(VOCABULARY))


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=40), st.integers(0, 5))
def test_every_token_is_in_one_group(lengths, seed):
    taken = np.zeros(sum(lengths), np.int64)
    dealt = groups(lengths, seed)
    for group in dealt:
        assert (np.diff(group.ravel()) >= 0).all()
        for start, stop in group:
            taken[start:stop] += 1
    assert (taken == 1).all()
    assert len(dealt) <= GROUPS


def test_many_books_stay_whole_and_are_dealt_evenly():
    lengths = np.random.default_rng(1).integers(500, 1500, 40).tolist()
    starts = np.cumsum([0, *lengths])
    dealt = groups(lengths, 1)
    assert sorted(tuple(span) for group in dealt for span in group.tolist()) == list(itertools.pairwise(starts))
    sizes = [(group[:, 1] - group[:, 0]).sum() for group in dealt]
    assert max(sizes) < 1.5 * min(sizes)
    assert [group.tolist() for group in groups(lengths, 1)] == [group.tolist() for group in dealt]
    assert [group.tolist() for group in groups(lengths, 2)] != [group.tolist() for group in dealt]


def test_one_book_is_cut_into_as_many_parts_as_there_are_groups():
    dealt = groups([80_000], 1)
    assert [len(group) for group in dealt] == [1] * GROUPS


@pytest.fixture
def turns() -> Turns:
    ids = np.random.default_rng(4).integers(0, VOCABULARY, 2000).astype(np.uint16)
    return Turns(ids, [100] * 20, LETTERING, 8, 4, 1, threads=1)


def test_every_group_has_its_turn_and_every_window_of_it_comes_once(turns):
    seen: list[bytes] = []
    texts: list[bytes] = []
    while len(texts) <= GROUPS:
        turns.prepare()
        text = turns.set_aside.ids.tobytes()
        if not texts or text != texts[-1]:
            texts.append(text)
            if len(texts) <= GROUPS:
                assert len(set(seen)) == len(seen)
            seen = []
        batch = turns.next()
        assert (batch.ids[:, 1:] == batch.next_ids[:, :-1]).all()
        seen += [row.numpy().tobytes() for row in batch.ids]
    assert len(set(texts[:GROUPS])) == GROUPS
    assert texts[GROUPS] == texts[0]


def test_it_goes_on_wherever_it_was_left(turns):
    drawn = [turns.next() for _ in range(30)]
    again = Turns(turns._ids, [100] * 20, LETTERING, 8, 4, 1, threads=2)
    again.windows_drawn = 4 * 17
    for batch in drawn[17:]:
        same = again.next()
        assert torch.equal(same.ids, batch.ids)
        assert batch.evidence is not None
        assert same.evidence is not None
        np.testing.assert_array_equal(same.evidence.prior, batch.evidence.prior)


def test_the_evidence_is_as_if_the_books_set_aside_had_not_been_counted(turns):
    batch = turns.next()
    text = turns.set_aside.ids
    kept = np.array([i for i in range(0, 2000, 100) if turns._ids[i : i + 100].tobytes() not in text.tobytes()])
    others = np.concatenate([turns._ids[i : i + 100] for i in kept])
    without = CountedMemory.count(others, LETTERING)
    start = next(i for i in range(len(text)) if (text[i : i + 8] == batch.ids[0].numpy()).all())
    alone = without.look_up([Row(turns.set_aside, start + 1, start + 9)], 8)
    assert batch.evidence is not None
    # Contexts across the seams between books, and the discounts, are a little different.
    assert np.abs(alone.prior - batch.evidence.prior[:8]).mean() < 0.03
    with_all = turns.memory.look_up([Row(turns.set_aside, start + 1, start + 9)], 8)
    likely = [(e.prior[range(8), batch.next_ids[0]] ** 2).mean() for e in (with_all, batch.evidence)]
    assert likely[0] > 2 * likely[1]


# --- the network beside it ------------------------------------------------------------------------------------------------------------


def test_the_network_that_writes_weighs_as_the_one_that_learns():
    config = ModelConfig(layers=2, width=16, heads=2, hidden=24, context=12, memory="counted", vocabulary=VOCABULARY)
    generator = torch.Generator().manual_seed(1)
    model = Transformer(config, generator)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(1.0 if parameter.ndim == 1 else 0.0, 0.4, generator=generator)
    ids = np.random.default_rng(4).integers(0, VOCABULARY, 500).astype(np.uint16)
    memory = CountedMemory.count(ids, LETTERING)
    assert model.weighing is not None
    model.weighing.get_buffer("base").copy_(torch.from_numpy(np.log(memory.tables.base)))
    rows = [Row(Text(ids[:100], LETTERING), 20, 32), Row(Text(ids[50:200], LETTERING), 50, 62)]
    ids_BT = np.stack([row.text.ids[row.start - 1 : row.stop - 1] for row in rows]).astype(np.int64)
    with torch.no_grad():
        logits_BTV = model(torch.from_numpy(ids_BT), evidence=memory.look_up(rows, 12)).numpy()
    decoder = Decoder(config, {name: tensor.numpy() for name, tensor in model.state_for_export().items()}, memory)
    for step in (12, 5, 1):
        cache = decoder.cache(2)
        for start in range(0, 12, step):
            stop = min(12, start + step)
            evidence = memory.look_up([replace_row(row, start, stop) for row in rows], stop - start)
            logits_BV = decoder.forward(ids_BT[:, start:stop], cache, evidence)
            np.testing.assert_allclose(logits_BV, logits_BTV[:, stop - 1], atol=1e-3)
    cache = decoder.cache(1)
    for position in range(12):
        evidence = memory.look_up([replace_row(rows[0], position, position + 1)], 1)
        logits_BV = decoder.forward(ids_BT[:1, position : position + 1], cache, evidence)
        np.testing.assert_allclose(logits_BV[0], logits_BTV[0, position], atol=1e-3)


def replace_row(row: Row, start: int, stop: int) -> Row:
    return row._replace(start=row.start + start, stop=row.start + stop)


@pytest.fixture
def counted(begin) -> Run:
    return begin("counted", memory="counted", iterations=8, sample_at=(4,))


def test_counting_comes_first_and_row_0_is_what_it_writes_alone(counted, training_of):
    told = list(training_of(counted))
    assert isinstance(told[0], Counting)
    rows = [event for event in told if isinstance(event, Sampled)]
    scores = [event for event in told if isinstance(event, Evaluated)]
    assert [event.iteration for event in rows] == [0, 4, 8]
    assert [event.iteration for event in scores] == [0, 4, 8]
    assert scores[0].held_out < 4.5  # equally likely characters would need more than eight
    assert (counted.path / MEMORY).is_file()


def test_a_resumed_run_ends_with_the_same_weights(begin, training_of, counted):
    list(training_of(counted))
    stopped = begin("stopped", memory="counted", iterations=8, sample_at=(4,))
    places: list[Place] = []
    told = list(training_of(stopped, stop=lambda: places[0].iteration >= 5, with_parts=lambda parts: places.append(parts.place)))
    assert sum(isinstance(event, Progress) for event in told) == 5
    list(training_of(stopped))
    assert stopped.read_checkpoint(WEIGHTS) == counted.read_checkpoint(WEIGHTS)
    assert stopped.read_weights() == counted.read_weights()
    assert [(s["iteration"], s["text"]) for s in stopped.samples()] == [(s["iteration"], s["text"]) for s in counted.samples()]


def test_a_missing_or_damaged_memory_is_said(counted, training_of):
    list(training_of(counted))
    assert load_memory(counted) is not None
    whole = (counted.path / MEMORY).read_bytes()
    (counted.path / MEMORY).write_bytes(whole[:100])
    with pytest.raises(RunError, match="is damaged"):
        load_memory(counted)
    (counted.path / MEMORY).unlink()
    with pytest.raises(RunError, match="is missing"):
        load_memory(counted)


def test_an_evaluation_gives_the_figure_of_the_training(counted, training_of):
    told = list(training_of(counted))
    best = min(event.held_out for event in told if isinstance(event, Evaluated))
    evaluation = open_run(counted.path).evaluate()
    assert evaluation.bits_per_character == pytest.approx(best, rel=1e-4)


def test_compiling_does_not_go_with_it(begin):
    with pytest.raises(WrongUse, match="--compile"):
        begin(memory="counted", compiled=True)


def test_beside_it_the_learning_rate_is_lower_unless_one_is_given(begin):
    plain, beside, given_one = (
        begin(str(i), **changes).settings().training
        for i, changes in enumerate(({}, {"memory": "counted"}, {"memory": "counted", "learning_rate": 0.004}))
    )
    assert beside.learning_rate == pytest.approx(plain.learning_rate / 3)
    assert beside.matrix_learning_rate == plain.matrix_learning_rate
    assert given_one.learning_rate == 0.004
