"""When things happen on made-up clocks: the learning rate, the rows, the samples between them."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paznja.config import Stretch
from paznja.training.schedule import Clock, SamplesBetween, default_rows, is_row, is_scored, learning_rate_factor

fractions = st.floats(0, 1)
warm_ups = st.integers(0, 50)
decays = st.floats(0, 1)

# --- learning rate --------------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10_000), fractions, warm_ups, decays)
def test_the_factor_is_never_above_one_or_below_zero(iteration, fraction, warm_up, decay):
    assert 0 <= learning_rate_factor(iteration, fraction, warm_up, decay) <= 1


@given(st.integers(1, 50), st.integers(1, 50))
def test_it_rises_by_equal_steps_to_one(iteration, warm_up):
    assert learning_rate_factor(iteration, 0.0, warm_up, 0.5) == pytest.approx(min(1.0, iteration / warm_up))


@given(fractions, st.floats(0.01, 1))
def test_after_the_warm_up_it_is_flat_and_then_falls_in_a_line_that_ends_with_the_budget(fraction, decay):
    factor = learning_rate_factor(1000, fraction, 20, decay)
    assert factor == pytest.approx(1.0 if fraction <= 1 - decay else (1 - fraction) / decay)
    assert learning_rate_factor(1000, 1.0, 20, decay) == 0.0


@given(fractions, fractions, decays)
def test_it_never_rises_again(one, other, decay):
    early, late = sorted((one, other))
    assert learning_rate_factor(100, early, 10, decay) >= learning_rate_factor(100, late, 10, decay)


def test_without_warm_up_and_decay_it_is_one():
    assert learning_rate_factor(1, 0.99, 0, 0.0) == 1.0


# --- stretch ---------------------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_a_stretch_of_iterations_is_spent_by_iterations_alone(iterations, begun, done):
    stretch = Stretch(None, iterations, from_iteration=begun, from_seconds=7.0)
    assert stretch.fraction(begun + done, 1e9) == pytest.approx(min(1.0, done / iterations))
    assert (stretch.fraction(begun + done, 0.0) == 1.0) == (done >= iterations)


@given(st.floats(1, 1e5), st.floats(0, 1e5), fractions, fractions)
def test_a_stretch_of_minutes_counts_from_where_it_began_and_keeps_the_reserve(seconds, begun, done, reserve):
    stretch = Stretch(seconds / 60, None, from_iteration=50, from_seconds=begun)
    reserved = 0.5 * reserve * seconds
    wanted = min(1.0, done * seconds / (seconds - reserved))
    assert stretch.fraction(10**9, begun + done * seconds, reserved) == pytest.approx(wanted, abs=1e-6)


def test_a_clock_goes_on_from_where_the_run_was_and_stands_still_while_stopped():
    now = itertools.count(1000.0, 10.0)
    clock = Clock(lambda: next(now))
    clock.start(300.0)
    assert clock.seconds() == 310.0
    with clock.stopped():
        for _ in range(7):
            next(now)
    assert clock.seconds() == 320.0 + 10.0  # stopping itself read the clock twice, once before and once after


# --- rows -----------------------------------------------------------------------------------------------------------------------------


def test_rows_come_at_1_2_5_10_20_50_100_and_so_on():
    wanted = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]
    assert list(itertools.islice(default_rows(), len(wanted))) == wanted
    assert [iteration for iteration in range(1, 10_001) if is_row(iteration, ())] == wanted


@given(st.sets(st.integers(1, 200), min_size=1))
def test_rows_come_at_the_asked_iterations_and_no_others(asked):
    assert {iteration for iteration in range(1, 201) if is_row(iteration, tuple(asked))} == asked


def test_scoring_at_the_rows_takes_a_twentieth_of_the_minutes_at_most():
    assert not is_scored(5, (), 0.0, 0.0, 60.0)
    assert is_scored(5, (5,), 0.0, 0.0, 60.0)
    assert is_scored(50, (), 2.0, 1.0, 60.0)
    assert not is_scored(50, (), 2.1, 1.0, 60.0)
    assert is_scored(50, (), 1e6, 1e6, None)


# --- samples between the rows ---------------------------------------------------------------------------------------------------------


class Run:
    """A run on a made-up clock, on which each iteration and each character written take a fixed time."""

    def __init__(self, number: int, length: int, iterations: int, iteration_seconds: float, character_seconds: float) -> None:
        self.number, self.length, self.iterations = number, length, iterations
        self.iteration_seconds, self.character_seconds = iteration_seconds, character_seconds
        self.sampled: list[int] = []
        """The iterations with a sample."""
        self.lengths: list[int] = []
        self.spent = 0.0

    @property
    def planned(self) -> float:
        """The seconds of training alone: with its samples the run is longer, and their share smaller."""
        return self.iterations * self.iteration_seconds

    def go(self, *, interrupted_at: frozenset[int] = frozenset()) -> "Run":
        between = SamplesBetween(self.number, self.length)
        for iteration in range(1, self.iterations + 1):
            if iteration in interrupted_at:
                taken, last = between.taken, between.last
                between = SamplesBetween(self.number, self.length)
                between.taken, between.last = taken, last
            if between.due(iteration, self.iterations, self.planned, self.spent):
                cost = between.characters * self.character_seconds
                self.sampled.append(iteration)
                self.lengths.append(between.characters)
                self.spent += cost
                between.took(iteration, cost)
        return self


@given(
    number=st.integers(0, 120),
    length=st.integers(1, 300),
    iterations=st.integers(1, 600),
    iteration_seconds=st.floats(1e-4, 10),
    character_seconds=st.floats(1e-6, 1),
)
def test_samples_between_stay_within_their_number_length_and_share(number, length, iterations, iteration_seconds, character_seconds):
    run = Run(number, length, iterations, iteration_seconds, character_seconds).go()
    assert len(run.sampled) <= number
    assert all(min(length, SamplesBetween.SHORTEST) <= characters <= length for characters in run.lengths)
    # The cost of the first one is known only after it is written.
    first = run.lengths[0] * character_seconds if run.lengths else 0.0
    assert run.spent <= max(SamplesBetween.SHARE * run.planned, first) * (1 + 1e-9)
    assert SamplesBetween.SHARE < 0.03


@given(
    character_seconds=st.floats(1e-6, 1),
    interrupted_at=st.frozensets(st.integers(2, 400), max_size=40),
)
def test_interruptions_do_not_let_them_cost_more_than_one_short_sample_beyond_their_share(character_seconds, interrupted_at):
    run = Run(100, 200, 400, 0.05, character_seconds).go(interrupted_at=interrupted_at)
    shortest = SamplesBetween.SHORTEST * character_seconds
    assert run.spent <= SamplesBetween.SHARE * run.planned + shortest * (1 + 1e-9)
    assert len(run.sampled) <= 100


@pytest.mark.parametrize(("number", "length"), [(10, 300), (20, 1), (100, 60), (120, 200)])
def test_where_writing_is_cheap_all_of_them_are_written_and_as_long_as_the_rows(number, length):
    run = Run(number, length, 20_000, 0.1, 1e-6).go()
    assert number - 1 <= len(run.sampled) <= number
    assert set(run.lengths[1:]) == {length}


@pytest.mark.parametrize("number", [10, 31, 100])
def test_they_are_evenly_spaced_in_log_time(number):
    sampled = Run(number, 50, 50_000, 0.1, 1e-6).go().sampled
    assert sampled[0] == 1
    # Once an iteration is small beside a step, all steps are equal.
    later = [iteration for iteration in sampled if iteration > 500]
    assert len(later) > 3
    steps = [math.log(b / a) for a, b in itertools.pairwise(later)]
    assert max(steps) < 1.1 * min(steps)
    assert sampled[-1] > 50_000 * math.exp(-2 * max(steps))


def test_where_writing_is_dear_they_become_shorter_and_then_fewer():
    lengths = [Run(100, 200, 10_000, 0.1, cost).go().lengths for cost in (1e-4, 2e-3, 2e-2)]
    assert set(lengths[0][1:]) == {200}
    assert all(SamplesBetween.SHORTEST < length < 200 for length in lengths[1][1:])
    assert len(lengths[1]) > 95
    assert set(lengths[2]) == {SamplesBetween.SHORTEST}
    assert 20 < len(lengths[2]) < 50


def test_the_first_sample_comes_with_the_first_iteration():
    assert Run(5, 100, 50, 0.1, 1e-5).go().sampled[0] == 1
