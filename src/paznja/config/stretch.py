"""A stretch of a run's training: how long it is to be, and where it began. A run that is given more gets another one."""

from __future__ import annotations

from dataclasses import dataclass

from paznja.errors import WrongUse

DEFAULT_MINUTES = 10.0
"""The length of a run that was given neither minutes nor iterations."""


@dataclass(frozen=True)
class Stretch:
    """A budget of minutes or of iterations, counted from where the stretch began."""

    minutes: float | None = None
    """Minutes of training that were asked for, including sampling, scoring and saving; None if iterations were."""
    iterations: int | None = None
    """Iterations that were asked for or, beside minutes, that are enough: by then the books have taught all they can."""
    from_iteration: int = 0
    """The iteration at which it began."""
    from_seconds: float = 0.0
    """The seconds of training at which it began."""

    @property
    def seconds(self) -> float | None:
        """How long it is in seconds; None if its end is an iteration."""
        return 60 * self.minutes if self.minutes is not None and self.iterations is None else None

    @property
    def enough(self) -> bool:
        """Whether it ends before its minutes are over, because by then the books have taught all they can."""
        return self.minutes is not None and self.iterations is not None

    def fraction(self, iteration: int, seconds: float, reserved: float = 0.0) -> float:
        """How much of it is over at this point of the run, from 0 to 1; `reserved` seconds are kept for the end."""
        if self.iterations is not None:
            return min(1.0, (iteration - self.from_iteration) / self.iterations)
        assert self.seconds is not None
        return min(1.0, (seconds - self.from_seconds) / (self.seconds - reserved))


def new_stretch(minutes: float | None, iterations: int | None) -> Stretch:
    """A stretch of these minutes or iterations, 10 minutes if neither is given. WrongUse for both, or for one that is not above 0."""
    if minutes is not None and iterations is not None:
        raise WrongUse("Give either --minutes or --iterations, not both: one of them has to end the run.")
    if minutes is None and iterations is None:
        minutes = DEFAULT_MINUTES
    if minutes is not None and not 0 < minutes < float("inf"):
        raise WrongUse(f"--minutes must be above 0, and {minutes:g} is not.")
    if iterations is not None and iterations < 1:
        raise WrongUse(f"--iterations must be 1 or more, and {iterations} is not.")
    return Stretch(None if minutes is None else float(minutes), iterations)
