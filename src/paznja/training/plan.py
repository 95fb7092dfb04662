"""What is known of a training before its first iteration, and what is reported while its books are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from paznja.config import Settings, Stretch
from paznja.corpus.book import Unreadable
from paznja.prepared import Prepared
from paznja.run import BookRecord, Run
from paznja.training.dial import Chosen, in_words

if TYPE_CHECKING:
    from paznja.training.estimate import Estimate


@dataclass(frozen=True)
class Reading:
    """While books are read; reported after each file."""

    done: int
    total: int
    path: Path


@dataclass(frozen=True)
class Planned:
    """Before the first iteration: what will be trained, on what, and about how fast."""

    run: Run
    settings: Settings
    stretch: Stretch
    books: tuple[BookRecord, ...]
    unreadable: tuple[Unreadable, ...]
    remarks: tuple[str, ...]
    """What the user should know about the books, and can ask for again: files of kinds that are not read, books that are there twice."""
    warnings: tuple[str, ...]
    """What is said only now: a prompt that was converted, books that changed, a checkpoint that was damaged."""
    dialled: tuple[str, ...]
    """What the minutes will bring, and what the dial chose for them; empty if it chose nothing."""
    cached: bool
    """Whether the books had been read before, by an earlier run."""
    from_iteration: int
    """The iteration from which the run goes on; 0 for a new run."""
    parameters: int
    memory_bytes: int
    """About how much memory the whole process will have at its largest."""
    available_bytes: int
    """How much memory the process can have, including what it has already."""
    matmul_peak: float
    """Floating-point operations per second of a matrix product on this machine, measured just now."""
    seconds_per_iteration: float
    """Measured just now; if an iteration takes over a second, or on a GPU, calculated from `matmul_peak` and the share usually reached."""
    iterations: int | None
    """About how many iterations fit into a budget of minutes; None for a budget of iterations."""


def plan_of(
    run: Run,
    settings: Settings,
    stretch: Stretch,
    expected: Estimate,
    prepared: Prepared | None,
    remarks: Sequence[str],
    warnings: Sequence[str],
    chosen: Chosen | None,
) -> Planned:
    """The plan of a training that is about to begin. `chosen`: what the dial chose for its minutes."""
    checkpoint = run.checkpoint()
    return Planned(
        run=run,
        settings=settings,
        stretch=stretch,
        books=run.books(),
        unreadable=prepared.unreadable if prepared else (),
        remarks=tuple(remarks),
        warnings=tuple(warnings),
        dialled=() if chosen is None or stretch.minutes is None else in_words(chosen, stretch.minutes),
        cached=prepared.cached if prepared else True,
        from_iteration=checkpoint.iteration if checkpoint else 0,
        parameters=settings.model.num_parameters(),
        memory_bytes=expected.memory_bytes,
        available_bytes=psutil.virtual_memory().available + psutil.Process().memory_info().rss,
        matmul_peak=expected.matmul_peak,
        seconds_per_iteration=expected.seconds_per_iteration,
        iterations=None if stretch.seconds is None else round(expected.iterations(stretch.seconds / 60)),
    )
