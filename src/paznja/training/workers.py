"""How many workers learn: threads of one process, or processes. Reconsidered during training, because other programs come and go.

Knows nothing about PyTorch: it is told how long iterations took, and says how many workers the next one should have. In a trial, numbers
take turns from iteration to iteration, so nothing is computed only for the trial.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median

SLOW = 1.7
"""If iterations take this many times as long as usual, something else is using the cores."""

_RECENT = 9  # iterations over which the median is taken
_TURNS = 5  # of each number in a trial
_GAIN = 0.9  # another number must take less than this share of the present one's time
_AGAIN = 20.0  # seconds between a trial and the next one
_BACK = 60.0  # seconds after which a number lower than at the beginning is tried against the others in any case


class Workers:
    """Decides on the number of workers: the next iteration should have `number`."""

    def __init__(self, number: int, candidates: Sequence[int]) -> None:
        """`number`: what was picked at the start, the best on a quiet machine; `candidates`: the numbers that may be tried."""
        self.number = number
        self._kept = self._first = number
        self.candidates = sorted({*candidates, number}, reverse=True)
        """The numbers that may be tried, the present one among them."""
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._usual = float("inf")
        self._trial: dict[int, list[float]] | None = None
        self._since = 0.0

    def took(self, seconds: float) -> int | None:
        """Report how long an iteration with `number` workers took. Returns the new number if a trial has just ended with another one."""
        if len(self.candidates) == 1:
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
                self._trial = {number: [] for number in self.candidates}
                self.number = self.candidates[0]
        return None

    def _tried(self, trial: dict[int, list[float]], seconds: float) -> int | None:
        trial[self.number].append(seconds)
        place = self.candidates.index(self.number)
        self.number = self.candidates[(place + 1) % len(self.candidates)]
        if len(trial[self.candidates[-1]]) < _TURNS:
            return None
        # In the first turn of each number, threads may still have to be made, and memory touched for the first time.
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
