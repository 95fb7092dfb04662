"""EPUB 2 and 3: a zip of web pages, read in the order of its spine.

Source: W3C, "EPUB 3.3", 2023; IDPF, "Open Packaging Format 2.0.1", 2010.
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.contents import Contents
from paznja.corpus.readers.front_matter import without_publishers_pages
from paznja.corpus.readers.markup import PAGE, parse_html, parse_xml, plain
from paznja.corpus.readers.note_links import NoteLinks, find_note_links
from paznja.corpus.readers.web_page import page_text
from paznja.corpus.readers.zipped import Zipped
from paznja.errors import UnreadableBook

_CONTAINER = "META-INF/container.xml"
_OPF = "{http://www.idpf.org/2007/opf}"
_PAGES = frozenset({"application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document"})
_LINK_TO_PLACE = re.compile(rb"""href\s*=\s*["'][^"'#]*#""")
_RULE_OF_PAGE = {
    "toc": "contents-pages",
    "index": "contents-pages",
    "loi": "contents-pages",
    "lot": "contents-pages",
    "cover": "title-pages",
    "title-page": "title-pages",
    "copyright-page": "copyright-pages",
    "notes": "notes",
}


def read_epub(data: bytes, ledger: Ledger) -> Contents:
    """An EPUB's pages in reading order, without contents, notes, cover, title page, copyright page and advertisements.

    UnreadableBook if the file is damaged, not an EPUB, protected (DRM), or unpacks to more than a book can be.
    """
    archive = Zipped(data, "an EPUB")
    if _CONTAINER not in archive.names:
        raise UnreadableBook(f"is a zip file but not an EPUB ({_CONTAINER} is missing)")
    opf_path = _opf_path(archive)
    package = archive.xml(opf_path)
    pages = _spine(package, posixpath.dirname(opf_path))
    if not pages:
        raise UnreadableBook("is an EPUB whose reading order (spine) names no pages; get another copy")
    _refuse_protected(archive, [path for path, _ in pages])
    paths = [(next((path for path in (quoted, unquote(quoted)) if path in archive.names), quoted), rule) for quoted, rule in pages]
    archive.refuse_too_much_text(path for path, _ in paths)
    found = [(path, archive.read(path), rule) for path, rule in paths]
    links = find_note_links(_linked_pages(found), _follow)
    texts = [_page_text(path, data, rule, links, ledger) for path, data, rule in found]
    title, author, language = _first(package, "title"), _authors(package), _first(package, "language")
    return without_publishers_pages(Contents(f"\n{PAGE}\n".join(texts), title, author, language), ledger)


def _refuse_protected(archive: Zipped, pages: list[str]) -> None:
    wanted = {path for page in pages for path in (page, unquote(page))}
    encrypted: set[str] = set()
    if "META-INF/encryption.xml" in archive.names:  # it lists scrambled fonts too, which leave the text readable
        for reference in archive.xml("META-INF/encryption.xml").iter("{*}CipherReference"):
            encrypted.add(unquote(reference.get("URI", "")).lstrip("/"))
    if wanted & encrypted or any(archive.is_locked(path) for path in wanted):
        raise UnreadableBook("is protected against copying (DRM, encrypted), so its text cannot be read; use a copy without protection")


def _opf_path(archive: Zipped) -> str:
    for rootfile in archive.xml(_CONTAINER).iter("{*}rootfile"):
        if rootfile.get("full-path"):
            return unquote(rootfile.get("full-path"))
    raise UnreadableBook(f"is a zip file but not an EPUB ({_CONTAINER} names no book)")


def _spine(package: Any, folder: str) -> list[tuple[str, str | None]]:
    """The pages in reading order, each with the rule that leaves it out, or None."""
    manifest = {item.get("id"): item for item in package.iterfind("{*}manifest/{*}item")}
    marked = {
        _resolve(folder, reference.get("href", "")): _RULE_OF_PAGE[reference.get("type", "").lower()]
        for reference in package.iterfind("{*}guide/{*}reference")
        if reference.get("type", "").lower() in _RULE_OF_PAGE and "#" not in reference.get("href", "")
    }
    pages = []
    for itemref in package.iterfind("{*}spine/{*}itemref"):
        item = manifest.get(itemref.get("idref"))
        if item is None or itemref.get("linear", "yes") == "no" or item.get("media-type") not in _PAGES:
            continue
        path = _resolve(folder, item.get("href", ""))
        pages.append((path, "contents-pages" if "nav" in item.get("properties", "").split() else marked.get(path)))
    return pages


def _resolve(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(folder, href.partition("#")[0])).lstrip("/")


def _linked_pages(pages: list[tuple[str, bytes, str | None]]) -> Iterator[tuple[str, Any]]:
    """All pages, one at a time, if there is any link to a place within a page; otherwise none."""
    if any(_LINK_TO_PLACE.search(data) for _, data, _ in pages):
        yield from ((path, root) for path, data, _ in pages if (root := _root(data)) is not None)


def _follow(page: str, href: str) -> tuple[str, str] | None:
    before, _, identity = href.partition("#")
    if not identity or "://" in before:
        return None
    return _resolve(posixpath.dirname(page), unquote(before)) if before else page, unquote(identity)


def _root(data: bytes) -> Any:
    try:
        return parse_xml(data)
    except UnreadableBook:  # many publishers' pages are not well-formed, which every e-book reader forgives
        return parse_html(data)


def _page_text(path: str, data: bytes, rule: str | None, links: NoteLinks, ledger: Ledger) -> str:
    root = _root(data)
    if root is None:
        return ""
    text = page_text(root, ledger, links, path)
    if rule is None or not ledger.applies(rule):
        return text
    if text:
        ledger.note(rule, text.replace("\n", " / "))
    return ""


def _first(package: Any, name: str) -> str:
    return next((plain(element) for element in package.iterfind(f"{{*}}metadata//{{*}}{name}") if plain(element)), "")


def _authors(package: Any) -> str:
    roles = {
        meta.get("refines", "").removeprefix("#"): plain(meta)
        for meta in package.iterfind("{*}metadata//{*}meta")
        if meta.get("property") == "role"
    }
    creators = [
        (plain(creator), creator.get(_OPF + "role") or roles.get(creator.get("id", ""), "aut"))
        for creator in package.iterfind("{*}metadata//{*}creator")
    ]
    authors = [name for name, role in creators if name and role == "aut"] or [name for name, _ in creators if name]
    return ", ".join(authors)
