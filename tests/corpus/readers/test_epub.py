"""EPUB 2 and 3: the pages in reading order, and only from files that really are EPUBs."""

import contextlib
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paznja.corpus.formats import read_book
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers import zipped
from paznja.corpus.readers.epub import read_epub
from paznja.errors import UnreadableBook

Write = Callable[..., Path]
ENCRYPTION = """<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:enc="http://www.w3.org/2001/04/xmlenc#">
<enc:EncryptedData><enc:EncryptionMethod Algorithm="{}"/><enc:CipherData><enc:CipherReference URI="{}"/></enc:CipherData>
</enc:EncryptedData></encryption>"""


def test_pages_come_in_the_order_of_the_spine_with_title_author_and_language(epub: Write) -> None:
    book = read_book(epub("<p>Крај.</p>", "<p>Почетак.</p>", "<p>Средина.</p>", spine=[1, 2, 0]))
    assert book.text == "Почетак.\nСредина.\nКрај.\n"
    assert (book.title, book.author, book.language) == ("Мост", "Ана Анић", "sr")


def test_contents_pages_and_pages_outside_the_reading_order_are_skipped(epub: Write) -> None:
    path = epub(
        "<nav><ol><li>Глава 1</li></ol></nav><p>Садржај</p>",
        "<p>Глава прва.</p><nav>Глава 2</nav>",
        "<p>Садржај за EPUB 2</p>",
        spine=[2, 1],
        items='<item id="toc" href="text/page%200.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
        '<item id="ad" href="ad.xhtml" media-type="application/xhtml+xml"/><item id="pic" href="a.jpg" media-type="image/jpeg"/>',
        refs='<itemref idref="toc"/><itemref idref="ad" linear="no"/><itemref idref="pic"/><itemref idref="nowhere"/>',
        guide='<reference type="toc" title="Садржај" href="text/page%202.xhtml"/><reference type="text" href="text/page%201.xhtml"/>',
    )
    assert read_book(path).text == "Глава прва.\n"


def test_headings_verses_and_lists_are_lines_and_words_with_a_large_initial_stay_whole(epub: Write) -> None:
    body = (
        "<h1>ГЛАВА\n I</h1><div><p><span class='drop'>Б</span>ио <i>једном</i>\n један цар.</p><p>Ој Дунаве,<br/>тиха водо</p></div>"
        "<pre>стих један\nстих два</pre><ul><li>лук</li><li>со</li></ul><table><tr><td>Пакра</td><td>100</td></tr></table>"
        "<blockquote>Писмо</blockquote>текст без пасуса<script>var x;</script><img alt='слика'/>"
    )
    expected = "ГЛАВА I\nБио једном један цар.\nОј Дунаве,\nтиха водо\nстих један\nстих два\nлук\nсо\nПакра 100\nПисмо\nтекст без пасуса\n"
    assert read_book(epub(body)).text == expected


def test_html_entities_come_out_right_with_and_without_a_doctype(epub: Write) -> None:
    body = "<p>Ово&nbsp;је мост &mdash; R&amp;D, &scaron;&#382; &laquo;да&raquo; 3 &lt; 4</p>"
    assert read_book(epub(body)).text == "Ово је мост — R&D, šž «да» 3 < 4\n"
    doctype = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">'
    page = f'<?xml version="1.0"?>{doctype}<html xmlns="http://www.w3.org/1999/xhtml"><body>{body}</body></html>'
    item = '<item id="x" href="x.xhtml" media-type="application/xhtml+xml"/>'
    path = epub(items=item, refs='<itemref idref="x"/>', files={"OEBPS/x.xhtml": page})
    assert read_book(path).text == "Ово је мост — R&D, šž «да» 3 < 4\n"


def test_a_page_cannot_draw_in_a_file_of_the_machine(epub: Write, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("лозинка")
    page = f'<!DOCTYPE html [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><html><body><p>Мост&x;.</p></body></html>'
    item = '<item id="x" href="x.xhtml" media-type="application/xhtml+xml"/>'
    assert read_book(epub(items=item, refs='<itemref idref="x"/>', files={"OEBPS/x.xhtml": page})).text == "Мост.\n"


def test_a_page_that_is_not_well_formed_is_forgiven(epub: Write) -> None:
    assert read_book(epub("<p>Први<br>ред &nbsp;& други</p><p>Пасус без краја")).text == "Први\nред & други\nПасус без краја\n"


def test_footnotes_their_marks_and_page_numbers_are_left_out(epub: Write) -> None:
    body = (
        "<p>На столу<sup><a href='#f1'>1</a></sup>, <a href='n.xhtml#f2'><sup>2</sup></a>а затим"
        "<a epub:type='noteref' href='#f3'>види</a> мо<span epub:type='pagebreak'>12</span>ст <a href='#s'>[3]</a>.</p>"
        "<aside epub:type='footnote' id='f1'><p>Напомена</p></aside><section role='doc-endnotes'><p>Још једна</p></section>"
        "<p><a href='x.xhtml#c1'>Глава 1</a> <a href='#c'>2</a></p>"
    )
    assert read_book(epub(body)).text == "На столу, а затим мост.\nГлава 1 2\n"


def test_authors_are_those_whose_role_is_author(epub: Write) -> None:
    metadata = (
        "<dc:title>Мост</dc:title><dc:creator opf:role='aut'>Ана Анић</dc:creator><dc:creator opf:role='ill'>Цртач</dc:creator>"
        "<dc:creator id='b'>Бранко</dc:creator><dc:creator id='c'>Преводилац</dc:creator><meta refines='#c' property='role'>trl</meta>"
    )
    assert read_book(epub("<p>Текст.</p>", metadata=metadata)).author == "Ана Анић, Бранко"


def test_a_book_without_metadata_is_called_by_its_file(epub: Write) -> None:
    book = read_book(epub("<p>Текст.</p>", metadata="", name="Мост.EPUB"))
    assert (book.title, book.author, book.language) == ("Мост", "", "")


def test_a_protected_book_says_that_it_is_protected(epub: Write) -> None:
    encryption = ENCRYPTION.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "OEBPS/text/page%200.xhtml")
    with pytest.raises(UnreadableBook, match=r"^is protected against copying \(DRM, encrypted\).*use a copy without protection$"):
        read_book(epub("<p>Текст.</p>", files={"META-INF/encryption.xml": encryption}))


