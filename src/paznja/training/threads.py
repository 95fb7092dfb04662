"""How many threads to learn with, looked at again while the training goes on: what else the machine does changes.

Knows nothing of PyTorch: it is told how long iterations took, and says how many threads the next one is to have. While it tries, numbers
take turns from iteration to iteration, so nothing is computed for the trial alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median

SLOW = 1.7
"""So many times as long as usual: something else has the cores."""

_RECENT = 9  # iterations whose median is looked at
_TURNS = 5  # of each number, in a trial
_GAIN = 0.9  # of the present number's time that another must stay under
_AGAIN = 20.0  # seconds after a trial before the next one
_BACK = 60.0  # seconds after which fewer threads than at the beginning are questioned in any case


class Threads:
    """Decides; `number` is how many the next iteration is to have."""

    def __init__(self, number: int, candidates: Sequence[int]) -> None:
        """`number`: what was picked at the start, the best on a quiet machine; `candidates`: what may be tried, it among them."""
        self.number = number
        self._kept = self._first = number
        self._candidates = sorted({*candidates, number}, reverse=True)
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._usual = float("inf")
        self._trial: dict[int, list[float]] | None = None
        self._since = 0.0

    def took(self, seconds: float) -> int | None:
        """An iteration with `number` threads took so long. Gives the new number where a trial has just ended with another one."""
        if len(self._candidates) == 1:
            return None
        self._since += seconds
        if self._trial is not None:
            return self._tried(self._trial, seconds)
        self._recent.append(seconds)
        if len(self._recent) == _RECENT:
            recent = median(self._recent)
            self._usual = min(self._usual, recent)
            slow = recent > SLOW * self._usual and self._since > _AGAIN
            if slow or (self._kept < self._first and self._since > _BACK):
                self._trial = {number: [] for number in self._candidates}
                self.number = self._candidates[0]
        return None

    def _tried(self, trial: dict[int, list[float]], seconds: float) -> int | None:
        trial[self.number].append(seconds)
        place = self._candidates.index(self.number)
        self.number = self._candidates[(place + 1) % len(self._candidates)]
        if len(trial[self._candidates[-1]]) < _TURNS:
            return None
        # The first turn of each pays for threads that have to be made.
        medians = {number: median(times[1:]) for number, times in trial.items()}
        fastest = min(medians, key=lambda number: medians[number])
        before = self._kept
        if medians[fastest] < _GAIN * medians[before]:
            self._kept = fastest
        self.number, self._trial, self._since = self._kept, None, 0.0
        self._recent.clear()
        if self._kept != before:
            self._usual = float("inf") if self._kept == self._first else medians[self._kept]
        return self._kept if self._kept != before else None
