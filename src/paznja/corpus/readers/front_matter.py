"""The publisher's pages in books that do not mark them, recognised by what they say: contents, copyright, advertisements.

A page is what stands between two lines of `PAGE`; a file without such lines is one page. One sign alone never removes anything:

- *title*: the first lines of the text, if they are the title or the author in the file's properties; together with a few more short
  lines (the kind of book, the publisher, the year) if they have a page of their own.
- *contents*: the word for it, followed by at least three lines that also occur elsewhere in the book, as titles of chapters, or
  that end in dots and a page number; without the word, at least four lines with dots and rising numbers.
- *copyright*: two different signs close together (ISBN, ©, all rights reserved, a library's catalogue record, ...), near the beginning
  or the end, among short lines.
- *advertisements*: a heading that says so ("Од истог писца", "Also by") and the short lines after it on a page of its own, near
  the beginning or the end; longer lines only if they say how to order.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from paznja.corpus.ledger import Ledger
from paznja.corpus.pieces import words
from paznja.corpus.readers.contents import Contents
from paznja.corpus.readers.markup import PAGE

_CONTENTS = words(
    "садржај sadržaj sadrzaj kazalo vsebina содржина съдържание содержание оглавление зміст contents inhalt inhaltsverzeichnis "
    "sommaire indice índice índex obsah tartalom tartalomjegyzék cuprins innehåll indhold inhoud sisällys"
) | {"table of contents", "table des matières", "tabla de contenido", "spis treści", "садржај књиге", "sadržaj knjige"}
_LEADER = re.compile(r"^(?P<title>.*?)\s*(?:\.\s?){3,}\s*(?P<page>\d{1,4})$|^(?P<title2>.*?)\s*(?:…\s?){2,}\s*(?P<page2>\d{1,4})$")
_PAGE_NUMBER = re.compile(r"[\s.…·_\t]+(?:\d{1,4}|[ivxlc]{1,7})$", re.IGNORECASE)
_LONGEST_ENTRY = 120
_FEWEST_ENTRIES, _FEWEST_DOTTED = 3, 4
_MOST_OCCURRENCES = 3  # in the contents, at the chapter, and perhaps in a second table; what occurs more often is a refrain

_COPYRIGHT_SIGNS = {
    "isbn": re.compile(r"\bISBN\b[\s:(-]*(?:1[03]\b)?[^\n]{0,20}\d", re.IGNORECASE),
    "copyright": re.compile(r"©|\(c\)\s*\d{4}|\bcopyright\b[^\n]{0,40}(?:\d{4}|by)|ауторска права|autorska prava", re.IGNORECASE),
    "rights": re.compile(
        r"all rights reserved|(?:сва|sva)\s+(?:\w+\s+)?(?:права|prava)\s+(?:(?:су|su)\s+)?(?:задржана|zadržana|pridržana|придржана)"
        r"|alle rechte vorbehalten|все права защищены|tous droits réservés|todos los derechos reservados",
        re.IGNORECASE,
    ),
    "number": re.compile(r"\bCOBISS|\b(?:УДК|UDK|UDC)\s*\d", re.IGNORECASE),
    "catalogue": re.compile(
        r"\bCIP\b|каталогизација у публикацији|katalogizacija u publikaciji|Library of Congress|British Library"
        r"|Deutsche Nationalbibliothek",
        re.IGNORECASE,
    ),
    "printed": re.compile(
        r"^(?:тираж|tiraž|naklada|наклада)\b|^(?:штампа|štampa|tisak|штампано|štampano)\s*[:—–-]?\s*\S"
        r"|\bprinted (?:and bound )?in\b|^printed by\b",
        re.IGNORECASE,
    ),
    "publisher": re.compile(
        r"^(?:издавач|izdavač|nakladnik|за издавача|za izdavača|za nakladnika|published by|publisher|first published"
        r"|прво издање|prvo izdanje)\b",
        re.IGNORECASE,
    ),
}
_STRONG = frozenset({"isbn", "copyright", "rights", "catalogue", "number"})
_COLOPHON_LINE = re.compile(
    r"^(?:лектура|lektura|лектор|lektor|коректура|korektura|коректор|korektor|уредник|urednik|главни|glavni|одговорни|odgovorni|"
    r"превела?|prevela?|превео|preveo|превод|prevod|prijevod|са? \w+ (?:језика )?преве|sa? \w+ (?:jezika )?preve|"
    r"наслов (?:оригинала|изворника)|naslov (?:originala|izvornika)|"
    r"дизајн|dizajn|корице|korice|прелом|prelom|илустрације|ilustracije|графичк|grafičk|едиција|edicija|библиотека|biblioteka|"
    r"рецензент|recenzent|припрема|priprema|cover|edited|editor|design|translated|translation|typeset|удк|udk|udc|e-?mail|www\.|https?:)",
    re.IGNORECASE,
)
_LONGEST_COLOPHON_LINE = 200
_LONGEST_PAGE = 4_000
_LINES_FROM_THE_EDGE = 80
_GAP = 3

_ADVERTISEMENT = re.compile(
    r"(?:(?:друге|друга|остале|остала|још) )?(?:књиге |дела )?(?:од )?истог (?:писца|аутора)"
    r"|(?:(?:druge|druga|ostale|ostala|još) )?(?:knjige |dj?ela )?(?:od )?istog (?:pisca|autora)"
    r"|(?:у|u) (?:истој|istoj) (?:библиотеци|едицији|biblioteci|ediciji)(?: (?:је )?(?:објављено|изашло|(?:je )?(?:objavljeno|izašlo)))?"
    r"|(?:из|iz) (?:исте|iste|наше|naše) (?:библиотеке|едиције|продукције|понуде|biblioteke|edicije|produkcije|ponude)"
    r"|(?:наша|naša|нова|nova|најновија|najnovija) (?:издања|izdanja)|(?:препоручујемо|preporučujemo)(?: (?:вам|vam|и|i))?"
    r"|(?:ускоро|uskoro) (?:из штампе|iz štampe|излази|izlazi)|(?:у припреми|u pripremi)"
    r"|(?:also|other (?:books|works|titles|novels)) (?:available )?(?:by|from) [\w .'-]{2,40}|by the same author"
    r"|coming soon(?: from [\w .'-]{2,40})?"
    r"|(?:другие книги автора|von demselben autor|du même auteur|del mismo autor)",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"\bwww\.|https?:|\b[\w.]+@\w|(?:наруч|naruč|поруч|poruč)(?:ите|ite|ивањ|ivanj|ити|iti)|\b(?:тел|tel)\b\.?|\b(?:позовите|pozovite)\b"
    r"|\b(?:order|buy|visit us|available (?:at|from))\b|\b(?:попуст|popust)",
    re.IGNORECASE,
)
_LONGEST_TITLE = 100
_TITLE_PAGE = re.compile(
    r"\b(?:1[4-9]|20)\d\d\b|^(?:роман|roman|новела|novela|novel|приче|priče|приповетке|pripovetke|приповијетке|pripovijetke|песме|pesme|"
    r"пјесме|pjesme|драма|drama|приповијест|pripovijest|мемоари|memoari|есеји|eseji|stories|poems)\b"
    r"|^(?:београд|beograd|нови сад|novi sad|загреб|zagreb|сарајево|sarajevo|подгорица|podgorica|скопље|skoplje|љубљана|ljubljana)\b"
    r"|\b(?:преве|preve|translated)|\b(?:издав|izdav|наклад|naklad|publish|press\b|verlag|éditions)",
    re.IGNORECASE,
)
_LONGEST_TITLE_LINE, _MOST_TITLE_LINES = 60, 8
_SPEECH = re.compile(r"[—–―„»\"“-]")
_SENTENCE_END = (".", "!", "?", "…", ".”", ".“", "!“", "?“")


def without_publishers_pages(contents: Contents, ledger: Ledger) -> Contents:
    """The contents, whose text is without a title at its head, tables of contents, copyright pages and advertisements."""
    lines = contents.text.split("\n")
    if ledger.applies("title-pages"):
        lines = _without(lines, _title_at_the_head(lines, contents), "title-pages", ledger)
    if ledger.applies("contents-pages"):
        lines = _without(lines, _contents(lines, "contents-pages" in ledger.changes), "contents-pages", ledger)
    if ledger.applies("copyright-pages"):
        lines = _without(lines, _copyright(lines), "copyright-pages", ledger)
    if ledger.applies("advertisements"):
        lines = _without(lines, _advertisements(lines), "advertisements", ledger)
    return contents._replace(text="\n".join(lines))


def is_contents_heading(line: str) -> bool:
    """Whether the line says "Contents" in one of many languages."""
    return len(line) < 40 and line.strip(" .:—–-*\u00a0").casefold() in _CONTENTS


def _without(lines: list[str], ranges: list[range], rule: str, ledger: Ledger) -> list[str]:
    kept: list[str] = []
    end = 0
    for span in ranges:
        left_out = [line for line in lines[span.start : span.stop] if line and line != PAGE]
        ledger.note(
            rule, " / ".join(left_out), left=lines[span.start - 1] if span.start else "", right="".join(lines[span.stop : span.stop + 1])
        )
        kept += lines[end : span.start]
        end = span.stop
    return kept + lines[end:]


def _title_at_the_head(lines: list[str], contents: Contents) -> list[range]:
    """The first lines, if they are the title and the author that the file names in its properties."""
    names = {_words(name) for name in (contents.title, contents.author, *contents.author.split(", "))} - {""}
    start = end = 0
    for number, line in enumerate(lines):
        if line and line != PAGE and _words(line) not in names:
            return [range(start, _end_of_title_page(lines, end))] if end else []
        if line and line != PAGE:
            end = number + 1
        elif not end:
            start = number + 1
    return []  # there is nothing else in the book


def _end_of_title_page(lines: list[str], end: int) -> int:
    """The end of the title's page, if only a few short lines follow there that are not sentences; otherwise `end`."""
    page = next((page for page in _pages(lines) if end - 1 in page), range(0))
    rest = [lines[number] for number in page if number >= end and lines[number]]
    short = all(len(line) <= _LONGEST_TITLE_LINE and not _SPEECH.match(line) and not line.endswith(_SENTENCE_END) for line in rest)
    is_title_page = len(page) < len(lines) and len(rest) <= _MOST_TITLE_LINES and short and any(map(_TITLE_PAGE.search, rest))
    return page.stop if is_title_page else end


