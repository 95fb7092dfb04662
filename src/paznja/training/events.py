"""What a trainer reports: plain values, in the order in which things happen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counting:
    """The books are being counted for the counted memory, which takes seconds."""


@dataclass(frozen=True)
class Progress:
    """After every iteration."""

    iteration: int
    seconds: float
    """Seconds of training so far, including those before the run was resumed."""
    fraction: float
    """How much of the budget is spent, from 0 to 1."""
    training_bits: float
    """Bits per character on the latest batches, smoothed."""
    characters_seen: int
    characters_per_second: float
    """The average over the latest iterations."""
    seconds_left: float


@dataclass(frozen=True)
class Scoring:
    """While held-out text is being scored."""

    done: int
    """Tokens that are scored."""
    total: int
    """Tokens that have to be scored."""


@dataclass(frozen=True)
class Evaluated:
    """After scoring; also a line in `metrics.jsonl`."""

    iteration: int
    seconds: float
    training: float
    """Bits per character on a fixed part of the training books."""
    held_out: float
    """Bits per character on a fixed part of the held-out books."""
    held_out_whole: float | None
    """Bits per character on all held-out books: at the end, with the best weights; or always, if the fixed part is all of them."""
    best: bool
    """Whether these are the best weights so far."""


@dataclass(frozen=True)
class Sampled:
    """A text that the model wrote; also a line in `samples.jsonl`."""

    iteration: int
    seconds: float
    prompt: str
    text: str
    """What follows the prompt."""
    row: bool
    """Whether it is a row of the table."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint is on disk."""

    iteration: int
    seconds: float


@dataclass(frozen=True)
class Paused:
    """The trainer waits until it is told to go on."""

    iteration: int


@dataclass(frozen=True)
class Stopping:
    """Ctrl-C was pressed: the trainer stops after this iteration. Reported at once, from another thread than the other events."""


@dataclass(frozen=True)
class Regrouped:
    """Another number of threads or processes is faster now, because the machine has become busy or quiet."""

    iteration: int
    number: int
    unit: str
    """"thread" or "process"."""


@dataclass(frozen=True)
class HeldUp:
    """One of the processes that torchrun has started is much slower than the others, which wait for it in every iteration."""

    iteration: int
    rank: int
    """Its number, from 0."""
    host: str
    """The name of its machine."""
    times: float
    """How many times as long it takes as the others."""


@dataclass(frozen=True)
class Finished:
    """The last event."""

    iteration: int
    seconds: float
    complete: bool
    """Whether the budget is spent; otherwise the run was stopped and can be resumed."""
    held_out: float | None
    """The best bits per character so far: on all held-out books if they were scored, otherwise on the fixed part.

    None if nothing was scored.
    """
    whole: bool
    """Whether `held_out` is the figure for all held-out books."""


Event = Regrouped | HeldUp | Counting | Progress | Scoring | Evaluated | Sampled | Saved | Paused | Stopping | Finished