def test_scrambled_fonts_alone_do_not_make_a_book_protected(epub: Write) -> None:
    encryption = ENCRYPTION.format("http://www.idpf.org/2008/embedding", "OEBPS/font.otf")
    assert read_book(epub("<p>Текст.</p>", files={"META-INF/encryption.xml": encryption})).text == "Текст.\n"


def test_a_zip_bomb_is_left_alone(epub: Write) -> None:
    path = epub("<p>Текст.</p>", files={"OEBPS/bomb.bin": bytes(50_000_000)})
    assert path.stat().st_size < 100_000
    with pytest.raises(UnreadableBook, match=r"^unpacks to 48 MB, far more than a book: it may be a zip bomb"):
        read_book(path)


def test_limits_hold_for_the_whole_archive_and_for_its_pages(epub: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = random.Random(1).randbytes(3_000_000)
    path = epub("<p>" + noise[:600_000].hex() + "</p>", files={"OEBPS/picture.png": noise})
    assert len(read_book(path).text) > 1_000_000
    monkeypatch.setattr(zipped, "MOST_TEXT_BYTES", 2**20)
    with pytest.raises(UnreadableBook, match="its pages unpack to over 1 MB"):
        read_book(path)
    monkeypatch.setattr(zipped, "MOST_UNPACKED_BYTES", 4_000_000)
    with pytest.raises(UnreadableBook, match="unpacks to 4 MB, far more than a book"):
        read_book(path)


def test_what_is_not_an_epub_is_refused_in_words(tmp_path: Path, epub: Write) -> None:
    whole = epub("<p>" + "Текст. " * 500 + "</p>").read_bytes()
    cases = {
        "is not an EPUB (it is not a zip file), whatever its name says": b"Tekst.",
        "is damaged or cut short (its zip archive cannot be unpacked); copy or download it again": whole[: len(whole) // 2],
        "is empty": b"",
    }
    for reason, data in cases.items():
        path = tmp_path / "x.epub"
        path.write_bytes(data)
        with pytest.raises(UnreadableBook) as caught:
            read_book(path)
        assert str(caught.value) == reason


def test_a_zip_without_a_book_a_missing_page_and_a_broken_package_are_named(epub: Write, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.epub", "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(UnreadableBook, match=r"is a zip file but not an EPUB \(META-INF/container.xml is missing\)"):
        read_book(tmp_path / "z.epub")
    item = '<item id="x" href="gone.xhtml" media-type="application/xhtml+xml"/>'
    with pytest.raises(UnreadableBook, match=r"is incomplete: its page OEBPS/gone\.xhtml is missing"):
        read_book(epub("<p>Текст.</p>", items=item, refs='<itemref idref="x"/>'))
    with pytest.raises(
        UnreadableBook, match=r"is a damaged EPUB: OEBPS/content\.opf is not well-formed XML: line 3: .*; get another copy$"
    ):
        read_book(epub("<p>Текст.</p>", metadata="<dc:title>"))
    with pytest.raises(UnreadableBook, match="names no pages"):
        read_book(epub())
    with pytest.raises(UnreadableBook, match="holds no text"):
        read_book(epub("<img src='scan.png'/>"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_epub_gives_a_book_or_a_reason_and_never_a_crash(epub: Write, data: st.DataObject) -> None:
    whole = bytearray(epub("<p>" + "Ово је мост. " * 30 + "</p>", "<p>Друга.</p>").read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UnreadableBook):
        assert isinstance(read_epub(bytes(whole[: data.draw(st.integers(len(whole) - 40, len(whole)))]), Ledger()).text, str)


def test_reading_an_epub_writes_nothing_outside_memory(epub: Write, tmp_path: Path) -> None:
    path = epub("<p>Текст.</p>", files={"../../evil.txt": "x"})
    before = sorted(tmp_path.rglob("*"))
    assert read_epub(path.read_bytes(), Ledger()).text.strip() == "Текст."
    assert sorted(tmp_path.rglob("*")) == before
    assert zipfile.is_zipfile(io.BytesIO(path.read_bytes()))
