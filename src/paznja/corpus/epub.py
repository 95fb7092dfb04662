"""EPUB 2 and 3: a zip of web pages, read in the order that its spine gives.

Source: W3C, "EPUB 3.3", 2023; IDPF, "Open Packaging Format 2.0.1", 2010.
"""

import io
import posixpath
import re
import struct
import zipfile
import zlib
from typing import Any
from urllib.parse import unquote

from paznja.corpus.contents import Contents
from paznja.corpus.ledger import Ledger
from paznja.corpus.markup import Does, local_name, parse_html, parse_xml, plain, running_text, words
from paznja.errors import UnreadableBook

MOST_UNPACKED_BYTES = 2**30
"""What the whole archive may unpack to, pictures included."""
MOST_PAGE_BYTES = 100 * 2**20
"""What its pages may unpack to, together: a hundred thick novels."""
MOST_RATIO = 200
"""How many times larger than the file its contents may be, once they exceed `FREE_BYTES`; text is seldom over 10."""
FREE_BYTES = 8 * 2**20

_CONTAINER = "META-INF/container.xml"
_OPF = "{http://www.idpf.org/2007/opf}"
_OPS_TYPE = "{http://www.idpf.org/2007/ops}type"
_PAGES = frozenset({"application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document"})
_NOT_TEXT_PAGES = frozenset({"toc", "cover", "title-page", "copyright-page", "notes", "index", "loi", "lot"})

_DIVISIONS = words(
    "html body div section article blockquote main header footer aside ul ol dl table thead tbody tfoot figure form fieldset "
    "details hgroup center hr"
)
_PARAGRAPHS = words("p h1 h2 h3 h4 h5 h6 li dt dd tr caption address summary legend")
_LEFT_OUT = words(
    "head script style nav figcaption svg img image audio video object iframe template rt rp noscript annotation select button map"
)
_LEFT_OUT_TYPES = words(
    "noteref footnote footnotes endnote endnotes rearnote rearnotes annoref annotation pagebreak toc landmarks page-list loi lot loa lov "
    "titlepage copyright-page cover index backlink"
)
_MARK = re.compile(r"\d{1,4}|[*†‡§]+|[¹²³⁰⁴-⁹]+|[a-z]")
_BRACKETED_MARK = re.compile(r"[\[(]\s*(?:\d{1,4}|[*†‡§]+|[a-z])\s*[\])]|[*†‡§]+|[¹²³⁰⁴-⁹]+")


def read_epub(data: bytes, ledger: Ledger) -> Contents:
    """An EPUB's pages in reading order, without tables of contents, notes, cover and title page.

    Raises:
        UnreadableBook: the file is damaged, not an EPUB, protected (DRM), or unpacks to more than a book can be.
    """
    if not data.startswith(b"PK"):
        raise UnreadableBook("is not an EPUB (it is not a zip file), whatever its name says")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(archive, len(data))
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError, ValueError):
        raise UnreadableBook("is damaged or cut short (its zip archive cannot be unpacked); copy or download it again") from None


def _read(archive: zipfile.ZipFile, packed_bytes: int) -> Contents:
    _refuse_bombs(archive, packed_bytes)
    if _CONTAINER not in archive.namelist():
        raise UnreadableBook(f"is a zip file but not an EPUB ({_CONTAINER} is missing)")
    opf_path = _opf_path(archive)
    package = _xml(archive, opf_path)
    pages = _spine(package, posixpath.dirname(opf_path))
    if not pages:
        raise UnreadableBook("is an EPUB whose reading order (spine) names no pages; get another copy")
    _refuse_protected(archive, pages)
    present = set(archive.namelist())
    paths = [next((path for path in (quoted, unquote(quoted)) if path in present), quoted) for quoted in pages]
    if sum(archive.getinfo(path).file_size for path in paths if path in present) > MOST_PAGE_BYTES:
        raise UnreadableBook(f"is too large: its pages unpack to over {MOST_PAGE_BYTES // 2**20} MB of text")
    text = "\n".join(_page_text(_member(archive, path)) for path in paths)
    return Contents(text=text, title=_first(package, "title"), author=_authors(package), language=_first(package, "language"))


