"""Zip archives: every book in them, and a reason for each that cannot be read."""

import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.corpus.readers.made import docx, fb2, odt, p, zipped

from paznja.corpus.book import Book, Unreadable
from paznja.corpus.formats import books_in, read_book
from paznja.corpus.readers import archive as archive_module
from paznja.errors import UnreadableBook

FB2 = fb2("<section><p>Из датотеке FB2.</p></section>", info="<book-title>Скела</book-title>")


def write(tmp_path: Path, data: bytes, name: str = "a.zip") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def found(path: Path) -> dict[str, str]:
    return {
        it.member if isinstance(it, Book) else str(it.path.relative_to(path)): it.text if isinstance(it, Book) else it.reason
        for it in books_in(path)
    }


def test_books_of_all_formats_come_in_the_order_of_their_names(tmp_path: Path, epub: Callable[..., Path]) -> None:
    files: dict[str, str | bytes] = {
        "б/роман.txt": "Обичан текст.",
        "a.docx": docx(p("Из датотеке DOCX.")),
        "a.odt": odt("<text:p>Из датотеке ODT.</text:p>"),
        "б/a.epub": epub("<p>Из датотеке EPUB.</p>").read_bytes(),
        "скела.fb2.zip": zipped({"скела.fb2": FB2}),
        "c.rtf": rb"{\rtf1 Iz RTF.\par}",
        "__MACOSX/._a.docx": b"x",
        ".skriveno.txt": "Не.",
        "slika.jpg": b"\xff\xd8\xff",
        "prazno/": "",
    }
    path = write(tmp_path, zipped(files))
    assert list(found(path).items()) == [
        ("a.docx", "Из датотеке DOCX.\n"),
        ("a.odt", "Из датотеке ODT.\n"),
        ("c.rtf", "Iz RTF.\n"),
        ("б/a.epub", "Из датотеке EPUB.\n"),
        ("б/роман.txt", "Обичан текст.\n"),
        ("скела.fb2.zip", "Из датотеке FB2.\n"),
    ]
    books = {it.member: it for it in books_in(path) if isinstance(it, Book)}
    assert (books["б/роман.txt"].title, books["скела.fb2.zip"].title, books["a.docx"].path) == ("роман", "Скела", path)
    assert len({book.sha256 for book in books.values()}) == 6


def test_a_zipped_fictionbook_is_one_book(tmp_path: Path) -> None:
    book = read_book(write(tmp_path, zipped({"скела.fb2": FB2}), "скела.fb2.zip"))
    assert (book.title, book.text, book.member) == ("Скела", "Из датотеке FB2.\n", "скела.fb2")


def test_one_file_outside_an_archive_is_a_list_of_one(tmp_path: Path) -> None:
    path = write(tmp_path, "Мост.".encode(), "a.txt")
    assert books_in(path) == [read_book(path)]


def test_several_books_are_refused_where_one_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(UnreadableBook, match=r"^is an archive with 2 books in it"):
        read_book(write(tmp_path, zipped({"a.txt": "а", "b.txt": "б"})))


def test_a_bad_member_gets_a_reason_and_the_others_go_on(tmp_path: Path) -> None:
    data = zipped(
        {"a.txt": "Добра.", "b.txt": b"\xff\xfe\xff\xff\0\xd8", "c.mobi": bytes(60) + b"BOOKMOBI" + bytes(9), "d.docx": b"x", "e.txt": ""}
    )
    results = found(write(tmp_path, data))
    assert results["a.txt"] == "Добра.\n"
    assert results["c.mobi"].startswith("is a Kindle book")
    assert results["d.docx"].startswith("is not a Word document")
    assert results["e.txt"] == "is empty"
    assert [str(it.path.relative_to(tmp_path / "a.zip")) for it in books_in(tmp_path / "a.zip") if isinstance(it, Unreadable)] == [
        "b.txt",
        "c.mobi",
        "d.docx",
        "e.txt",
    ]


