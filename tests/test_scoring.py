"""A run without any scoring: everything that shows or uses a run can handle it, and it can be scored afterwards."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import paznja
from paznja.run import Run

FEW = ("--preset", "tiny", "--iterations", "12", "--threads", "1", "--sample-at", "5", "--name", "unscored")


@pytest.fixture(scope="session")
def unscored_once(tmp_path_factory: pytest.TempPathFactory, some_stories: list[Path]) -> Path:
    """The folder of a finished run in which nothing was scored; copied before use."""
    folder = tmp_path_factory.mktemp("unscored")
    few = {"preset": "tiny", "iterations": 12, "threads": 1, "sample_at": [5]}
    run = paznja.train(some_stories, **few, scoring="none", name="unscored", out=folder, cache=folder / "cache")
    return run.path


@pytest.fixture
def unscored(unscored_once: Path, tmp_path: Path) -> paznja.TrainedRun:
    """The test's own copy of it."""
    return paznja.open_run(shutil.copytree(unscored_once, tmp_path / "runs" / "unscored"))


def test_run_without_scoring_has_its_table_and_its_text_and_can_be_scored_afterwards(unscored: paznja.TrainedRun):
    assert unscored.state == "finished"
    assert unscored.metrics == []
    assert [row["iteration"] for row in unscored.run.samples(rows_only=True)] == [5, 12]
    assert unscored.generate("Ово је ", 20).startswith("Ово је ")
    assert 4 < unscored.evaluate().bits_per_character < 8
    assert paznja.open_run(unscored.path, latest=True).generate("Ово је ", 20) == unscored.generate("Ово је ", 20)


def test_run_without_scoring_goes_on_without_it(unscored: paznja.TrainedRun):
    before = unscored.evaluate().bits_per_character
    resumed = paznja.resume(unscored.path, iterations=60)
    assert resumed.metrics == []
    assert resumed.evaluate().bits_per_character < before - 0.3


def test_commands_show_a_run_without_scoring_and_name_the_one_that_scores_it(
    command_line: Callable[..., subprocess.Popen[str]], some_stories: list[Path], tmp_path: Path
):
    def said(*arguments: str | Path) -> str:
        process = command_line(*arguments)
        output = process.communicate(timeout=120)[0]
        assert process.returncode == 0, output
        return output

    out = ("--out", tmp_path / "runs")
    trained = said("train", *some_stories, *FEW, *out, "--scoring", "none")
    assert "bits per character" not in trained
    assert re.search(rf"Nothing was scored; to score it: .*paznja evaluate unscored --out {tmp_path}/runs$", trained, re.MULTILINE)
    (row,) = (line for line in said("runs", *out).splitlines() if line.startswith("unscored"))
    assert row.split()[:4] == ["unscored", "finished", "5", "12"]
    scored = json.loads(said("evaluate", "unscored", *out, "--json"))
    assert 4 < scored["bits_per_character"] < 8
    again = said("train", *some_stories, *FEW[:-1], "scored", *out, "--scoring", "part")
    assert "Nothing was scored" not in again
    assert "bits per character on all held-out books" in again, "they are no longer than the fixed part"


def test_picture_of_a_run_without_scoring_has_no_figure(unscored: paznja.TrainedRun, trained: Path, tmp_path: Path):
    draw = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "make_picture.py"))["draw"]
    pictures = {}
    for run in (unscored.run, Run(trained)):
        draw(run, tmp_path / "picture.svg")
        pictures[run.name] = (tmp_path / "picture.svg").read_text(encoding="utf-8").replace("&#160;", " ")
    assert "12 iterations" in pictures["unscored"]
    assert "bits per character" in pictures["most"]
    assert "bits per character" not in pictures["unscored"]
