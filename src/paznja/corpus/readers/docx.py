"""Word documents (DOCX): a zip of XML parts, one of which is the text, while others are notes, comments, headers and footers.

Source: ISO/IEC 29500-1:2016, "Office Open XML File Formats", part 1, chapter 17 (WordprocessingML).
"""

import posixpath
import re
from itertools import chain
from typing import Any

from paznja.corpus.ledger import Ledger
from paznja.corpus.pieces import words
from paznja.corpus.readers.contents import Contents
from paznja.corpus.readers.front_matter import without_publishers_pages
from paznja.corpus.readers.markup import Effect, leave_out, local_name, plain, running_text
from paznja.corpus.readers.office import PAGE_FIELD, move_behind_paragraph, real_author, real_title
from paznja.corpus.readers.zipped import Zipped
from paznja.errors import UnreadableBook

_RELATIONSHIPS = "_rels/.rels"
_PARAGRAPHS = frozenset({"p"})
_DIVISIONS = words("document body tbl txbxContent sdtContent footnotes endnotes footnote endnote")
_NOT_TEXT = words(
    "pPr rPr tblPr trPr tcPr tblGrid sectPr sdtPr sdtEndPr Fallback instrText delInstrText rt softHyphen "
    "footnoteReference endnoteReference footnoteRef endnoteRef commentReference annotationRef separator continuationSeparator "
    "docPr object pgNum oMath oMathPara"
)
_DELETED = words("del moveFrom delText")
_SIGNIFICANT = words("t delText instrText delInstrText noBreakHyphen sym")
# Styles by the names that every Word writes to the file, whatever its user's language, and those of LibreOffice and Pandoc.
_CONTENTS_STYLE = re.compile(r"toc (?:\d|heading)|tocheading|table of (?:figures|authorities)|index (?:\d|heading)|contents (?:\d|heading)")
_CAPTION_STYLES = frozenset({"caption", "image caption", "table caption", "illustration", "figure caption"})
_CONTENTS_FIELD = re.compile(r"\s*(?:TOC|INDEX|TOA|BIBLIOGRAPHY)\b")
_DEEPEST_FIELD = 20
_OFF = frozenset({"0", "false", "off", "none"})


def read_docx(data: bytes, ledger: Ledger) -> Contents:
    """A Word document's text without notes, comments, deleted and hidden text, captions, contents, headers and footers.

    UnreadableBook if the file is damaged, not a Word document, or unpacks to more than a book can be.
    """
    archive = Zipped(data, "a Word document")
    path = _document_path(archive)
    if path is None:
        raise UnreadableBook("is a zip file but not a Word document (its text, word/document.xml, is missing)")
    folder = posixpath.dirname(path)
    parts = {name: f"{folder}/{name}.xml".lstrip("/") for name in ("styles", "footnotes", "endnotes", "comments")}
    parts = {name: part for name, part in parts.items() if part in archive.names}
    frames = [it for it in sorted(archive.names) if re.fullmatch(r"(?:header|footer)\d*\.xml", posixpath.basename(it))]
    archive.refuse_too_much_text([path, *parts.values(), *frames])
    root = archive.xml(path)
    core = {local_name(it): plain(it) for it in archive.xml("docProps/core.xml")} if "docProps/core.xml" in archive.names else {}
    title, author = real_title(core.get("title", "")), real_author(core.get("creator", ""))
    styles = _style_names(archive.xml(parts["styles"])) if "styles" in parts else {}
    text = _text(root, styles, ledger)
    for name, rule in (("footnotes", "notes"), ("endnotes", "notes"), ("comments", "apparatus")):
        if name in parts:
            text += _beside_the_text(archive.xml(parts[name]), rule, styles, ledger)
    for frame in frames:
        _beside_the_text(archive.xml(frame), "page-frames", styles, ledger)
    return without_publishers_pages(Contents(text, title, author, core.get("language", "")), ledger)


def _document_path(archive: Zipped) -> str | None:
    if _RELATIONSHIPS in archive.names:
        for relationship in archive.xml(_RELATIONSHIPS):
            path = relationship.get("Target", "").lstrip("/")
            if relationship.get("Type", "").endswith("/officeDocument") and posixpath.basename(path).startswith("document"):
                return path if path in archive.names else None
    return "word/document.xml" if "word/document.xml" in archive.names else None


def _style_names(root: Any) -> dict[str, str]:
    """The name of each style, in lower case, by its id."""
    return {_attribute(style, "styleId"): _attribute(style.find("{*}name"), "val").lower() for style in root.iterfind("{*}style")}


def _text(root: Any, styles: dict[str, str], ledger: Ledger) -> str:
    _drop_white_space_between_elements(root)
    for box in reversed(list(root.iter("{*}txbxContent"))):
        if any(local_name(ancestor) == "Fallback" for ancestor in box.iterancestors()):
            continue  # the same text again, for older programs
        move_behind_paragraph(box, _PARAGRAPHS)
    _join_paragraphs_whose_mark_is_deleted(root)
    _leave_out_fields(root, ledger)
    _mark_pages(root)
    for element in root.iter("{*}noBreakHyphen"):
        element.text = "-"
    for element in root.iter("{*}sym"):
        element.text = _symbol(element)

    def effect_of(element: Any, name: str, inside: bool) -> Effect:
        if name in _NOT_TEXT:
            return Effect.OMIT
        rule = "apparatus" if name in _DELETED or (name == "r" and _is_hidden(element)) else None
        if name == "p":
            rule = _rule_of_paragraph(element, styles)
        elif name == "sdt" and _is_contents(element):
            rule = "contents-pages"
        if rule and leave_out(element, rule, ledger):
            return Effect.OMIT
        match name:
            case "p":
                return Effect.CELL if _is_alone_in_its_cell(element) else Effect.PARAGRAPH
            case "tr":
                return Effect.PARAGRAPH
            case "tc":
                return Effect.CELL
            case "br":
                return Effect.PAGE if _attribute(element, "type") == "page" else Effect.NEWLINE
            case "cr":
                return Effect.NEWLINE
            case "tab" | "ptab":
                return Effect.SPACE
            case "page":
                return Effect.PAGE
        return Effect.DIVISION if name in _DIVISIONS else Effect.FLOW

    return running_text(root, effect_of)


