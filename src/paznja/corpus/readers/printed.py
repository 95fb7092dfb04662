"""The remains of printed pages in plain text: running heads, page numbers, tables of contents.

Pages end at form feeds. Where there are none, they end at lines that are numbers: these count up, at the distance of pages and in the
middle of sentences, which the numbers of chapters do not.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.foot import contents_lines
from paznja.corpus.readers.furniture import Row, find_furniture

_FEWEST_PAGES = 5
_SHORTEST_PAGE, _LONGEST_PAGE = 300, 8_000  # characters, of the median page
_IN_SENTENCES = 0.3
_MOST_PAGES = 20_000
_MOST_NUMBERS = 20_000  # lines with a number at one end; a text with more is a table
_NUMBER_LINE = re.compile(r"[^\w\n]{0,6}(\d{1,4})[^\w\n]{0,6}")
_NUMBERED_HEAD = re.compile(r"\W*(\d{1,4})\s+(\D{3,60})|(\D{3,60}?)\s+(\d{1,4})\W*")
_ANY_NUMBER_LINE = re.compile(r"\n[^\w\n]{0,6}\d{1,4}[^\w\n]{0,6}(?=\n)")  # beginning with a literal makes it fast
_SENTENCE_END = re.compile(r"[.!?…:;*][\"“”’»«')\]]*$")


def without_pages(lines: Sequence[str], ledger: Ledger) -> list[str]:
    """The lines without running heads, page numbers and tables of contents, with sentences that a page break divided rejoined."""
    lines = _without_contents(lines, ledger)
    pages = _pages(lines)
    if len(pages) < 2:
        return list(lines)
    filled = [[index for index, line in enumerate(page) if line.strip()] for page in pages]
    found = find_furniture([[Row(page[index].strip()) for index in its] for page, its in zip(pages, filled, strict=True)])
    result: list[str] = []
    for page, its, furniture in zip(pages, filled, found, strict=True):
        out = {its[number]: kind for number, kind in furniture.items() if ledger.applies(kind)}
        for index, kind in sorted(out.items()):
            left, right = "\n".join(page[max(index - 1, 0) : index]), "\n".join(page[index + 1 : index + 2])
            ledger.note(kind, page[index].strip(), left=left and left + "\n", right=right and "\n" + right)
        _append_page(result, [line for index, line in enumerate(page) if index not in out], bool(out))
    return result


def without_left_numbers(text: str, ledger: Ledger) -> str:
    """A text with one paragraph on each line, without page numbers among the paragraphs, and with what they divided rejoined."""
    if len(_ANY_NUMBER_LINE.findall(text)) < _FEWEST_PAGES or not ledger.applies("page-numbers"):
        return text
    lines = text.split("\n")
    breaks = [place for place, head in _breaks(lines) if not head]
    if not breaks:
        return text
    result: list[str] = []
    position = 0
    for place in breaks:
        result += lines[position:place]
        position = place + 1
        before = next((line for line in reversed(result) if line.strip()), "")
        after = next((line for line in lines[position:] if line.strip()), "")
        ledger.note("page-numbers", lines[place].strip(), left=before + "\n", right="\n" + after)
        if before and after and after.strip()[0].islower() and not _SENTENCE_END.search(before.rstrip()):
            while result and not result[-1].strip():
                result.pop()
            while not lines[position].strip():
                position += 1
            lines[position] = f"{result.pop().rstrip()} {lines[position].lstrip()}"
    return "\n".join(result + lines[position:])


def _append_page(result: list[str], page: list[str], had_furniture: bool) -> None:
    """Add a page, without empty lines between it and the page before; the lines themselves show whether a paragraph continues."""
    first = next((index for index, line in enumerate(page) if line.strip()), None)
    if first is None:
        return
    while result and not result[-1].strip():
        result.pop()
    if result and page[first].strip()[0].islower() and not _SENTENCE_END.search(result[-1]) and len(result[-1]) > _LONGEST_LINE:
        result[-1] += " " + page[first].strip()
        first += 1
    result += page[first:]


_LONGEST_LINE = 120  # anything longer is a paragraph


def _pages(lines: Sequence[str]) -> list[list[str]]:
    if num_form_feeds := sum(line.count("\f") for line in lines):
        return [page.split("\n") for page in "\n".join(lines).split("\f")] if num_form_feeds <= _MOST_PAGES else []
    pages: list[list[str]] = []
    position = 0
    for place, _ in _breaks(lines):
        pages.append(list(lines[position:place]))
        position = place
    return [*pages, list(lines[position:])]


def _breaks(lines: Sequence[str]) -> list[tuple[int, bool]]:
    """The lines at which pages end, judging by numbers, each with whether its number is beside a running head."""
    numbered: list[tuple[int, int, str]] = []  # line, number, text beside it
    for place, line in enumerate(lines):
        if len(line) > 90 or not (line[:12] + line[-12:]).strip() or not any(map(str.isdigit, line.strip()[:6] + line.strip()[-6:])):
            continue
        stripped = line.strip()
        if match := _NUMBER_LINE.fullmatch(stripped):
            numbered.append((place, int(match[1]), ""))
        elif match := _NUMBERED_HEAD.fullmatch(stripped):
            numbered.append((place, int(match[1] or match[4]), (match[2] or match[3]).casefold().strip(" .-—–|")))
    beside: dict[str, int] = {}
    for _, _, text in numbered:
        beside[text] = beside.get(text, 0) + 1
    numbered = [it for it in numbered if not it[2] or beside[it[2]] >= 3]
    chain = _longest_chain(lines, numbered)
    return [(place, bool(text)) for place, _, text in chain]


def _longest_chain(lines: Sequence[str], numbered: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The numbers that count up by one or a few at the distance of pages, and are mostly in the middle of sentences."""
    if not _FEWEST_PAGES <= len(numbered) <= _MOST_NUMBERS:
        return []
    ends = [0]
    for line in lines:
        ends.append(ends[-1] + len(line) + 1)
    chains: list[list[int]] = []
    for index, (_, number, _) in enumerate(numbered):
        for chain in chains[-20:]:
            if 1 <= number - numbered[chain[-1]][1] <= 3:
                chain.append(index)
                break
        else:
            chains.append([index])
    found: list[tuple[int, int, str]] = []
    for chain in chains:
        members = [numbered[index] for index in chain]
        if len(members) < _FEWEST_PAGES:
            continue
        lengths = [(ends[after[0]] - ends[it[0]]) / (after[1] - it[1]) for it, after in pairwise(members)]
        usual = median(lengths)
        if not _SHORTEST_PAGE <= usual <= _LONGEST_PAGE or sum(0.4 * usual <= it <= 2.5 * usual for it in lengths) < 0.7 * len(lengths):
            continue
        in_sentences = sum(_falls_into_sentence(lines, place) for place, _, _ in members)
        if in_sentences >= _IN_SENTENCES * len(members):
            found += members
    return sorted(found)


def _falls_into_sentence(lines: Sequence[str], place: int) -> bool:
    before = next((lines[index].strip() for index in range(place - 1, max(place - 4, -1), -1) if lines[index].strip()), "")
    return bool(before) and before[-1] not in "*" and not _SENTENCE_END.search(before) and before.upper() != before


def _without_contents(lines: Sequence[str], ledger: Ledger) -> list[str]:
    if not any("...." in line or ". . . ." in line or "…" in line for line in lines):
        return list(lines)
    filled = [index for index, line in enumerate(lines) if line.strip()]
    out = {filled[number] for number in contents_lines([lines[index] for index in filled])}
    if not out or not ledger.applies("contents-pages"):
        return list(lines)
    for index in sorted(out):
        ledger.note("contents-pages", lines[index].strip())
    return [line for index, line in enumerate(lines) if index not in out]