def _contents(lines: list[str], are_left_out_already: bool) -> list[range]:
    ranges: list[range] = []
    headings = [number for number, line in enumerate(lines) if is_contents_heading(line)]
    if headings:
        occurs = Counter(_title(line) for line in lines if len(line) <= _LONGEST_ENTRY)
        for start in headings:
            end = _end_of_entries(lines, start + 1, occurs)
            if end or are_left_out_already:  # if they are, the heading alone is left
                ranges.append(range(start, end or start + 1))
    taken = {number for span in ranges for number in span}
    return sorted([*ranges, *(span for span in _dotted(lines) if taken.isdisjoint(span))], key=lambda span: span.start)


def _end_of_entries(lines: list[str], start: int, occurs: Counter[str]) -> int | None:
    """Where the entries that begin here end; None if there are too few."""
    seen: set[str] = set()
    entries = strangers = 0
    end = start
    for number in range(start, len(lines)):
        line = lines[number]
        if not line or line == PAGE:
            continue
        if len(line) > _LONGEST_ENTRY:
            break
        title = _title(line)
        without_number = _title(_PAGE_NUMBER.sub("", line))
        is_title = 1 < occurs[title] <= _MOST_OCCURRENCES
        entry = title if is_title else without_number
        if entry in seen:  # this is the chapter itself, so the contents are over
            break
        seen.add(entry)
        if is_title or (without_number != title and occurs[without_number]) or _LEADER.match(line):
            entries += 1
            end = number + 1
            strangers = 0
        else:
            strangers += 1
            if strangers > 1:
                break
    return end if entries >= _FEWEST_ENTRIES else None


