"""A training that is about to begin, for the tests of several screens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from paznja.training.plan import Planned


@pytest.fixture
def planned(books: Path, cache: Path, tmp_path: Path) -> Planned:
    """What was said about a real training before it began."""
    import paznja

    told: list[object] = []
    paznja.train(books, preset="tiny", memory="learned", iterations=1, threads=1, out=tmp_path / "runs", cache=cache, on_event=told.append)
    (plan,) = [event for event in told if isinstance(event, Planned)]
    return replace(plan, dialled=("Time: 10 min.", "Chosen for that: much."), remarks=("One book is old.", "Two are the same."))