def _refuse_bombs(archive: zipfile.ZipFile, packed_bytes: int) -> None:
    # The declared sizes can be trusted: zipfile never unpacks more of a member than its header declares.
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > MOST_UNPACKED_BYTES or (unpacked > FREE_BYTES and unpacked > MOST_RATIO * packed_bytes):
        raise UnreadableBook(f"unpacks to {unpacked / 2**20:,.0f} MB, far more than a book: it may be a zip bomb, so it was left alone")


def _refuse_protected(archive: zipfile.ZipFile, pages: list[str]) -> None:
    names = set(archive.namelist())
    wanted = {path for page in pages for path in (page, unquote(page))}
    encrypted: set[str] = set()
    if "META-INF/encryption.xml" in names:  # it lists scrambled fonts too, which leave the text readable
        for reference in _xml(archive, "META-INF/encryption.xml").iter("{*}CipherReference"):
            encrypted.add(unquote(reference.get("URI", "")).lstrip("/"))
    locked = any(member.flag_bits & 1 and member.filename in wanted for member in archive.infolist())
    if locked or wanted & encrypted:
        raise UnreadableBook("is protected against copying (DRM, encrypted), so its text cannot be read; use a copy without protection")


def _opf_path(archive: zipfile.ZipFile) -> str:
    for rootfile in _xml(archive, _CONTAINER).iter("{*}rootfile"):
        if rootfile.get("full-path"):
            return unquote(rootfile.get("full-path"))
    raise UnreadableBook(f"is a zip file but not an EPUB ({_CONTAINER} names no book)")


def _spine(package: Any, folder: str) -> list[str]:
    manifest = {item.get("id"): item for item in package.iterfind("{*}manifest/{*}item")}
    skipped = {
        _resolve(folder, reference.get("href", ""))
        for reference in package.iterfind("{*}guide/{*}reference")
        if reference.get("type", "").lower() in _NOT_TEXT_PAGES and "#" not in reference.get("href", "")
    }
    pages = []
    for itemref in package.iterfind("{*}spine/{*}itemref"):
        item = manifest.get(itemref.get("idref"))
        if item is None or itemref.get("linear", "yes") == "no" or item.get("media-type") not in _PAGES:
            continue
        path = _resolve(folder, item.get("href", ""))
        if "nav" not in item.get("properties", "").split() and path not in skipped:
            pages.append(path)
    return pages


def _resolve(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(folder, href.partition("#")[0])).lstrip("/")


def _member(archive: zipfile.ZipFile, path: str) -> bytes:
    try:
        return archive.read(path)
    except KeyError:
        raise UnreadableBook(f"is incomplete: its page {path} is missing; copy or download it again") from None
    except RuntimeError:
        raise UnreadableBook("is protected by a password, so its text cannot be read; use a copy without one") from None


def _xml(archive: zipfile.ZipFile, path: str) -> Any:
    try:
        return parse_xml(_member(archive, path), advice="get another copy")
    except UnreadableBook as error:
        raise UnreadableBook(f"is a damaged EPUB: {path} {error}") from None


def _page_text(data: bytes) -> str:
    try:
        root = parse_xml(data)
    except UnreadableBook:  # many publishers' pages are not well-formed, and every reading program forgives them
        root = parse_html(data)
    return "" if root is None else running_text(root, _does)


def _does(element: Any, name: str, inside: bool) -> Does:
    if name in _LEFT_OUT or element.get("hidden") is not None or not _LEFT_OUT_TYPES.isdisjoint(_types(element)):
        return Does.NOTHING
    if name in _PARAGRAPHS:
        return Does.PARAGRAPH
    if name in _DIVISIONS:
        return Does.DIVISION
    if name == "br":
        return Does.NEWLINE
    if name == "pre":
        return Does.VERBATIM
    if name == "a" and "#" in element.get("href", "") and _is_footnote_mark(element):
        return Does.NOTHING
    return Does.CELL if name in ("td", "th") else Does.FLOW


def _types(element: Any) -> list[str]:
    """What the element says it is: `epub:type` in EPUB 3, and its `doc-` roles."""
    roles = [role.removeprefix("doc-") for role in element.get("role", "").split() if role.startswith("doc-")]
    return element.get(_OPS_TYPE, "").lower().split() + roles


def _is_footnote_mark(link: Any) -> bool:
    text = plain(link)
    raised = local_name(link.getparent()) == "sup" or any(local_name(child) == "sup" for child in link)
    return _BRACKETED_MARK.fullmatch(text) is not None or (raised and _MARK.fullmatch(text) is not None)


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