def _title(line: str) -> str:
    """The form of a line in which titles are compared."""
    return _words(line).strip(" .:…")


def _words(line: str) -> str:
    return " ".join(line.casefold().split())


def _dotted(lines: list[str]) -> Iterator[range]:
    """Runs of lines that end in dots and page numbers that never decrease."""
    start: int | None = None
    count = last_page = 0
    for number, line in enumerate([*lines, PAGE]):
        match = _LEADER.match(line) if line[-1:].isdigit() and len(line) <= _LONGEST_ENTRY + 60 else None
        page = int(match["page"] or match["page2"]) if match else -1
        if match and page >= last_page:
            start = number if start is None else start
            count, last_page = count + 1, page
        elif line or number == len(lines):
            if start is not None and count >= _FEWEST_DOTTED:
                yield range(start, number)
            start, count, last_page = (number, 1, page) if match else (None, 0, 0)


def _copyright(lines: list[str]) -> list[range]:
    ranges: list[range] = []
    for page in _pages(lines):
        short = sum(len(lines[number]) for number in page) <= _LONGEST_PAGE
        whole = short and len(page) < len(lines)
        for part in [page] if len(page) <= 2 * _LINES_FROM_THE_EDGE else [page[:_LINES_FROM_THE_EDGE], page[-_LINES_FROM_THE_EDGE:]]:
            signs = {number: found for number in part if (found := _signs(lines[number]))}
            for group in _groups(signs):
                found = set().union(*(signs[number] for number in group))
                if len(found) >= 2 and found & _STRONG:
                    ranges.append(_page_without_edges(lines, page) if whole else _with_colophon(lines, group, page))
                    break
    return ranges