def test_a_damaged_member_gets_a_reason_and_the_others_go_on(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.txt", "Prva knjiga.")
        archive.writestr("b.txt", "Druga knjiga.")
    results = found(write(tmp_path, buffer.getvalue().replace(b"Prva knjiga", b"Prva kNjiga")))
    assert results["a.txt"].startswith("is damaged or cut short")
    assert results["b.txt"] == "Druga knjiga.\n"


def test_a_member_with_a_password_says_so(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": "Тајна.", "b.txt": "Јавна."}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    results = found(write(tmp_path, bytes(data)))
    assert results == {"a.txt": "is protected by a password, so its text cannot be read; use a copy without one", "b.txt": "Јавна.\n"}


def test_an_archive_inside_the_archive_is_refused_and_never_unpacked_further(tmp_path: Path) -> None:
    inner = zipped({"c.txt": "Текст.", "d.txt": "Текст."})
    assert found(write(tmp_path, zipped({"a.txt": "Добра.", "b.zip": inner}))) == {
        "a.txt": "Добра.\n",
        "b.zip": "is an archive inside the archive; unpack it and give the folder",
    }
    deep = zipped({"a.fb2": zipped({"b.fb2": zipped({"c.fb2": FB2})})})
    assert all(isinstance(it, Unreadable) for it in books_in(write(tmp_path, deep)))


def test_bombs_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreadableBook, match=r"^unpacks to 48 MB, far more than a book: it may be a zip bomb"):
        books_in(write(tmp_path, zipped({"a.txt": bytes(50_000_000)})))
    noise = random.Random(1).randbytes(2_000_000).hex()
    inner_bomb = zipped({"a.fb2": bytes(50_000_000)})
    data = zipped({"a.txt": "Добра.", "b.fb2.zip": inner_bomb, "c.txt": noise})
    monkeypatch.setattr(archive_module, "MOST_MEMBER_BYTES", 3 * 2**20)
    results = found(write(tmp_path, data))
    assert results["a.txt"] == "Добра.\n"
    assert results["b.fb2.zip"].startswith("unpacks to 48 MB")
    assert results["c.txt"] == "unpacks to 4 MB, far more than a book, so it was left alone"
    monkeypatch.setattr(archive_module, "MOST_MEMBERS", 2)
    with pytest.raises(UnreadableBook, match=r"^has 3 files in it, far more than a shelf"):
        books_in(tmp_path / "a.zip")


def test_an_archive_without_books_and_a_cut_one_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UnreadableBook, match=r"^is an archive without a book in it; books end in"):
        books_in(write(tmp_path, zipped({"a.jpg": b"x"})))
    data = zipped({"a.txt": random.Random(1).randbytes(1000).hex()})
    with pytest.raises(UnreadableBook, match=r"^is damaged or cut short"):
        books_in(write(tmp_path, data[: len(data) // 2]))


@pytest.mark.parametrize(
    ("name", "encoding"), [("Šuma i žbun čuvara.txt", "cp852"), ("Шума и жбун чувара.txt", "cp855"), ("Đurđevdan.txt", "utf-8")]
)
def test_names_in_an_old_code_page_are_read(tmp_path: Path, name: str, encoding: str) -> None:
    raw = name.encode(encoding)
    stand_in = "x" * len(raw)
    data = zipped({stand_in: "Текст."}).replace(stand_in.encode(), raw)
    assert list(found(write(tmp_path, data))) == [name]


def test_names_of_members_hold_nothing_that_a_terminal_would_obey_and_stay_in_the_archive(tmp_path: Path) -> None:
    names = ["\x1b]0;naslov\x07a.txt", "b\nNot read: c.txt", "\u202eтекст.txt", "/etc/d.txt", "C:/e.txt", "~$g.docx"]
    path = write(tmp_path, zipped(dict.fromkeys(names, b"\0\0") | {"g.txt": "Текст."}))
    results = books_in(path)
    assert [str(it.path.relative_to(path)) for it in results if isinstance(it, Unreadable)] == [
        "<U+001B>]0;naslov<U+0007>a.txt",
        "<U+202E>текст.txt",
        "b<U+000A>Not read: c.txt",
        "e.txt",
        "etc/d.txt",
    ]
    assert [it.member for it in results if isinstance(it, Book)] == ["g.txt"]


def test_two_members_of_one_name_are_two_books(tmp_path: Path) -> None:
    data = zipped({"a.txt": "Прва.", "b.txt": "Друга."}).replace(b"b.txt", b"a.txt")
    assert len(books_in(write(tmp_path, data))) == 2
