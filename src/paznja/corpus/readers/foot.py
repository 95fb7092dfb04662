"""Parts of a printed page that are not the book's text: notes at its foot, and whole pages of contents."""

import re
from collections.abc import Sequence

from paznja.corpus.readers.pages import Line

_SMALLER = 0.93
_MARK = re.compile(r"(?:[\x0e(\[]?\s*(?:\d{1,3}|[*†‡§]{1,3}|[¹²³⁰⁴-⁹]{1,3})\s*[\x0f.)\]]*)\s*\S")
_MOST_OF_PAGE = 0.7
_LEADERS = re.compile(r"(?:[.…·•_]\s?){4,}\s*(?:\d{1,4}|[ivxlcIVXLC]{1,7})\s*$")
_ENDS_IN_NUMBER = re.compile(r"[^\W\d_].*?\s(\d{1,4})\s*$")
_HEADING = re.compile(r"\W*(?:садржај|sadržaj|преглед садржаја|contents|table of contents|inhalt)\W*", re.IGNORECASE)
_FEWEST = 3
_END = 100  # only this many characters at the end of a line are searched


def notes_at_foot(rows: Sequence[Sequence[Line]], rules: Sequence[float], usual_size: float) -> int:
    """The index of the first row of notes, which are in smaller type, below a rule or with a mark; the number of rows if none."""
    start = len(rows)
    while start > 0 and all(piece.size < _SMALLER * usual_size for piece in rows[start - 1]):
        start -= 1
    if len(rows) - start > _MOST_OF_PAGE * len(rows):
        return len(rows)
    for index in range(start, len(rows)):
        top, height = rows[index][0].top, rows[index][0].size
        above = rows[index - 1][0].bottom - height if index else float("-inf")
        if any(above <= rule <= top + 0.5 * height for rule in rules) or _MARK.match(rows[index][0].text):
            return index
    return len(rows)


def contents_lines(lines: Sequence[str]) -> set[int]:
    """The indices of the lines of a table of contents: at least three lines with leaders and page numbers, and their heading."""
    found = {index for index, line in enumerate(lines) if line[-1:].isalnum() and _LEADERS.search(line[-_END:])}
    if len(found) < _FEWEST:
        return set()
    for index in list(found):
        # The first line of a long title is between two entries and has no number.
        if index - 2 in found and not lines[index - 1].rstrip().endswith((".", "!", "?")):
            found.add(index - 1)
    first = min(found)
    for index in range(max(first - 3, 0), first):
        if _HEADING.fullmatch(lines[index]):
            found.update(range(index, first))
    return found


def is_contents_page(rows: Sequence[str]) -> bool:
    """Whether nearly all lines of a page end in numbers that never decrease."""
    numbers = [int(match[1]) for row in rows if (match := _ENDS_IN_NUMBER.search(row[-_END:]))]
    return len(numbers) >= 5 and len(numbers) >= 0.7 * len(rows) and numbers == sorted(numbers) and numbers[0] < numbers[-1]
