"""The learning curve in a terminal: bits per character against time or iterations, in braille dots, as plain lines of text.

Knows nothing about runs: it is given points. If the terminal lacks braille, the drawing is in ASCII.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from paznja.table import duration

Points = Sequence[tuple[float, float]]

HEIGHT = 16
"""The number of lines between the legend and the axis."""

NARROWEST = 30

_HIGHEST = 1e6  # bits per character; a higher value comes from a damaged file

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot in a braille character: four rows of two."""

_TIMES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""The possible distances between two labels of a time axis, in seconds."""


@dataclass(frozen=True)
class Axis:
    """Maps values to places between 0 and 1, and says which values get a label."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, value: float) -> float:
        """0 at the beginning of the axis, 1 at its end."""
        if self.log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)


def draw(training: Points, held_out: Points, *, width: int, time: bool = True, log: bool = False, ascii_only: bool = False) -> list[str]:
    """The lines of the drawing: training as a line, held-out as points; x is in seconds if `time`, otherwise in iterations.

    No line is wider than `width`, or than `NARROWEST` if that is more.
    With `log`, x is logarithmic, and points at 0 are left out. Empty if there are no points.
    """
    training, held_out = _drawable(training, log=log), _drawable(held_out, log=log)
    points = [*training, *held_out]
    if not points:
        return []
    width = max(width, NARROWEST)
    y_axis = _linear([y for _, y in points], _nice_step, most=HEIGHT // 3, whole=True)
    labels = {tick: f"{tick:.{_decimals(y_axis)}f}" for tick in y_axis.ticks}
    margin = max(map(len, labels.values())) + 1
    columns = width - margin - 1
    xs = [x for x, _ in points]
    x_axis = _logarithmic(xs, time=time) if log else _linear([0.0, *xs], _time_step if time else _nice_step, most=max(2, columns // 14))
    cells = _canvas(training, held_out, x_axis, y_axis, columns, ascii_only=ascii_only)
    corner, upright, mark, flat = ("+", "|", "+", "-") if ascii_only else ("└", "│", "┤", "─")
    at_row = {round((1 - y_axis.place(tick)) * (HEIGHT - 1)): label for tick, label in labels.items()}
    lines = _legend(training, held_out, width, ascii_only=ascii_only)
    for row, cells_of_row in enumerate(cells):
        label = at_row.get(row)
        lines.append(f"{label or '':>{margin - 1}} {mark if label else upright}{''.join(cells_of_row)}".rstrip())
    ruler, words = _ruler(x_axis, columns, time=time, flat=flat, mark="+" if ascii_only else "┬")
    name = "time" if time else "iterations"
    lines += [" " * margin + corner + ruler, (" " * (margin + 1) + words).rstrip(), name.rjust(width)]
    return lines


def _drawable(points: Points, *, log: bool) -> Points:
    return [(x, y) for x, y in points if math.isfinite(x) and -_HIGHEST < y < _HIGHEST and (x > 0 if log else x >= 0)]


def _linear(values: Sequence[float], step_of: Callable[[float, int], float], *, most: int, whole: bool = False) -> Axis:
    """`whole`: the axis begins and ends with a label."""
    low, high = min(values), max(values)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = low - 0.5 * (low > 0), high + 0.5
    step = step_of(high - low, most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [number * step for number in range(first, last + 1)]
    if whole:
        return Axis(ticks[0], ticks[-1], tuple(ticks))
    return Axis(low, high, tuple(tick for tick in ticks if low <= tick <= high))


def _logarithmic(values: Sequence[float], *, time: bool) -> Axis:
    low, high = min(values), max(values)
    if high <= low:
        low, high = low / 2, high * 2
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    round_numbers = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    if time:
        round_numbers = [*_TIMES, *(86400 * days for days in round_numbers if days > 1)]
    ticks = tuple(number for number in round_numbers if low <= number <= high)
    return Axis(low, high, ticks or (low, high), log=True)


def _nice_step(span: float, most: int) -> float:
    """1, 2 or 5 times a power of ten, so large that it fits at most `most` times into the span."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(digit * power for digit in (1, 2, 5, 10, 20) if digit * power * most >= span)


def _time_step(span: float, most: int) -> float:
    return next((step for step in _TIMES if step * most >= span), None) or 86400 * math.ceil(_nice_step(span / 86400, most))


def _decimals(axis: Axis) -> int:
    step = axis.ticks[1] - axis.ticks[0]
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _canvas(training: Points, held_out: Points, x_axis: Axis, y_axis: Axis, columns: int, *, ascii_only: bool) -> list[list[str]]:
    dots = [[0] * columns for _ in range(HEIGHT)]

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return x_axis.place(point[0]) * (2 * columns - 1), (1 - y_axis.place(point[1])) * (4 * HEIGHT - 1)

    def put(x: float, y: float) -> None:
        column, row = round(x), round(y)
        dots[row // 4][column // 2] |= _DOTS[row % 4][column % 2]

    places = [place(point) for point in training]
    for x, y in places[:1]:
        put(x, y)
    for (x0, y0), (x1, y1) in pairwise(places):
        steps = max(1, math.ceil(max(abs(x1 - x0), abs(y1 - y0))))
        for step in range(steps + 1):
            put(x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps)
    cells = [[" " if not dot else "." if ascii_only else chr(0x2800 + dot) for dot in row] for row in dots]
    for x, y in map(place, held_out):
        cells[round(y) // 4][round(x) // 2] = "o" if ascii_only else "●"
    return cells


def _legend(training: Points, held_out: Points, width: int, *, ascii_only: bool) -> list[str]:
    """What is drawn, with the last value of each; on one line, or on as many as needed."""
    line, point = ("....", "o") if ascii_only else ("⠤⠤", "●")
    lines = ["bits per character"]
    for sign, name, points in ((line, "training", training), (point, "held-out", held_out)):
        if not points:
            continue
        part = f"{sign} {name} {points[-1][1]:.3f}"
        if len(lines[-1]) + 3 + len(part) <= width:
            lines[-1] += f"   {part}"
        else:
            lines.append(part)
    return lines


def _ruler(axis: Axis, columns: int, *, time: bool, flat: str, mark: str) -> tuple[str, str]:
    """The axis below the drawing, and the labels below the axis. A label that would touch the previous one is left out with its mark."""
    ruler, words = [flat] * columns, ""
    for tick in axis.ticks:
        label = ("0" if tick == 0 else duration(tick)) if time else f"{tick:,.10g}"
        column = round(axis.place(tick) * (columns - 1))
        start = min(max(0, column - len(label) // 2), columns - len(label))
        if words and start < len(words) + 2:
            continue
        words = words.ljust(start) + label
        ruler[column] = mark
    return "".join(ruler), words
