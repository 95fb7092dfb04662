"""Runs of an earlier version can be opened, written with, scored and resumed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import paznja

OLDER = Path(__file__).parent / "data" / "older"
NAMES = sorted(path.name for path in OLDER.iterdir() if path.is_dir())


@pytest.fixture(params=NAMES)
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one of them."""
    return Path(shutil.copytree(OLDER / request.param, tmp_path / "runs" / request.param))


def test_there_is_one_of_every_kind() -> None:
    assert NAMES == ["counted", "learned", "stopped", "stretched"]


def test_an_older_run_opens_and_writes(older: Path) -> None:
    run = paznja.open_run(older)
    assert run.state == ("stopped" if older.name == "stopped" else "finished")
    assert run.table.count("\n") > 3
    written = run.generate("Ово ", length=20)
    assert written.startswith("Ово ")
    assert len(written) == 24
    assert run.next("Ово ")[0][1] > 0


def test_an_older_run_scores_as_it_did(older: Path) -> None:
    run = paznja.open_run(older)
    best = min(line["held_out"] for line in run.metrics)
    assert run.evaluate().bits_per_character == pytest.approx(best, abs=0.001)


def test_an_older_run_goes_on(older: Path, cache: Path) -> None:
    before = paznja.open_run(older)
    iteration = before.metrics[-1]["iteration"]
    run = paznja.resume(older, iterations=None if older.name == "stopped" else 3, cache=cache)
    assert run.state == "finished"
    assert run.metrics[-1]["iteration"] == (40 if older.name == "stopped" else iteration + 3)
    assert run.metrics[: len(before.metrics)] == before.metrics
