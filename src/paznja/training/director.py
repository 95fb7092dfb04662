"""What comes next: after every iteration, one decision about requests, rows, scoring, saving and the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from paznja.config import Settings, Stretch
from paznja.run.writing import RunWriter
from paznja.training.checkpointer import Checkpointer
from paznja.training.evaluator import Evaluator
from paznja.training.schedule import Clock, Place, Stop, is_row, is_scored, learning_rate_factor
from paznja.world import World

SAVING_SHARE = 0.05
"""Checkpoints take at most this share of the time."""

POLLING = 0.05
"""Seconds between two looks for requests while the training is paused."""


_LOOKS_IN_SILENCE = 100
"""After so many of them, the other processes hear that this one is still there."""


class Decision(NamedTuple):
    """What is done before the next iteration, in this order."""

    pause: bool = False
    """Save, and wait until somebody asks for something else."""
    row: bool = False
    """Write a row of the table."""
    score: bool = False
    """Score the fixed parts."""
    sample: bool = False
    """Write a sample between the rows, if one is due."""
    save: bool = False
    """Save a checkpoint."""


class Director:
    """Decides for one training, by its budget, its clock and what it is asked for."""

    def __init__(
        self,
        writer: RunWriter,
        settings: Settings,
        stretch: Stretch,
        clock: Clock,
        evaluator: Evaluator,
        checkpointer: Checkpointer,
        *,
        row_at_start: bool,
        stop: Stop,
        world: World,
        learning_rate: Callable[[int, float, int, int | float], float] = learning_rate_factor,
    ) -> None:
        """`row_at_start`: whether iteration 0 has a row. `stop` is asked after every iteration."""
        self.stop, self._world = stop, world
        self._writer, self._config, self._sample_at = writer, settings.training, settings.sampling.sample_at
        self._stretch, self._clock, self._evaluator, self._checkpointer = stretch, clock, evaluator, checkpointer
        self._row_at_start, self._learning_rate = row_at_start, learning_rate
        self._began_at = 0
        self._obeyed: list[tuple[int, str]] = []
        """Requests (number, request) that were decided on, and not answered yet."""

    def begin(self, place: Place) -> Decision:
        """Decide before the first iteration; a stop or a crash may have come before a row was complete."""
        self._began_at, self._checkpointer.saved_at = place.iteration, place.seconds
        row = self._has_row(place)
        return Decision(row=row, score=row and self._is_scored(place))

    def decide(self, place: Place) -> Decision:
        """Decide after an iteration."""
        pause, asked = self._obey()
        row = self._has_row(place)
        apart = max(self._config.checkpoint_seconds, self._checkpointer.slowest / SAVING_SHARE)
        save = place.seconds - self._checkpointer.saved_at >= apart and not pause
        # The end has a row, so no sample is written just before it.
        sample = not (row or asked or pause or self.is_spent(place))
        return Decision(pause, row or asked, row and self._is_scored(place), sample, save)

    def wait(self) -> bool:
        """Wait, with the clock stopped, until going on or a stop is asked for; returns whether a row was asked for meanwhile."""
        waiting, asked, looks = True, False, 0
        with self._clock.stopped():
            while waiting and not self.stop.ask():
                for request in self._requests():
                    asked = asked or request == "sample"
                    if request in ("go-on", "stop"):  # what was sent after it waits for its turn
                        waiting = False
                        break
                if waiting:
                    self._clock.sleep(POLLING)
                    looks += 1
                    if looks % _LOOKS_IN_SILENCE == 0:
                        self._world.tell({"do": "wait"})
        return asked

    def is_over(self, place: Place) -> bool:
        """Whether there is no next iteration; a training that could begin has at least one."""
        begun = place.iteration > self._began_at
        return self.stop.is_set or (begun and self.stop.ask()) or self.is_spent(place)

    def learning_rate(self, place: Place) -> float:
        """The factor for the peak learning rates in the next iteration."""
        iteration = place.iteration + 1 - self._stretch.from_iteration
        return self._learning_rate(iteration, self.fraction(place), self._config.warm_up, self._config.decay)

    def fraction(self, place: Place) -> float:
        """How much of the budget is spent, from 0 to 1."""
        return self._stretch.fraction(place.iteration, place.seconds, self._reserved(place))

    def is_spent(self, place: Place) -> bool:
        """Whether the budget is spent; it always has room for one iteration."""
        return place.iteration > self._stretch.from_iteration and self.fraction(place) >= 1.0

    def answer(self, place: Place, *, at_end: bool = False) -> None:
        """Answer the requests that were decided on: what they asked for is done by now. A stop is done only at the end."""
        if at_end or not self.stop.is_set:
            for number, request in self._obeyed:
                self._writer.answer(number, request, place.iteration)
            self._obeyed.clear()

    def _obey(self) -> tuple[bool, bool]:
        """Whether a pause, and whether a row, is asked for; what was sent after a pause or a stop waits for its turn."""
        row = False
        for request in self._requests():
            row = row or request == "sample"
            if request in ("pause", "stop"):
                return request == "pause", row
        return False, row

    def _requests(self) -> Iterator[str]:
        """What is asked for and was not decided on yet, one after the other."""
        for number, request in self._writer.requests():
            if (number, request) not in self._obeyed:
                self._obeyed.append((number, request))
                if request == "stop":
                    self.stop.set()
                yield request

    def _reserved(self, place: Place) -> float:
        """Seconds of a budget of minutes that the end will need for scoring and the checkpoint, as far as is known yet."""
        if self._stretch.seconds is None:
            return 0.0
        return min(0.5 * self._stretch.seconds, 2 * self._checkpointer.slowest + self._evaluator.cost_at_end(place))

    def _has_row(self, place: Place) -> bool:
        """Whether this iteration has a row in the table, other than the last one."""
        at_start = self._row_at_start and place.iteration == 0
        return (at_start or is_row(place.iteration, self._sample_at)) and not self.is_spent(place)

    def _is_scored(self, place: Place) -> bool:
        """Whether this row is scored, unless it is the last one."""
        sample_at = (0,) if self._row_at_start and place.iteration == 0 else self._sample_at
        return is_scored(place.iteration, sample_at, self._evaluator.seconds, self._evaluator.cost(), self._stretch.seconds)
