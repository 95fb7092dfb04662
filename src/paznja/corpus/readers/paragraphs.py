"""From the lines of printed pages to paragraphs, across the ends of lines, columns and pages.

A paragraph continues on the next line if its line is full (the next word would not have fitted), and the next line is not indented
further, not in another size, not further down than usual, and not the dash of a new speaker after the end of a sentence.
"""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from paznja.corpus.cleaning.divided import JOIN
from paznja.corpus.readers.pages import Line

SPEECH = re.compile(r"(?:—|–|―|--|-)\s*\S")
"""How a line of dialogue begins."""
SENTENCE_END = re.compile(r"[.!?…:;][\"“”’»«')\]]*$")

_DIVIDED = re.compile(r"[\w][-‐¬\u00ad]$")
_SAME_SIZE = 0.08
_WIDER_GAP = 1.35
_INDENT = 0.5  # in font sizes
_FEW = 4  # a column of fewer lines does not show its own margins


class Paragraph(NamedTuple):
    """A paragraph's text, with a `JOIN` in its divided words, and the font size of its first line."""

    text: str
    size: float


def usual_size(lines: Sequence[Line]) -> float:
    """The font size of most of the text."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size * 2) / 2] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def paragraphs_of(pages: Sequence[Sequence[Sequence[Line]]]) -> list[Paragraph]:
    """The paragraphs of all pages, each page given as its columns in reading order."""
    setting = _Setting(pages)
    paragraphs: list[Paragraph] = []
    pieces: list[str] = []
    size = 0.0
    before: tuple[Line, _Margins] | None = None
    for place, column in setting.columns:
        for number, line in enumerate(column):
            if before is not None and setting.continues(before, (line, place), number > 0):
                pieces.append(JOIN if _DIVIDED.search(before[0].text) else " ")
            elif pieces:
                paragraphs.append(Paragraph("".join(pieces), size))
                pieces = []
            size = size if pieces else line.size
            pieces.append(line.text)
            before = line, place
    return [*paragraphs, Paragraph("".join(pieces), size)] if pieces else paragraphs


class _Margins(NamedTuple):
    left: float
    right: float


class _Setting:
    """How the book is set: its margins, the distance between lines, whether lines are justified and paragraphs indented."""

    def __init__(self, pages: Sequence[Sequence[Sequence[Line]]]) -> None:
        lines = [line for page in pages for column in page for line in column]
        self._size = usual_size(lines)
        usual = [line for line in lines if self._is_usual(line)]
        steps = [
            after.top - line.top
            for page in pages
            for column in page
            for line, after in pairwise(column)
            if self._is_usual(line) and self._is_usual(after)
        ]
        self._step = _most_common(steps) or 1.2 * self._size
        gaps = sum(_WIDER_GAP * self._step < step < 3 * self._step for step in steps)
        self.columns = self._with_margins(pages)
        at_margin = indented = justified = 0
        for margins, column in self.columns:
            for line in column:
                indented += _INDENT * self._size < line.left - margins.left < 5 * self._size
                at_margin += abs(line.left - margins.left) < 0.3 * self._size
                justified += abs(line.right - margins.right) < 0.3 * self._size
        # If paragraphs are set off in another way, a short line or a dash does not always show that one begins.
        self._sets_off = indented >= 0.05 * max(at_margin, 1) or gaps >= 0.05 * max(len(steps), 1)
        self._justifies = justified >= 0.3 * max(len(usual), 1)

    def continues(self, before: tuple[Line, _Margins], after: tuple[Line, _Margins], in_one_column: bool) -> bool:
        """Whether the paragraph of line `before` continues on line `after`."""
        (line, margins), (following, its_margins) = before, after
        if abs(line.size - following.size) > _SAME_SIZE * max(line.size, following.size):
            return False
        step = self._step * max(line.size / self._size, 1) if self._size else self._step
        if in_one_column and not following.top - line.top < _WIDER_GAP * step:
            return False
        if _DIVIDED.search(line.text) and following.text[0].islower():
            return True
        if line.size > (1 + 2 * _SAME_SIZE) * self._size:  # a heading, which may be centred
            room = margins.right - margins.left - (line.right - line.left)
            return in_one_column and (following.text[0].islower() or _first_word_width(following) > room)
        indent, its_indent = line.left - margins.left, following.left - its_margins.left
        if not self._is_full(line, margins, following) or its_indent > max(indent, 0) + _INDENT * line.size:
            return False
        ended = SENTENCE_END.search(line.text) is not None
        speaks = SPEECH.match(following.text) is not None
        if its_indent > _INDENT * line.size:  # both lines are indented: a block, or two short paragraphs
            return not (ended and (speaks or following.text[0].isupper() or following.text[0] in '„«»"“'))
        return not (ended and speaks and not self._sets_off)

    def _is_usual(self, line: Line) -> bool:
        return abs(line.size - self._size) <= _SAME_SIZE * self._size

    def _is_full(self, line: Line, margins: _Margins, following: Line) -> bool:
        if self._justifies:
            return margins.right - line.right < 0.6 * line.size
        return line.right + _first_word_width(following) + (1.5 if self._sets_off else 0.5) * line.size > margins.right

    def _with_margins(self, pages: Sequence[Sequence[Sequence[Line]]]) -> list[tuple[_Margins, Sequence[Line]]]:
        """Every column with its margins: the left is its own, or else that of similar columns; the right is that of similar columns."""
        placed: list[tuple[tuple[int, int, int], float | None, Sequence[Line]]] = []
        for number, page in enumerate(pages):
            long = [column for column in page if len(column) >= _FEW]
            for column in page:
                is_long = len(column) >= _FEW or len(page) == 1
                like = (len(long), long.index(column) if column in long else 0, number % 2) if is_long else (1, 0, number % 2)
                placed.append((like, self._left_margin(column), column))
        lefts: dict[tuple[int, int, int], list[float]] = defaultdict(list)
        widths: dict[int, list[float]] = defaultdict(list)
        for like, left, column in placed:
            if left is not None:
                lefts[like].append(left)
                widths[like[0]] += [line.right - left for line in column if self._is_usual(line)]
        usual_left = {like: median(values) for like, values in lefts.items()}
        width = {count: float(sorted(values)[int(0.97 * (len(values) - 1))]) for count, values in widths.items() if values}
        found: list[tuple[_Margins, Sequence[Line]]] = []
        for like, own, column in placed:
            left = own if own is not None else usual_left.get(like, min(line.left for line in column))
            right = left + width.get(like[0], max(line.right for line in column) - left)
            found.append((_Margins(left, right), column))
        return found

    def _left_margin(self, column: Sequence[Line]) -> float | None:
        lefts = sorted(line.left for line in column if self._is_usual(line))
        if len(lefts) < _FEW:
            return None
        enough = max(2, 0.2 * len(lefts))
        for index, left in enumerate(lefts):
            if bisect_right(lefts, left + 0.25 * self._size) - index >= enough:
                return left
        return None


def _first_word_width(line: Line) -> float:
    """The width of the line's first word and of a space."""
    word = line.text.split(maxsplit=1)[0]
    return (line.right - line.left) * (len(word) + 1) / max(len(line.text), 1)


def _most_common(steps: Sequence[float]) -> float:
    counted = Counter(round(step * 2) / 2 for step in steps if step > 0)
    return counted.most_common(1)[0][0] if counted else 0.0
