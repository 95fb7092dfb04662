"""The progress of training on disk: when a line is written to `progress.jsonl`, and when the file is thinned.

The clock decides, not the iterations: the file of a fast machine is as long as that of a slow one.
"""

from __future__ import annotations

from paznja.run.writing import RunWriter
from paznja.training.events import Progress

SECONDS = 2.0
"""Seconds between two lines, until the file is thinned for the first time."""

EARLY_SHARE = 0.05
"""In the first seconds, when most is learnt, a line is written whenever the run has become longer by this share."""

MAX_LINES = 2000
"""When the file has this many lines, every second one is left out, and from then on twice as much time passes between two."""


class ProgressLog:
    """The progress of one training, from its start or from where it was resumed."""

    def __init__(self, writer: RunWriter) -> None:
        self._writer = writer
        lines = writer.run.progress()
        self._num_lines = len(lines)
        self._last_iteration, self._last_seconds = (lines[-1]["iteration"], lines[-1]["seconds"]) if lines else (-1, None)
        covered = lines[-1]["seconds"] - lines[0]["seconds"] if lines else 0.0
        # A file that was thinned stays as sparse as it is.
        self._interval = max(SECONDS, covered / max(1, len(lines) - 1))

    def add(self, progress: Progress, *, in_any_case: bool = False) -> None:
        """Write a line if it is due, or `in_any_case` unless this iteration has one."""
        if progress.iteration == self._last_iteration or not (in_any_case or self._is_due(progress.seconds)):
            return
        self._writer.append_progress(
            {
                "iteration": progress.iteration,
                "seconds": round(progress.seconds, 3),
                "training_bits": round(progress.training_bits, 5),
                "characters_seen": progress.characters_seen,
                "characters_per_second": round(progress.characters_per_second),
            }
        )
        self._last_iteration, self._last_seconds = progress.iteration, progress.seconds
        self._num_lines += 1
        if self._num_lines >= MAX_LINES:
            self._num_lines = self._writer.thin_progress()
            self._interval *= 2

    def _is_due(self, seconds: float) -> bool:
        return self._last_seconds is None or seconds - self._last_seconds >= min(self._interval, EARLY_SHARE * seconds)
