"""When things happen: the learning rate over a stretch, the iterations of the table's rows, the samples between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Place:
    """Where a training is: the two numbers that the loop itself keeps."""

    iteration: int = 0
    seconds: float = 0.0
    """Seconds of training so far."""


class Clock:
    """Seconds of training: continues from where the run was, and stands still while it is stopped."""

    def __init__(self, now: Callable[[], float] = time.perf_counter, sleep: Callable[[float], None] = time.sleep) -> None:
        self.now, self.sleep = now, sleep
        self._zero = now()

    def start(self, seconds: float) -> None:
        """Training begins now, and has taken this many seconds so far."""
        self._zero = self.now() - seconds

    def seconds(self) -> float:
        """Seconds of the run so far."""
        return self.now() - self._zero

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the clock inside this block."""
        start = self.now()
        try:
            yield
        finally:
            self._zero += self.now() - start


class Stop:
    """Whether a training ends before its budget is spent. A stop that was asked for once stays asked for."""

    def __init__(self, asked: Callable[[], bool]) -> None:
        self.is_set = False
        self._asked = asked

    def ask(self) -> bool:
        """Ask whether a stop is wanted now."""
        self.is_set = self.is_set or self._asked()
        return self.is_set

    def set(self) -> None:
        """Ask for a stop."""
        self.is_set = True


class SamplesBetween:
    """When to write samples between the rows of the table: evenly in log time, and never for more than a small share of the run.

    A machine that is too slow for whole samples gets shorter ones, and one that is too slow for those gets fewer.
    """

    SHARE = 0.025
    """The share of the run's time that these samples may take."""
    SHORTEST = 40
    """The fewest characters in a sample; a shorter one shows nothing."""

    def __init__(self, number: int, characters: int, *, share: float = SHARE) -> None:
        """`number` samples of `characters` characters each, if they take at most this share of the run's time."""
        self._number, self._longest, self._share = number, characters, share
        self.taken = 0
        """How many were written so far."""
        self.last = 0.0
        """When the last of them was written, in seconds or iterations, like the budget."""
        self.characters = min(characters, self.SHORTEST)
        """How long the next sample is to be."""
        self._seconds_per_character: float | None = None

    def due(self, now: float, end: float, planned_seconds: float, spent_seconds: float) -> bool:
        """Whether it is time for the next sample. `planned_seconds`: of the whole run; `spent_seconds`: on such samples so far."""
        number, allowed, cost = self._number, self._share * planned_seconds, 0.0
        if self._seconds_per_character is not None:
            affordable = allowed / self._seconds_per_character
            self.characters = int(min(self._longest, max(self.SHORTEST, affordable / max(1, number))))
            number = min(number, int(affordable / self.characters))
            cost = self.characters * self._seconds_per_character
        if spent_seconds + cost > allowed:
            return False
        left = number - self.taken
        if left < 1:
            return False
        # The samples that are left divide the log time that is left; if iterations are too slow for that, each gets a sample.
        return not self.taken or now >= self.last * (end / self.last) ** (1 / left)

    def took(self, now: float, seconds: float) -> None:
        """A sample was written at `now` and took this long."""
        self.taken, self.last = self.taken + 1, now
        self._seconds_per_character = seconds / self.characters


def learning_rate_factor(iteration: int, fraction: float, warm_up: int, decay: float) -> float:
    """The factor for the peak learning rates at this iteration (the first is 1), with this fraction of the budget spent.

    A linear warm-up, then level, then a linear fall to zero over the last `decay` of the budget.
    """
    rise = min(1.0, iteration / warm_up) if warm_up else 1.0
    fall = min(1.0, (1.0 - fraction) / decay) if decay else 1.0
    return rise * fall


def default_rows() -> Iterator[int]:
    """1, 2, 5, 10, 20, 50, ... without end; after the first iterations the model still writes random letters."""
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


FIRST_SCORED = 10
"""Before this iteration the rows are random letters, and scoring would take longer than the training."""

ROWS_SCORING_SHARE = 0.05
"""The share of a budget of minutes that scoring at the rows may take; the scoring at the end comes on top."""


def is_scored(iteration: int, sample_at: tuple[int, ...], spent: float, cost: float, planned: float | None) -> bool:
    """Whether a row of the table is scored, unless it is the last one, which always is.

    `spent`: seconds that scoring has taken; `cost`: seconds that it takes once more; `planned`: seconds of the run, None for a budget of
    iterations, for which the clock decides nothing.
    """
    if not sample_at and iteration < FIRST_SCORED:
        return False
    return planned is None or spent == 0.0 or spent + cost <= ROWS_SCORING_SHARE * planned


def is_row(iteration: int, sample_at: tuple[int, ...]) -> bool:
    """Whether this iteration has a row in the table, unless it is the last one, which always has."""
    if sample_at:
        return iteration in sample_at
    return next(row for row in default_rows() if row >= iteration) == iteration
