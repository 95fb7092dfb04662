"""A printed page: from pieces of text with their positions to lines in reading order, column by column.

Lengths are in points, or in characters and lines for plain text; `top` and `bottom` grow down the page.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

import numpy as np

_MOST_IN_COLUMNS = 3_000  # pieces on a page; a drawing made of letters has more
_MOST_DROP_CAPS = 5


class Line(NamedTuple):
    """A line of text, or a piece of one, and its position."""

    text: str
    left: float
    right: float
    top: float
    bottom: float
    size: float


def columns(pieces: Sequence[Line]) -> list[list[Line]]:
    """A page's lines in reading order: those of one column, then those of the next.

    A line that extends over all columns (a title) divides the page: what is above it is read first, then the line, then what is below.
    """
    return [lines for column in _columns(pieces, 3) if (lines := _with_drop_caps(column))]


def rows(pieces: Iterable[Line]) -> list[list[Line]]:
    """The pieces in rows, from the top of the page to its foot, each row from left to right."""
    found: list[list[Line]] = []
    for piece in sorted(pieces, key=lambda piece: (piece.top + piece.bottom, piece.left)):
        middle = (piece.top + piece.bottom) / 2
        if found and found[-1][0].top <= middle <= found[-1][0].bottom:
            found[-1].append(piece)
        else:
            found.append([piece])
    for row in found:
        row.sort(key=lambda piece: piece.left)
    return found


def joined(row: Sequence[Line]) -> Line:
    """A row as one line, with the font size of its longest piece."""
    text = row[0].text
    for before, piece in pairwise(row):
        text += piece.text if piece.left - before.right < 0.1 * piece.size else " " + piece.text
    return Line(
        text,
        row[0].left,
        max(piece.right for piece in row),
        min(piece.top for piece in row),
        max(piece.bottom for piece in row),
        max(row, key=lambda piece: len(piece.text)).size,
    )


def _columns(pieces: Sequence[Line], depth: int) -> list[list[Line]]:
    gutter = _gutter(pieces) if depth and len(pieces) <= _MOST_IN_COLUMNS else None
    if gutter is None:
        return [list(pieces)] if pieces else []
    across = sorted((piece for piece in pieces if piece.left < gutter < piece.right), key=lambda piece: piece.top)
    sides = [[piece for piece in pieces if piece.right <= gutter], [piece for piece in pieces if piece.left >= gutter]]
    read: list[list[Line]] = []
    above = float("-inf")
    for row in [*rows(across), []]:
        below = min((piece.top for piece in row), default=float("inf"))
        for side in sides:
            read += _columns([piece for piece in side if above <= (piece.top + piece.bottom) / 2 < below], depth - 1)
        if row:
            beside = [p for side in sides for p in side if row[0].top <= (p.top + p.bottom) / 2 < row[0].bottom]
            read.append([*row, *beside])
            above = max(row[0].bottom, below)
    return read


def _gutter(pieces: Sequence[Line]) -> float | None:
    """The middle of the empty strip between two columns, or None; both sides need fairly long lines, side by side."""
    if len(pieces) < 12:
        return None
    left, right = min(piece.left for piece in pieces), max(piece.right for piece in pieces)
    if right - left < 1:
        return None
    covered = np.zeros(402, dtype=np.int64)
    scale = 400 / (right - left)
    for piece in pieces:
        covered[round((piece.left - left) * scale)] += 1
        covered[round((piece.right - left) * scale) + 1] -= 1
    covered = np.cumsum(covered)[:401]
    inner = covered[80:321]
    strip = np.flatnonzero(inner <= max(0.08 * len(pieces), inner.min()))
    if inner.min() > 0.08 * len(pieces):
        return None
    best: tuple[float, float] | None = None
    for run in np.split(strip, np.flatnonzero(np.diff(strip) > 1) + 1):
        width = len(run) / scale
        middle = left + (80 + (run[0] + run[-1]) / 2) / scale
        if width >= 0.7 * median(piece.size for piece in pieces) and _are_columns(pieces, middle) and (best is None or width > best[0]):
            best = width, middle
    return best[1] if best else None


def _are_columns(pieces: Sequence[Line], gutter: float) -> bool:
    left = rows(piece for piece in pieces if piece.right <= gutter)
    right = rows(piece for piece in pieces if piece.left >= gutter)
    if min(len(left), len(right)) < 5:
        return False
    for side in (left, right):
        width = max(row[-1].right for row in side) - min(row[0].left for row in side)
        if median(row[-1].right - row[0].left for row in side) < 0.5 * width or width < 8 * side[0][0].size:
            return False
    top, bottom = max(left[0][0].top, right[0][0].top), min(left[-1][0].bottom, right[-1][0].bottom)
    return sum(top <= row[0].top <= bottom for row in left) >= 4


def _with_drop_caps(pieces: Sequence[Line]) -> list[Line]:
    """The lines; an initial that is as high as two or three lines is put before the first of them."""
    usual = median(piece.size for piece in pieces)
    large = [piece for piece in pieces if piece.size > 1.7 * usual and len(piece.text.strip('„“"«»')) == 1 and piece.text[-1].isalpha()]
    if len(large) > _MOST_DROP_CAPS:
        large = []
    lines = [joined(row) for row in rows(piece for piece in pieces if piece not in large)]
    for letter in large:
        beside = [
            number
            for number, line in enumerate(lines)
            if line.left >= letter.right - 0.2 * letter.size and letter.top < (line.top + line.bottom) / 2 < letter.bottom
        ]
        if not beside:
            lines = [joined(row) for row in rows([*lines, letter])]
            continue
        for number in beside:
            text = letter.text + lines[number].text if number == beside[0] else lines[number].text
            lines[number] = lines[number]._replace(text=text, left=letter.left)
    return lines