def _signs(line: str) -> set[str]:
    if not line or line == PAGE:
        return set()
    found = {name for name, pattern in _COPYRIGHT_SIGNS.items() if pattern.search(line)}
    # A long line is the legal paragraph about copying, or running text that happens to mention one of these.
    return found if len(line) <= _LONGEST_COLOPHON_LINE or len(found & _STRONG) >= 2 or "rights" in found else set()


def _groups(signs: dict[int, set[str]]) -> list[list[int]]:
    groups: list[list[int]] = []
    for number in signs:
        if groups and number - groups[-1][-1] <= _GAP + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _with_colophon(lines: list[str], group: list[int], page: range) -> range:
    """The lines with signs, those between them, and the lines of a colophon (editor, translator, designer) before and after."""
    first, last = group[0], group[-1]
    while first > page.start and _belongs(lines[first - 1]):
        first -= 1
    while last + 1 < page.stop and _belongs(lines[last + 1]):
        last += 1
    return range(first, last + 1)


def _belongs(line: str) -> bool:
    return len(line) <= _LONGEST_COLOPHON_LINE and (_COLOPHON_LINE.match(line) is not None or bool(_signs(line)))


def _advertisements(lines: list[str]) -> list[range]:
    ranges: list[range] = []
    pages = _pages(lines)
    for number, page in enumerate(pages):
        filled = [line for line in page if lines[line]]
        if not filled or len(pages) == 1 or 3 <= number < len(pages) - 5:
            continue
        is_list = all(
            _ORDER.search(lines[line])
            or (len(lines[line]) <= _LONGEST_TITLE and not _SPEECH.match(lines[line]) and not lines[line].endswith(_SENTENCE_END))
            for line in filled[1:]
        )
        if _ADVERTISEMENT.fullmatch(lines[filled[0]].strip(" .:*")) and len(filled) > 1 and is_list:
            ranges.append(_page_without_edges(lines, page))
    return ranges


def _pages(lines: list[str]) -> list[range]:
    """The lines of each page that is not empty, without the lines of `PAGE` themselves."""
    edges = [-1, *(number for number, line in enumerate(lines) if line == PAGE), len(lines)]
    pages = [range(start + 1, end) for start, end in pairwise(edges)]
    return [page for page in pages if any(lines[number] for number in page)]


def _page_without_edges(lines: list[str], page: range) -> range:
    filled = [number for number in page if lines[number]]
    return range(filled[0], filled[-1] + 1)
