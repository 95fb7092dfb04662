"""Damaged files of every format give a book or a reason, and never a crash, a long wait or a full memory."""

import contextlib
import io
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.corpus.readers.made import docx, fb2, odt, p, zipped
from tests.corpus.readers.story import markdown, plain_text

from paznja.corpus.book import Unreadable
from paznja.corpus.cleaning.cleaning import clean
from paznja.corpus.formats import READERS, SUFFIXES, books_in, read_contents
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.archive import members
from paznja.corpus.readers.sniffing import kind_of
from paznja.errors import UnreadableBook

STORY = plain_text()
RTF = (
    r"{\rtf1\ansi\ansicpg1251\uc1{\fonttbl{\f0\fcharset204 Times;}}{\stylesheet{\s1 toc 1;}{\s2 caption;}}{\info{\title a}{\author b}}"
    r"{\field{\*\fldinst TOC}{\fldrslt x}}\f0\'d8\'f3\'ec\'e0\par{\footnote n}\u1064\'d8\v hidden\v0"
    r"{\shp{\*\shpinst{\shptxt box}}}\bin3 {{{\par}"
)
HTML = (
    "<html><head><meta charset='utf-8'><title>a</title></head><body>"
    + "".join(f"<p>{line}</p>" for line in STORY.splitlines())
    + "</body></html>"
)
TEI = (
    "<?xml version='1.0'?><TEI xmlns='http://www.tei-c.org/ns/1.0'><teiHeader/><text><body><div><head>Глава</head>"
    "<p>Текст<note>н</note> <choice><sic>а</sic><corr>б</corr></choice></p></div></body></text></TEI>"
)
FIELDS = (
    "<w:p><w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText>TOC</w:instrText></w:r><w:r><w:fldChar w:fldCharType='separate'/>"
    "</w:r><w:r><w:t>Глава 3</w:t></w:r><w:r><w:fldChar w:fldCharType='end'/></w:r></w:p>"
)
WHOLE: dict[str, bytes] = {
    ".txt": STORY.encode(),
    ".md": markdown().encode(),
    ".html": HTML.encode(),
    ".xml": TEI.encode(),
    ".fb2": fb2("<section><title><p>Глава</p></title><p>Текст<a type='note'>1</a></p><poem><stanza><v>Стих</v></stanza></poem></section>"),
    ".docx": docx(FIELDS + "".join(p(line.replace("&", "&amp;").replace("<", "&lt;")) for line in STORY.splitlines())),
    ".odt": odt("<text:h>Глава</text:h><text:p>Текст<text:note>н</text:note><text:s/>и <text:span>још</text:span></text:p>"),
    ".rtf": RTF.encode(),
}
SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture]
PACKED = {
    ".docx": ("word/document.xml", "word/styles.xml", "_rels/.rels", "docProps/core.xml"),
    ".odt": ("content.xml", "meta.xml"),
    ".epub": ("META-INF/container.xml", "OEBPS/content.opf", "OEBPS/text/page 0.xhtml"),
}


@pytest.fixture(autouse=True, scope="module")
def no_more_than_a_gigabyte() -> Iterator[None]:
    """Gives MemoryError to whatever asks for this much more memory; does nothing where the system has no limit (Windows, macOS)."""
    if sys.platform != "linux":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 10**9, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def read(data: bytes, name: str) -> None:
    """Reads a book as a shelf does, from its bytes to its sketch; an unexpected error of a reader fails the test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            results = books_in(path)
        except UnreadableBook as error:
            if error.__cause__ is not None:
                raise error.__cause__ from None
            return
        for found in results:
            if isinstance(found, Unreadable):
                assert found.reason
                assert not found.fault
            else:
                assert found.text == clean(found.text) != ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
def test_what_wants_more_than_a_gigabyte_would_be_noticed() -> None:
    with pytest.raises(MemoryError):
        bytearray(8 * 10**9)  # more than what tests before this one may have freed and the process has kept


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """The file cut short, or with bytes changed, or with parts removed, repeated or moved."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(data) - 1)))
        end = min(len(data), start + draw(st.integers(1, 300)))
        match draw(st.sampled_from(["cut", "change", "take out", "twice", "noise"])):
            case "cut":
                del data[start:]
            case "change" if data:
                data[start] = draw(st.integers(0, 255))
            case "take out":
                del data[start:end]
            case "twice":
                data[start:start] = data[start:end]
            case _:
                data[start:end] = draw(st.binary(max_size=20))
    return bytes(data)


@pytest.fixture(scope="module")
def whole_epub(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    page = f"<html xmlns='http://www.w3.org/1999/xhtml'><body>{HTML[HTML.index('<p>') :].removesuffix('</html>')}</html>"
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": "<container><rootfiles><rootfile full-path='OEBPS/content.opf'/></rootfiles></container>",
            "OEBPS/content.opf": "<package><metadata><title>a</title></metadata><manifest><item id='p' href='text/page%200.xhtml' "
            "media-type='application/xhtml+xml'/></manifest><spine><itemref idref='p'/></spine></package>",
            "OEBPS/text/page 0.xhtml": page,
        }
    )


@pytest.fixture(scope="module")
def whole(whole_epub: bytes) -> dict[str, bytes]:
    return WHOLE | {".epub": whole_epub}


def test_every_format_has_a_file_here_and_whole_it_is_read(whole: dict[str, bytes]) -> None:
    aliases = {".text": ".txt", ".markdown": ".md", ".htm": ".html", ".xhtml": ".html"}
    assert {aliases.get(suffix, suffix) for suffix in READERS} <= whole.keys() | {".pdf"}
    for suffix, data in whole.items():
        assert clean(read_contents(data, "a" + suffix, Ledger()).text)


