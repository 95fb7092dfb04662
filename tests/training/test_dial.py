"""The dial: more minutes, a faster machine and more books lead to larger networks, and what it says matches what it chose."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paznja.config import MEMORIES, customise, preset
from paznja.training.dial import (
    BATCHES,
    LAWS,
    LEARNING_SHARE,
    SHAPES,
    Law,
    batch_for,
    choose,
    in_words,
    most_readings,
    multiplied_weights,
    worth,
)
from paznja.training.pace import Pace

LAW = Law(1.0, 0.9, 0.25, 0.15, 0.5)
PACE = Pace(2e-11, 2e-5)
AUTO = replace(
    preset("auto"),
    model=replace(preset("auto").model, vocabulary=200),
    training=replace(preset("auto").training, threads=2, device="cpu", precision="float32"),
)


def chosen(minutes: float = 10, pace: Pace = PACE, characters: int = 20_000_000, law: Law = LAW):
    return choose(AUTO, 60 * minutes, pace, characters, {"learned": law})


def weights(of) -> int:
    return multiplied_weights(of.settings.model)


@pytest.mark.parametrize("memory", LAWS)
def test_by_every_law_more_weights_and_more_reading_help(memory):
    law = LAWS[memory]
    assert law.loss(1e6, 1e7) < law.loss(1e6, 1e6)
    assert law.loss(2e6, 1e7) < law.loss(1e6, 1e7)
    assert law.loss(1e6, 1e7) > law.floor > 0


@pytest.mark.parametrize("memory", MEMORIES)
def test_every_memory_can_be_dialled(memory):
    settings = replace(AUTO, model=replace(AUTO.model, memory=memory))
    made = choose(settings, 60, PACE, 1_000_000)
    assert made.settings.model.memory == memory
    assert made.settings.preset == "auto"
    expert = in_words(made, 1)[1]
    assert f"memory {memory}" in expert
    assert ("bits per character" in expert) == (memory in LAWS)


@given(st.floats(0.1, 2000), st.floats(1.1, 50))
def test_more_minutes_never_lead_to_a_smaller_network_or_to_less(minutes, factor):
    less, more = chosen(minutes), chosen(minutes * factor)
    assert weights(more) >= weights(less)
    assert more.loss <= less.loss


def test_the_shapes_run_from_the_smallest_to_larger_ones_as_there_is_time():
    shapes = [(c.settings.model.layers, c.settings.model.width) for c in map(chosen, (0.05, 1, 10, 100, 1000, 100_000))]
    assert shapes[0] == SHAPES[0]
    assert shapes[-1] == SHAPES[-1]
    assert len(set(shapes)) >= 4


def test_a_batch_that_was_asked_for_stays_though_it_is_the_default():
    default = AUTO.training.batch
    asked = choose(customise(AUTO, batch=default), 60_000, PACE, 20_000_000)
    assert asked.settings.training.batch == default
    assert chosen(1000).settings.training.batch != default


def test_a_faster_machine_is_as_good_as_more_time():
    slow, fast = chosen(20, PACE), chosen(10, Pace(1e-11, 1e-5))
    assert slow.settings == fast.settings
    assert slow.characters == pytest.approx(fast.characters)


def test_what_will_be_read_is_what_the_pace_allows_in_the_time_for_learning():
    made = chosen(10)
    model = made.settings.model
    assert made.characters * (model.operations() * 2e-11 + 2e-5) == pytest.approx(LEARNING_SHARE * 600)
    assert made.readings == pytest.approx(made.characters / 20_000_000)


def test_few_books_lead_to_a_smaller_network():
    many, few = chosen(1000), chosen(1000, characters=300_000)
    assert weights(few) < weights(many)
    assert weights(few) <= 4 * 300_000
    least = chosen(1000, characters=2000).settings.model
    assert (least.layers, least.width) == SHAPES[0]


def test_longer_runs_look_at_more_before_a_step_but_a_batch_that_was_asked_for_stays():
    batches = [chosen(minutes).settings.training.batch for minutes in (0.1, 10, 1000)]
    assert batches == sorted(batches)
    assert batches == [batch_for(chosen(minutes).characters) for minutes in (0.1, 10, 1000)]
    assert set(batches) == {batch for _, batch in BATCHES}
    asked = choose(customise(AUTO, batch=5), 60_000, PACE, 20_000_000)
    assert asked.settings.training.batch == 5


def test_few_books_are_not_read_until_they_are_known_by_heart():
    made = chosen(1000, characters=300_000)
    assert made.enough
    assert made.readings == pytest.approx(most_readings(weights(made), 300_000))
    training, model = made.settings.training, made.settings.model
    assert made.iterations is not None
    assert made.iterations * training.batch * model.context == pytest.approx(made.readings * 300_000, rel=0.02)
    many = chosen(10)
    assert not many.enough
    assert many.iterations is None


def test_a_smaller_network_may_read_the_same_books_more_often_but_not_for_ever():
    times = [most_readings(weights, 1e6) for weights in (4e6, 1e6, 5e5, 1e3)]
    assert times == [4, 4, 8, 16]


def test_the_learned_memory_looks_less_far_back_in_few_books_but_as_far_as_was_asked_for():
    orders = [chosen(characters=characters).settings.model.memory_order for characters in (200_000, 2_000_000, 20_000_000)]
    assert orders == [2, 4, 6]
    asked = choose(customise(AUTO, memory_order=5), 60, PACE, 200_000)
    assert asked.settings.model.memory_order == 5


def test_what_is_read_again_is_worth_less_and_less():
    assert worth(50, 100) == 50
    assert worth(100, 100) == 100
    assert 180 < worth(200, 100) < 200
    assert worth(10_000, 100) < 16.1 * 100
    assert worth(10_000, 100) > worth(5_000, 100)


@pytest.mark.parametrize(
    ("minutes", "characters", "said"),
    [
        (1, 20_000_000, "Time: 1 min, for about 3% of the books; more minutes would help."),
        (60, 5_000_000, "Time: 1 h, for about 2 readings of the books; more of either would help."),
        (600, 300_000, "Time: under 10 h, for 4 readings of the books; only more books would help."),
    ],
)
def test_the_line_for_everybody_says_what_would_help(minutes, characters, said):
    made = chosen(minutes, characters=characters)
    plain, expert = in_words(made, minutes)
    assert plain == said
    assert f"{made.settings.model.layers} layers of width {made.settings.model.width}" in expert
    assert f"about {made.loss:.2f} bits" in expert
    assert ("extrapolated" in expert) == (minutes > 60)
