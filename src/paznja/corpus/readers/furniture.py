"""Running heads and page numbers, found by repetition: the same words, or numbers that count up, at the top or the foot of pages.

A page is the texts of its lines. Fonts are not needed; the lines' positions are not either, but they help.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

Kind = Literal["running-heads", "page-numbers"]

DEPTH = 2
"""How many lines at the top of a page, and at its foot, can be running heads or page numbers."""

_LONGEST_HEAD = 100
_LONGEST_NUMBER = 30
_FEWEST = 3
_WINDOW = 16  # pages within which a head must recur
_SHARE = 0.35  # of the pages from its first to its last that must have the head: it may be on every other page, and some are lost
_NEAR = 4  # pages within which another number must agree with this one
_SIMILAR = 0.6
_PLACE = 6.0  # points by which a recurring head may be higher or lower
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_NUMBER = re.compile(
    r"[^\w\n]*(?:(?:стр|страна|страница|str|strana|stranica|page|p|seite|с|s)\b[^\w\n]*)?(?:(\d{1,4})|([ivxlc]{1,8}))[^\w\n]*",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d{1,4}")
_AT_AN_END = re.compile(r"^\W*(\d{1,4})\b|\b(\d{1,4})\W*$")
_NO_LETTERS = re.compile(r"[\W\d_]+")
# A line of dialogue, or the middle of a sentence.
_IS_TEXT = re.compile(r"\s*(?:[—–―-]\s*[^\W\d]|[„“\"«»]|[a-zčćžšđа-шђјљњћџ](?![A-ZČĆŽŠĐА-ШЂЈЉЊЋЏ]))")
_SENTENCE_END = re.compile(r"[.!?…:;][\"“”’»«')\]]*\s*$")


class Row(NamedTuple):
    """A line at the top or the foot of a page."""

    text: str
    top: float = 0.0
    size: float = 0.0
    apart: bool = True
    """Whether the line may be separate from the text: false if it is as close to the next line as other lines are, and as large."""


def find_furniture(pages: Sequence[Sequence[Row]]) -> list[dict[int, Kind]]:
    """For each page, the indices of the rows that are running heads or page numbers, with which of the two they are."""
    found: list[dict[int, Kind]] = [{} for _ in pages]
    for at_foot in (False, True):
        left = [list(range(len(page)))[:: -1 if at_foot else 1] for page in pages]
        for _ in range(DEPTH):
            edge = [indices[0] if indices else None for indices in left]
            rows = [None if index is None else page[index] for page, index in zip(pages, edge, strict=True)]
            before = [_last_text(pages, found, number) if not at_foot else "" for number in range(len(pages))]
            any_found = False
            for number, kind in enumerate(_classify(rows, before, at_foot)):
                index = edge[number]
                if kind and index is not None:
                    found[number][index] = kind
                    left[number] = left[number][1:]
                    any_found = True
            if not any_found:
                break
    return found


def _last_text(pages: Sequence[Sequence[Row]], found: Sequence[dict[int, Kind]], number: int) -> str:
    """The last line of the page before, without the furniture that was found there."""
    if number == 0:
        return ""
    page = pages[number - 1]
    return next((page[index].text for index in reversed(range(len(page))) if index not in found[number - 1]), "")


def _classify(rows: Sequence[Row | None], before: Sequence[str], at_foot: bool) -> list[Kind | None]:
    kinds: list[Kind | None] = [None] * len(rows)
    numbers = [_value(row.text, at_foot) if row else None for row in rows]
    for number, value in enumerate(numbers):
        if value is not None and any(_agree(numbers, number, other) for other in _around(number, len(rows))):
            kinds[number] = "page-numbers"
    _add_misread_numbers(rows, numbers, kinds)
    for members in _clusters(rows, kinds):
        for number in _heads(rows, members, before, len(rows)):
            kinds[number] = "running-heads"
    return kinds


def _value(text: str, at_foot: bool) -> int | None:
    match = _NUMBER.fullmatch(text.strip()) if len(text) <= _LONGEST_NUMBER else None
    if match is None:
        return None
    if match[1]:
        return int(match[1])
    roman = match[2]
    if not at_foot and not roman.islower():  # I, II, III at the top number chapters or poems
        return None
    values = [_ROMAN[letter] for letter in roman.lower()]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))


def _around(number: int, num_pages: int) -> range:
    return range(max(number - _NEAR, 0), min(number + _NEAR + 1, num_pages))


def _agree(numbers: Sequence[int | None], number: int, other: int) -> bool:
    value, another = numbers[number], numbers[other]
    return number != other and value is not None and another is not None and value - another == number - other


def _add_misread_numbers(rows: Sequence[Row | None], numbers: Sequence[int | None], kinds: list[Kind | None]) -> None:
    """Add short strings with a digit (l2, 1O7) that are between pages whose numbers are known."""
    sure = [kind is not None for kind in kinds]
    for number, row in enumerate(rows):
        if row is None or kinds[number] or not (re.search(r"\d", row.text) or numbers[number]):
            continue
        if len(row.text.strip(" -–—[]().|")) <= 4 and any(sure[max(number - 2, 0) : number]) and any(sure[number + 1 : number + 3]):
            kinds[number] = "page-numbers"


def _clusters(rows: Sequence[Row | None], kinds: Sequence[Kind | None]) -> list[list[int]]:
    """Pages whose lines at this place are the same, or nearly the same."""
    clusters: list[tuple[list[int], Row, str, frozenset[str]]] = []
    complete: list[list[int]] = []
    for number, row in enumerate(rows):
        if row is None or kinds[number] or len(row.text) > _LONGEST_HEAD:
            continue
        key = _NO_LETTERS.sub(" ", row.text.casefold()).strip()
        if len(key) < 3 or not (_DIGITS.search(row.text) or (row.apart and not _IS_TEXT.match(row.text))):
            continue
        parts = frozenset(key[start : start + 3] for start in range(len(key) - 2))
        for members, first, its_key, its_parts in clusters:
            if number - members[-1] > _WINDOW or abs(row.top - first.top) > _PLACE or abs(row.size - first.size) > 0.1 * row.size:
                continue
            if key == its_key or 2 * len(parts & its_parts) >= _SIMILAR * (len(parts) + len(its_parts)):
                members.append(number)
                break
        else:
            complete += [cluster[0] for cluster in clusters if number - cluster[0][-1] > _WINDOW]
            clusters = [cluster for cluster in clusters if number - cluster[0][-1] <= _WINDOW]
            clusters.append(([number], row, key, parts))
    return [members for members in [*complete, *(cluster[0] for cluster in clusters)] if len(members) >= 2]


def _heads(rows: Sequence[Row | None], members: list[int], before: Sequence[str], num_pages: int) -> list[int]:
    texts = {number: row.text for number in members if (row := rows[number])}
    values = {number: int(match[1] or match[2]) for number, text in texts.items() if (match := _AT_AN_END.search(text))}
    counted = [n for n in values if any(n != m and values[n] - values[m] == n - m for m in values)]
    if len(counted) >= max(2, 0.5 * len(members)):  # with numbers that count up; a line without one may be a chapter's title
        return [number for number in members if number in values]
    if len(members) < _FEWEST or len(members) < _SHARE * (members[-1] - members[0] + 1):
        return []
    first = members[0]
    row = rows[first]
    is_title = (
        row is not None and row.size == 0 and len(members) < 0.5 * num_pages and (not before[first] or _SENTENCE_END.search(before[first]))
    )
    return members[1:] if is_title else members