@pytest.mark.parametrize("suffix", [*WHOLE, ".epub"])
@settings(max_examples=60, deadline=10_000, suppress_health_check=SLOW_IS_FINE)
@given(st.data())
def test_damaged_files_give_a_book_or_a_reason(whole: dict[str, bytes], suffix: str, data: st.DataObject) -> None:
    read(data.draw(damaged(whole[suffix])), "a" + suffix)


@pytest.mark.parametrize("suffix", sorted(PACKED))
@settings(max_examples=60, deadline=10_000, suppress_health_check=SLOW_IS_FINE)
@given(st.data())
def test_damaged_parts_in_a_sound_archive_give_a_book_or_a_reason(whole: dict[str, bytes], suffix: str, data: st.DataObject) -> None:
    with zipfile.ZipFile(io.BytesIO(whole[suffix])) as archive:
        files: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    name = data.draw(st.sampled_from(PACKED[suffix]))
    part = files[name]
    assert isinstance(part, bytes)
    read(zipped(files | {name: data.draw(damaged(part))}), "a" + suffix)


@settings(max_examples=60, deadline=10_000, suppress_health_check=SLOW_IS_FINE)
@given(st.data())
def test_damaged_archives_give_their_members_or_a_reason(data: st.DataObject) -> None:
    shelf = zipped({"a.txt": STORY, "b.docx": WHOLE[".docx"], "c.fb2.zip": zipped({"c.fb2": WHOLE[".fb2"]})})
    with contextlib.suppress(UnreadableBook):
        for member in members(data.draw(damaged(shelf)), SUFFIXES):
            assert bool(member.reason) != bool(member.data) or member.data == b""


@given(st.binary(max_size=300), st.sampled_from(sorted(READERS)))
@example(b"<" * 4096, ".html")
@example(b"<!--" * 1024, ".xml")
@example(b"<!---->" * 500 + b"x", ".xml")
@example(b"{\\rtf1\\u-\\u99999999?\\'zz\\bin999999999 x}", ".rtf")
def test_any_bytes_under_any_name_give_a_book_or_a_reason(data: bytes, suffix: str) -> None:
    with contextlib.suppress(UnreadableBook):
        kind_of(data)
    read(data, "a" + suffix)


@pytest.mark.parametrize("suffix", [".xml", ".fb2", ".html", ".docx", ".odt", ".epub"])
def test_entities_that_draw_in_files_or_multiply_are_never_resolved(suffix: str, tmp_path: Path, whole: dict[str, bytes]) -> None:
    (tmp_path / "secret").write_text("лозинка", encoding="utf-8")
    bomb = "".join(f"<!ENTITY b{n} '{f'&b{n - 1};' * 10}'>" for n in range(1, 12))
    doctype = f"<!DOCTYPE x [<!ENTITY s SYSTEM 'file://{tmp_path}/secret'><!ENTITY b0 'bomba'>{bomb}]>"

    def with_entities(part: bytes) -> bytes:
        text = part.decode()
        root = text.index("<", text.find("?>") + 2 if text.startswith("<?xml") else 0)
        place = next(place for tag in ("</w:t>", "</text:p>", "</p>") if (place := text.rfind(tag)) >= 0)
        return (text[:root] + doctype + text[root:place] + "&s;&b11;" + text[place:]).encode()

    data = whole[suffix]
    if suffix in PACKED:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
        name = PACKED[suffix][-1 if suffix == ".epub" else 0]
        data = zipped(files | {name: with_entities(archive_part(files, name))})
    else:
        data = with_entities(data)
    with contextlib.suppress(UnreadableBook):
        text = read_contents(data, "a" + suffix, Ledger()).text
        assert "лозинка" not in text
        assert text.count("bomba") < 10


def archive_part(files: dict[str, str | bytes], name: str) -> bytes:
    part = files[name]
    return part if isinstance(part, bytes) else part.encode()


@pytest.mark.parametrize(
    ("suffix", "make"),
    [
        (".html", lambda n: b"<div>" * n),
        (".html", lambda n: b"<a href='#x'>x" * n),
        (".html", lambda n: b"<p><a href='#x'>x</a></p>" * n),
        (".xml", lambda n: b"<a>" * n),
        (".fb2", lambda n: b"<binary " * n),
        (".rtf", lambda n: b"{\\rtf1 " + b"{\\footnote " * 1000 + b"x" * n),
        (".rtf", lambda n: b"{\\rtf1 " + b"\\u1064" * n),
        (".md", lambda n: b"| a\n" * n),
        (".md", lambda n: b"[^a]: b\n" * n),
        (".md", lambda n: b"> " * n),
        (".md", lambda n: b"a" + b" " * n + b"{"),
        (".docx", lambda n: docx(FIELDS.replace("end", "begin") * (n // 20))),
        (".docx", lambda n: docx(f"<w:tbl><w:tr><w:tc>{p('x') * (n // 5)}</w:tc></w:tr></w:tbl>")),
        (".md", lambda n: b"---\n" + b"title: a\n" * n),
        (".txt", lambda n: b"<!--" * n),
    ],
)
def test_a_hundred_thousand_of_anything_is_no_long_wait(suffix: str, make: Callable[[int], bytes]) -> None:
    start = time.process_time()
    read(make(100_000), "a" + suffix)
    assert time.process_time() - start < 10
