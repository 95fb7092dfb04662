"""TEI P5 XML, the format of scholarly editions: title, author, language and running text.

Source: TEI Consortium, "TEI P5: Guidelines for Electronic Text Encoding and Interchange", chapters 2, 3, 4 and 6.
"""

import re
from typing import Any

from paznja.corpus.ledger import Ledger
from paznja.corpus.pieces import words
from paznja.corpus.readers.contents import Contents
from paznja.corpus.readers.markup import Effect, leave_out, local_name, parse_xml, plain, running_text
from paznja.errors import UnreadableBook

_XML = "{http://www.w3.org/XML/1998/namespace}"
_ROOTS = frozenset({"TEI", "teiCorpus", "TEI.2"})

_DIVISIONS = words(
    "text front body back group div div0 div1 div2 div3 div4 div5 div6 div7 lg sp list table floatingText epigraph argument "
    "opener closer postscript castList listBibl"
)
_PARAGRAPHS = words(
    "p ab l head trailer signed salute dateline byline item row speaker castItem addrLine docAuthor docDate docTitle imprimatur"
)
_MILESTONES = words("pb cb gb lb milestone")
# Within a paragraph these are part of it; between paragraphs each is a paragraph.
_EITHER = words("quote q said cit stage title bibl label")
_NOT_TEXT = words("teiHeader facsimile standOff sourceDoc gap graphic index certainty respons space anchor ptr")
# These are the editors' or the printer's, not the author's.
_LEFT_OUT = {
    name: rule
    for rule, names in {
        "title-pages": "titlePage",
        "notes": "note noteGrp",
        "page-numbers": "fw",
        "captions": "figure desc",
        "apparatus": "del surplus rdg rdgGrp witDetail interp interpGrp",
    }.items()
    for name in words(names)
}
_WORSE_OF_TWO = frozenset({"sic", "orig", "abbr"})  # within <choice>; the correction beside it stays
_LEFT_OUT_DIVISIONS = {
    "titlepage": "title-pages",
    "notes": "notes",
    "note": "notes",
    "footnotes": "notes",
    "endnotes": "notes",
    "toc": "contents-pages",
    "contents": "contents-pages",
    "index": "contents-pages",
}
_FOOTNOTE_REF = frozenset({"note", "noteanchor", "footnote"})
_MARK = re.compile(r"[\[(]?\s*(?:\d{1,4}|[*†‡§]+|[¹²³⁰⁴-⁹]+)\s*[\])]?")

_EDITION_REMARK = re.compile(
    r"\s*[:;,.(\[–—-]\s*(?:\w+\s+)?(?:ELTeC|TEI|electronic|digital|machine[- ]readable|електронско|дигитално|elektronsko|digitalno)\b"
    r"[^:;]*?(?:edition|version|transcription|transcript|text|издање|izdanje)\W*$",
    re.IGNORECASE,
)
_RESPONSIBILITY = re.compile(r"\s+/\s.*$")
_IN_BRACKETS = re.compile(r"(?:\s*[(\[][^)\]]*[\])])+\s*$")  # years of birth and death, another name


def read_tei(data: bytes, ledger: Ledger) -> Contents:
    """A TEI book without its header, title page, notes, page breaks, gaps and editors' remarks.

    Each paragraph, heading and line of verse is one line of text.

    UnreadableBook if the data is not well-formed XML, or is XML of another kind.
    """
    root = parse_xml(data)
    if local_name(root) not in _ROOTS:
        raise UnreadableBook(f"is XML but not a TEI book (its root element is <{local_name(root)}>); save it as plain text or EPUB")
    header = root.find("{*}teiHeader")
    return Contents(text=_text(root, ledger), title=_title(header), author=_author(header), language=_language(root, header))


def _text(root: Any, ledger: Ledger) -> str:
    note_ids = set(root.xpath("//*[local-name()='note']/@xml:id"))
    other_ids = set(root.xpath("//@xml:id")) - note_ids

    def effect_of(element: Any, name: str, inside: bool) -> Effect:
        if name in _PARAGRAPHS:
            return Effect.PARAGRAPH
        if name in _MILESTONES and element.get("break") == "no":
            return Effect.JOIN
        if name == "lb":
            return Effect.NEWLINE if _is_in_verse(element) else Effect.SPACE
        if name in _NOT_TEXT or name in _MILESTONES or (name in _WORSE_OF_TWO and local_name(element.getparent()) == "choice"):
            return Effect.OMIT
        if name in _LEFT_OUT:
            return Effect.OMIT if leave_out(element, _LEFT_OUT[name], ledger) else Effect.FLOW if inside else Effect.PARAGRAPH
        if name in _DIVISIONS:
            rule = _LEFT_OUT_DIVISIONS.get(element.get("type", "").lower()) if name.startswith("div") else None
            return Effect.OMIT if rule and leave_out(element, rule, ledger) else Effect.DIVISION
        if name in _EITHER:
            return Effect.FLOW if inside else Effect.PARAGRAPH
        if name == "ref" and _is_footnote_mark(element, note_ids, other_ids) and leave_out(element, "notes", ledger):
            return Effect.OMIT
        return Effect.CELL if name == "cell" else Effect.FLOW

    return running_text(root, effect_of)


def _is_footnote_mark(ref: Any, note_ids: set[str], other_ids: set[str]) -> bool:
    text = plain(ref)
    target = ref.get("target", "").removeprefix("#")
    if not text or target in note_ids or ref.get("type", "").lower() in _FOOTNOTE_REF:
        return True
    return _MARK.fullmatch(text) is not None and target not in other_ids


def _is_in_verse(element: Any) -> bool:
    return any(local_name(ancestor) in ("l", "lg") for ancestor in element.iterancestors())


def _title(header: Any) -> str:
    titles = header.findall("{*}fileDesc/{*}titleStmt/{*}title") if header is not None else []
    main = [title for title in titles if title.get("type", "main") == "main"] or titles
    if not main:
        return ""
    title = _EDITION_REMARK.sub("", plain(main[0])) or plain(main[0])
    return _RESPONSIBILITY.sub("", title).replace(" : ", ": ")


def _author(header: Any) -> str:
    if header is None:
        return ""
    authors = [_IN_BRACKETS.sub("", plain(author)) for author in header.findall("{*}fileDesc/{*}titleStmt/{*}author")]
    return ", ".join(_given_name_first(author) for author in authors if author)


def _given_name_first(author: str) -> str:
    family, comma, given = author.partition(", ")
    return f"{given} {family}" if comma and "," not in given else author


def _language(root: Any, header: Any) -> str:
    used = header.findall("{*}profileDesc/{*}langUsage/{*}language") if header is not None else []
    if used:
        return max(used, key=lambda language: _number(language.get("usage", "0"))).get("ident", "")
    text = root.find("{*}text")
    return (text.get(_XML + "lang") if text is not None else None) or root.get(_XML + "lang", "")


def _number(usage: str) -> int:
    return int(usage) if usage.isdecimal() else 0
