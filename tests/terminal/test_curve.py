"""The learning curve in characters: as wide as it may be, with the points where they belong, and a sentence where there are none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from paznja.cli import main
from paznja.terminal.curve import HEIGHT, draw


def call(*arguments: str | Path) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code


TRAINING = [(float(second), 2 + 6 * math.exp(-second / 20)) for second in range(1, 301)]
HELD_OUT = [(1.0, 8.0), (10.0, 6.0), (100.0, 2.6), (300.0, 2.3)]


@pytest.mark.parametrize("width", [30, 60, 80, 120, 200])
@pytest.mark.parametrize("log", [False, True], ids=["even", "log"])
@pytest.mark.parametrize("time", [False, True], ids=["iterations", "time"])
def test_no_line_is_wider_than_the_terminal_and_no_point_is_lost(width: int, log: bool, time: bool):
    lines = draw(TRAINING, HELD_OUT, width=width, time=time, log=log)
    assert max(map(len, lines)) == width
    drawing = lines[-HEIGHT - 3 : -3]
    assert sum(line.count("●") for line in drawing) == len(HELD_OUT)
    assert "training 2.000" in "".join(lines[: -HEIGHT - 3])
    assert "held-out 2.300" in "".join(lines[: -HEIGHT - 3])
    assert drawing[0].startswith("8")
    assert drawing[-1].startswith("2")
    assert lines[-1].endswith("time" if time else "iterations")


def test_a_falling_curve_falls():
    drawing = draw(TRAINING, [], width=80)[1 : HEIGHT + 1]
    tops = [next(row for row, line in enumerate(drawing) if line.ljust(80)[column] > "⠀") for column in range(3, 79)]
    assert tops == sorted(tops)
    assert tops[0] < 4
    assert tops[-1] == HEIGHT - 1


@pytest.mark.parametrize(
    "points",
    [[(1.0, 3.0)], [(5.0, 3.0), (5.0, 3.0)], [(0.0, 0.0)], [(1.0, 1e-9), (1e9, 1e5)], [(1.0, 2.0), (2.0, math.nextafter(2.0, 3.0))]],
    ids=str,
)
def test_few_or_extreme_points_are_drawn(points: list[tuple[float, float]]):
    for time in (False, True):
        assert len(draw(points, points, width=60, time=time)) >= HEIGHT + 4
        assert max(map(len, draw(points, points, width=60, time=time, log=points[0][0] > 0))) <= 60


def test_what_is_no_number_is_left_out():
    assert draw([(1.0, math.nan), (math.inf, 1.0), (1.0, 1e300)], [], width=60) == []
    assert draw([(0.0, 3.0)], [], width=60, log=True) == []


@pytest.mark.parametrize("points", [[(0.031, 9.0), (20.0, 3.0)], [(11.0, 9.0), (19.0, 3.0)], [(30.0, 9.0), (3e6, 3.0)]], ids=str)
def test_every_label_of_a_logarithmic_axis_of_time_is_there_once(points: list[tuple[float, float]]):
    labels = draw(points, [], width=120, log=True)[-2].strip().split("  ")
    labels = [label.strip() for label in labels if label]
    assert len(labels) >= 2
    assert len(set(labels)) == len(labels)


def test_a_terminal_without_braille_gets_ascii():
    assert all(line.isascii() for line in draw(TRAINING, HELD_OUT, width=60, ascii_only=True))


def test_curve_draws_a_run_without_escape_codes_where_there_is_no_terminal(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "60")
    for options in ([], ["--log"], ["--against", "iterations"]):
        assert call("curve", trained, *options) == 0
        said = capsys.readouterr().out
        assert said.startswith("most (finished): 40 iterations")
        assert "●" in said
        assert "\x1b" not in said
        assert max(map(len, said.splitlines())) == 60
    assert call("curve", trained, "--json") == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["name"] == "most"
    assert numbers["history"][-1]["iteration"] == 40


def test_curve_of_an_older_run_is_drawn_from_its_evaluations(trained: Path, capsys: pytest.CaptureFixture[str]):
    (trained / "progress.jsonl").unlink()
    assert call("curve", trained) == 0
    assert "training" in capsys.readouterr().out


def test_a_run_with_nothing_to_draw_gets_a_sentence(trained: Path, capsys: pytest.CaptureFixture[str]):
    for file in ("progress.jsonl", "metrics.jsonl"):
        (trained / file).write_bytes(b"")
    assert call("curve", trained) == 1
    assert "nothing to draw yet" in capsys.readouterr().err