def _rule_of_paragraph(paragraph: Any, styles: dict[str, str]) -> str | None:
    style = paragraph.find("{*}pPr/{*}pStyle")
    if style is None:
        return None
    identity = _attribute(style, "val")
    name = styles.get(identity, identity.lower())
    if _CONTENTS_STYLE.fullmatch(name):
        return "contents-pages"
    return "captions" if name in _CAPTION_STYLES else None


def _leave_out_fields(root: Any, ledger: Ledger) -> None:
    """Remove the results of fields that are contents or page numbers; a field may extend over many paragraphs."""
    open_fields: list[tuple[list[str], list[Any]]] = []  # each field's instruction, and the elements of its result
    for element in root.iter("{*}fldChar", "{*}instrText", "{*}t"):
        match local_name(element):
            case "fldChar":
                kind = _attribute(element, "fldCharType")
                if kind == "begin":
                    open_fields.append(([], []))
                elif kind == "end" and open_fields:
                    instruction, results = open_fields.pop()
                    _leave_out_result("".join(instruction), results, ledger)
            case "instrText":
                if open_fields:
                    open_fields[-1][0].append(element.text or "")
            case _:
                for _, results in open_fields[:_DEEPEST_FIELD]:
                    results.append(element)
    for field in root.iter("{*}fldSimple"):
        _leave_out_result(_attribute(field, "instr"), list(field.iter("{*}t")), ledger)
    for element in root.iter("{*}instrText", "{*}delInstrText"):
        element.text = None


def _leave_out_result(instruction: str, results: list[Any], ledger: Ledger) -> None:
    rule = "contents-pages" if _CONTENTS_FIELD.match(instruction) else "page-numbers" if PAGE_FIELD.match(instruction) else None
    text = " ".join(element.text for element in results if element.text)
    if rule and text and ledger.applies(rule):
        ledger.note(rule, text)
        for element in results:
            element.text = None


def _join_paragraphs_whose_mark_is_deleted(root: Any) -> None:
    for mark in reversed(root.xpath("//*[local-name()='pPr']/*[local-name()='rPr']/*[local-name()='del']")):
        paragraph = mark.getparent().getparent().getparent()
        following = paragraph.getnext()
        if following is not None and local_name(following) == "p" and local_name(paragraph) == "p":
            for child in list(following):
                if local_name(child) != "pPr":
                    paragraph.append(child)
            following.getparent().remove(following)


def _mark_pages(root: Any) -> None:
    for paragraph in list(root.iter("{*}p")):
        properties = paragraph.find("{*}pPr")
        if properties is None:
            continue
        if _is_on(properties.find("{*}pageBreakBefore")):
            paragraph.addprevious(paragraph.makeelement("page"))
        section = properties.find("{*}sectPr")
        if section is not None and _attribute(section.find("{*}type"), "val") != "continuous":
            paragraph.addnext(paragraph.makeelement("page"))


def _drop_white_space_between_elements(root: Any) -> None:
    for element in root.iter("{*}*"):
        if element.tail:
            element.tail = None
        if element.text and local_name(element) not in _SIGNIFICANT:
            element.text = None


def _beside_the_text(root: Any, rule: str, styles: dict[str, str], ledger: Ledger) -> str:
    """A part with notes, comments or a header: it is left out and noted, or its text is returned if its rule is switched off."""
    if ledger.applies(rule):
        for element in root:
            if plain(element):
                ledger.note(rule, plain(element))
        return ""
    return "\n" + _text(root, styles, ledger)


def _is_contents(sdt: Any) -> bool:
    gallery = sdt.find("{*}sdtPr/{*}docPartObj/{*}docPartGallery")
    return gallery is not None and _attribute(gallery, "val") in ("Table of Contents", "Bibliographies")


def _is_alone_in_its_cell(paragraph: Any) -> bool:
    parent = paragraph.getparent()
    if parent is None or local_name(parent) != "tc":
        return False
    siblings = chain(paragraph.itersiblings(preceding=True), paragraph.itersiblings())
    return not any(local_name(sibling) == "p" for sibling in siblings)


def _is_hidden(run: Any) -> bool:
    properties = run.find("{*}rPr")
    return properties is not None and _is_on(properties.find("{*}vanish"))


def _is_on(property_: Any) -> bool:
    return property_ is not None and _attribute(property_, "val").lower() not in _OFF


def _symbol(element: Any) -> str:
    """A character of a symbol font; empty for characters of the private area, whose meaning only the font knows."""
    try:
        code = int(_attribute(element, "char"), 16)
    except ValueError:
        return ""
    return "" if 0xE000 <= code <= 0xF8FF or not 0x20 <= code <= 0xFFFF else chr(code)


def _attribute(element: Any, name: str) -> str:
    """An attribute, whatever its namespace: strict and transitional documents have different ones."""
    if element is None:
        return ""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")
