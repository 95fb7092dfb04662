"""Notes that nobody marked as notes, recognised by their links: a number in the text leads to a paragraph that begins with the same
number, or that leads back to it. Most EPUBs that were converted from another format are like this.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, takewhile
from typing import Any, NamedTuple

from paznja.corpus.pieces import words
from paznja.corpus.readers.markup import local_name, plain

_MARK = re.compile(r"[\[({]?\s*(\d{1,4}|[*†‡§]{1,5}|[¹²³⁰⁴-⁹]{1,4}|[a-z]|[ivxl]{1,6})\s*[\])}]?\s*[.:)]?")
_BEGINNING = re.compile(rf"{_MARK.pattern}(?![^\W_])")
_BLOCKS = words("p li dd dt div td tr section aside blockquote body html")
_HEADINGS = words("h1 h2 h3 h4 h5 h6")
_LONGEST_NOTE = 5_000
_MOST_STEPS = 200  # elements that are inspected around one link
_TITLES = words(
    "белешке beleške beleske биљешке bilješke напомене napomene напомена napomena фусноте fusnote примедбе primedbe примједбе primjedbe "
    "објашњења objašnjenja тумачења tumačenja коментари komentari opaske bilješka notes footnotes endnotes anmerkungen fußnoten notas "
    "примечания сноски"
)

Place = tuple[str, str]
"""A page's path, and the id of an element on it."""
Follow = Callable[[str, str], Place | None]
"""Gives the place that a page's path and an address on that page lead to; None if it is outside the book."""


class _Mark(NamedTuple):
    """A number in the text that is a link."""

    link: Place
    """Its page, and the address that it leads to, as it is written there."""
    text: str
    to: Place
    places: frozenset[Place]
    """The places whose links lead back to it."""


class NoteLinks(NamedTuple):
    """Which of a book's links are the marks of notes, and which of its elements are the notes."""

    marks: frozenset[Place] = frozenset()
    """For each mark, its page's path and the link's address as it is written there."""
    notes: frozenset[Place] = frozenset()

    def is_mark(self, page: str, link: Any) -> bool:
        """Whether the link leads to one of the notes."""
        return (page, link.get("href", "")) in self.marks

    def elements(self, page: str, root: Any) -> frozenset[Any]:
        """The notes on this page, the paragraphs that continue them, and the heading above them."""
        wanted = {identity for path, identity in self.notes if path == page}
        if not wanted:
            return frozenset()
        notes = dict.fromkeys(_block(element) for element in root.iter("{*}*") if _identity(element) in wanted)
        notes.pop(None, None)
        found = set(notes)
        for note in notes:
            found.update(self._continuation(page, note, notes))
        return frozenset([*found, *_heading_above(next(iter(notes), None))])

    def _continuation(self, page: str, note: Any, notes: dict[Any, None]) -> list[Any]:
        """The paragraphs after a note that belong to it: a term's definitions, or everything up to the next note."""
        if local_name(note) == "dt":
            return list(takewhile(lambda it: local_name(it) == "dd", note.itersiblings("{*}*")))
        passed: list[Any] = []
        for following in islice(note.itersiblings("{*}*"), _MOST_STEPS):
            if following in notes:
                return passed
            if local_name(following) in _HEADINGS or any(self.is_mark(page, link) for link in following.iter("{*}a")):
                break  # the book's own text, with notes after its paragraphs
            passed.append(following)
        return []


def find_note_links(pages: Iterable[tuple[str, Any]], follow: Follow) -> NoteLinks:
    """The links to notes of a whole book, whose pages are given as path and root; each is used once."""
    marks: list[_Mark] = []
    begins: dict[Place, str] = {}
    leads_to: dict[Place, frozenset[Place]] = {}
    for page, root in pages:
        marks += _marks(page, root, follow)
        for element in root.iter("{*}*"):
            identity = _identity(element)
            block = _block(element) if identity else None
            if block is not None:
                beginning = _BEGINNING.match(" ".join(" ".join(block.itertext()).split()))  # with a space between its parts
                begins[page, identity] = beginning[1] if beginning else ""
                places = (follow(page, link.get("href", "")) for link in block.iter("{*}a"))
                leads_to[page, identity] = frozenset(place for place in places if place)
    found = [mark for mark in marks if begins.get(mark.to) == mark.text or not mark.places.isdisjoint(leads_to.get(mark.to, frozenset()))]
    return NoteLinks(frozenset(mark.link for mark in found), frozenset(mark.to for mark in found))


def _marks(page: str, root: Any, follow: Follow) -> Iterator[_Mark]:
    """The links that may be marks of notes: short ones that follow running text in their paragraph."""
    for link in root.iter("{*}a"):
        href = link.get("href", "")
        match = _MARK.fullmatch(plain(link)) if "#" in href else None
        to = follow(page, href) if match else None
        if match and to and any(map(_has_letter, islice(_texts_before(link), _MOST_STEPS))):
            around = link.getparent()
            near = [*islice(link.iter("{*}*"), _MOST_STEPS), *([] if local_name(around) in _BLOCKS else [around])]
            yield _Mark((page, href), match[1], to, frozenset((page, identity) for it in near if (identity := _identity(it))))


def _heading_above(note: Any | None) -> list[Any]:
    """The heading that says that notes begin here, just before the first note or the list that contains it; empty if none."""
    while note is not None and local_name(note) not in ("body", "html"):
        for before in note.itersiblings("{*}*", preceding=True):
            if local_name(before) != "hr":
                return [before] if plain(before).casefold().strip(" .:*") in _TITLES else []
        note = note.getparent()
    return []


def _block(element: Any) -> Any | None:
    """The paragraph or division that an element with an id is, or begins, if it may be a note: it has words, and no heading."""
    block = next((it for it in (element, *element.iterancestors()) if local_name(it) in _BLOCKS), None)
    if block is None or local_name(block) in ("body", "html"):
        return None
    inside = list(islice(block.iter("{*}*"), _MOST_STEPS))
    if len(inside) == _MOST_STEPS or any(local_name(it) in _HEADINGS for it in inside):
        return None
    text = plain(block)
    if len(text) > _LONGEST_NOTE or not (_has_letter(text) or local_name(block) == "dt"):
        return None
    return None if element is not block and any(map(_has_letter, _texts_before(element))) else block


def _texts_before(element: Any) -> Iterator[str | None]:
    """The texts before the element in its paragraph, last to first."""
    while local_name(element) not in _BLOCKS | _HEADINGS:
        for sibling in element.itersiblings(preceding=True):
            yield sibling.tail
            yield from sibling.itertext()
        element = element.getparent()
        if element is None:
            return
        yield element.text


def _has_letter(text: str | None) -> bool:
    return text is not None and any(map(str.isalpha, text))


def _identity(element: Any) -> str:
    """The element's id, or the name of an old anchor; empty if it has neither."""
    return element.get("id") or (element.get("name", "") if local_name(element) == "a" else "")
