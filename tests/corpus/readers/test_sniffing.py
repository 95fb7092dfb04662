"""A file's bytes tell its format: a wrong suffix does no harm, and what is not a book is refused with advice."""

from pathlib import Path

import pytest
from tests.corpus.readers.made import docx, fb2, odt, p, zipped

from paznja.corpus.formats import read_book
from paznja.corpus.readers.sniffing import kind_of
from paznja.errors import UnreadableBook

TEXT = "Ово је мост преко реке.\n"
RTF = rb"{\rtf1\ansi Most.\par}"
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)


def read(tmp_path: Path, name: str, data: bytes) -> str:
    path = tmp_path / name
    path.write_bytes(data)
    return read_book(path).text


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.zip", docx(p("Мост.")), "Мост.\n"),
        ("a.doc", docx(p("Мост.")), "Мост.\n"),
        ("a", odt("<text:p>Мост.</text:p>"), "Мост.\n"),
        ("a.epub", fb2("<section><p>Мост.</p></section>"), "Мост.\n"),
        ("a.xml", fb2("<section><p>Мост.</p></section>"), "Мост.\n"),
        ("a.doc", RTF, "Most.\n"),
        ("a.txt", RTF, "Most.\n"),
        ("a.txt", b"\xef\xbb\xbf<!DOCTYPE html><p>Most.", "Most.\n"),
        ("a.doc", b"\n<html><body><p>Most.</body></html>", "Most.\n"),
        ("a.xml", b"<?xml version='1.0'?><!-- x --><html xmlns='http://www.w3.org/1999/xhtml'><body><p>Most.</p></body></html>", "Most.\n"),
        ("a.docx", b"<?xml version='1.0'?>\n<TEI xmlns='http://www.tei-c.org/ns/1.0'><text><p>Most.</p></text></TEI>", "Most.\n"),
    ],
)
def test_a_wrong_ending_is_no_hindrance(tmp_path: Path, name: str, data: bytes, expected: str) -> None:
    assert read(tmp_path, name, data) == expected


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.txt", b"MZ\x90\0" + bytes(100), r"^is a program; it is not a book, whatever its name says$"),
        ("a.txt", b"\x7fELF\x02\x01\x01\0" + bytes(100), r"^is a program"),
        ("a.doc", OLD_OFFICE + "WordDocument".encode("utf-16-le"), r"^is an old Word document \(\.doc\); open it in LibreOffice or Word"),
        ("a.docx", OLD_OFFICE + "EncryptedPackage".encode("utf-16-le"), r"^is protected by a password; open it in Word or LibreOffice"),
        ("a.doc", OLD_OFFICE, r"^is an old Microsoft Office file"),
        ("a.mobi", bytes(60) + b"BOOKMOBI" + bytes(100), r"^is a Kindle book \(MOBI or AZW\); open it in Calibre.*convert it to EPUB$"),
        ("a.azw3", b"\xeaDRMION\xee" + bytes(10), r"protected against copying"),
        ("a.djvu", b"AT&TFORM\0\0\x10\0DJVM", r"^is a DjVu file; if it has a text layer"),
        ("a.txt", b"\x89PNG\r\n\x1a\n\0\0", r"^is a picture \(PNG\); pictures of pages must go through text recognition"),
        ("a.zip", b"Rar!\x1a\x07\x01\0", r"^is a RAR archive; unpack it and give the folder$"),
        ("a.docx", zipped({"[Content_Types].xml": "x", "xl/workbook.xml": "x"}), r"^is a table \(Excel\)"),
        ("a.mobi", b"Tekst", r"^is a \.mobi file, which cannot be read; convert it to EPUB with Calibre$"),
        ("a.doc", b"Tekst", r"^is a \.doc file, which cannot be read; open it in LibreOffice or Word and save it as \.docx or \.odt$"),
        ("a.fb2", b"Tekst", r"^is not well-formed XML"),
    ],
)
def test_what_is_no_book_is_refused_with_what_to_do(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableBook, match=reason):
        read(tmp_path, name, data)


@pytest.mark.parametrize(
    "text", [TEXT, "BZh je skraćenica.\n", "ID3 je oznaka.\n", "MZ\n", "GIF8\n", "<b>x</b>\n", "<recnik> je reč.\n", "PK\n"]
)
def test_text_that_begins_like_something_else_is_text(tmp_path: Path, text: str) -> None:
    assert kind_of(text.encode()) is None
    assert read(tmp_path, "a.txt", text.encode()) == text
