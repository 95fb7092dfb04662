"""FictionBook 2 (FB2): XML for novels, by itself or as the only file of a zip (FB2.ZIP).

Source: GribUser, "FictionBook 2.1 schema", 2004: the elements and their contents.
"""

import re
from typing import Any

from paznja.corpus.ledger import Ledger
from paznja.corpus.pieces import words
from paznja.corpus.readers.contents import Contents
from paznja.corpus.readers.front_matter import without_publishers_pages
from paznja.corpus.readers.markup import Effect, leave_out, local_name, parse_xml, plain, running_text
from paznja.errors import UnreadableBook

_DIVISIONS = words("FictionBook body section title epigraph cite poem stanza table annotation")
_PARAGRAPHS = words("p v subtitle text-author date tr")
_NOT_TEXT = words("description stylesheet binary image empty-line")
_BODIES_OF_NOTES = words("notes footnotes endnotes comments primechaniya")
# Pictures are in the file as text: they make up most of it, and a single one may be longer than the XML parser accepts.
_PICTURES = re.compile(rb"<binary\b[^<>]*>[^<]*</binary\s*>")


def read_fb2(data: bytes, ledger: Ledger) -> Contents:
    """A FictionBook without its description, title page, notes, summaries and pictures.

    Each paragraph, heading and line of verse is one line of text.

    UnreadableBook if the data is not well-formed XML, or is XML of another kind.
    """
    root = parse_xml(_PICTURES.sub(b"", data))
    if local_name(root) != "FictionBook":
        raise UnreadableBook(f"is XML but not a FictionBook (its root element is <{local_name(root)}>); save it as plain text or EPUB")
    info = root.find("{*}description/{*}title-info")
    contents = Contents(_text(root, ledger), title=_of(info, "book-title"), author=_authors(info), language=_of(info, "lang"))
    return without_publishers_pages(contents, ledger)


def _text(root: Any, ledger: Ledger) -> str:
    def effect_of(element: Any, name: str, inside: bool) -> Effect:
        if name in _NOT_TEXT:
            return Effect.OMIT
        rule = _rule(element, name)
        if rule and leave_out(element, rule, ledger):
            return Effect.OMIT
        if name in _PARAGRAPHS:
            return Effect.PARAGRAPH
        if name in _DIVISIONS:
            return Effect.DIVISION
        return Effect.CELL if name in ("td", "th") else Effect.FLOW

    return running_text(root, effect_of)


def _rule(element: Any, name: str) -> str | None:
    if name == "a":
        return "notes" if element.get("type") == "note" else None
    if name == "body":
        return "notes" if element.get("name", "").lower() in _BODIES_OF_NOTES else None
    if name == "annotation":
        return "apparatus"
    parent = element.getparent()
    is_title_page = name == "title" and local_name(parent) == "body" and not parent.get("name")
    return "title-pages" if is_title_page else None


def _of(info: Any, name: str) -> str:
    element = info.find(f"{{*}}{name}") if info is not None else None
    return plain(element) if element is not None else ""


def _authors(info: Any) -> str:
    names = []
    for author in info.findall("{*}author") if info is not None else []:
        parts = [_of(author, part) for part in ("first-name", "middle-name", "last-name")]
        names.append(" ".join(part for part in parts if part) or _of(author, "nickname"))
    return ", ".join(name for name in names if name)
