"""A shelf like people's own: every format, old encodings, both scripts, the same story twice, files that are not books."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from tests.corpus.readers.made import docx, fb2, odt, p
from tests.corpus.readers.pdf_maker import Layout, make_pdf

import paznja
from paznja.corpus.corpus import Corpus
from paznja.corpus.scripts.transliteration import to_latin
from paznja.preparing import prepare
from paznja.tokenizers import load_tokenizer


@pytest.fixture(scope="module")
def stories(stories_folder: Path) -> list[list[str]]:
    """The paragraphs of sixteen stories, without any Latin letter."""
    return [path.read_text(encoding="utf-8").splitlines() for path in sorted(stories_folder.glob("*.txt"))[:16]]


@pytest.fixture(scope="module")
def mixed(stories: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf")

    def latin(story: list[str]) -> list[str]:
        return [to_latin(line) for line in story]

    def tagged(lines: list[str], tag: str = "p") -> str:
        return "".join(f"<{tag}>{escape(line)}</{tag}>" for line in lines)

    files: dict[str, bytes] = {
        "a utf-8.txt": "\n".join(stories[0]).encode(),
        "b windows 1250.txt": "\n".join(latin(stories[1])).encode("cp1250", errors="replace"),
        "c windows 1251.txt": "\r\n".join(stories[2]).encode("cp1251", errors="replace"),
        "d utf-16.txt": "\n".join(stories[3]).encode("utf-16"),
        "e.md": "\n\n".join(latin(stories[4])).encode(),
        "f.html": f"<html><head><title>Ф</title></head><body>{tagged(stories[5])}</body></html>".encode(),
        "g.docx": docx("".join(p(escape(line)) for line in latin(stories[6]))),
        "h.odt": odt(tagged(stories[7], "text:p")),
        "i.fb2": fb2(f"<section>{tagged(stories[8])}</section>"),
        "j.rtf": ("{\\rtf1\\ansi " + "".join(f"{_in_rtf(line)}\\par\n" for line in stories[9]) + "}").encode("ascii"),
        "k.pdf": make_pdf(stories[10], Layout(head="Приче", foot="{n}")),
        "l.xml": (
            '<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc><titleStmt><title>Л</title></titleStmt></fileDesc></teiHeader>'
            f"<text><body><div>{tagged(stories[11])}</div></body></text></TEI>"
        ).encode(),
        "n the same again.txt": "\n\n".join(latin(stories[0])).encode(),
        "o empty.txt": b"",
        "p program.txt": b"MZ\x90\x00" + bytes(range(256)) * 40,
        "q photo.jpg": b"\xff\xd8\xff",
        "r old.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000),
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("прва.txt", "\n".join(stories[12]))
        packed.writestr("druga.txt", "\n".join(latin(stories[13])))
    files["m two.zip"] = archive.getvalue()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def corpus(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return paznja.read_shelf(mixed, cache=tmp_path_factory.mktemp("cache"))


def _in_rtf(line: str) -> str:
    return "".join(c if c.isascii() and c not in "{}\\" else f"\\u{ord(c)}?" for c in line)


def _letters(text: str) -> str:
    return "".join(re.findall(r"\w", text))


def test_every_format_gives_the_story_that_went_in(corpus: Corpus, stories: list[list[str]]) -> None:
    number = {name: index for index, name in enumerate("abcdefghijkl")} | {"n": 0} | {"m two.zip/прва.txt": 12, "m two.zip/druga.txt": 13}
    assert len(corpus.books) == 14
    for book in corpus.books:
        story = stories[number.get(book.file, number.get(book.file[0], -1))]
        assert _letters(book.text) == _letters("\n".join(story)), book.file


def test_one_alphabet_comes_of_it_without_a_stray_letter(mixed: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(prepare([mixed], cache=tmp_path / "cache").folder / "tokenizer.json", "characters")
    alphabet = "".join(tokenizer.decode([i]) for i in range(tokenizer.num_writable))
    assert not re.search("[A-Za-zčćđšžČĆĐŠŽ\ufffd]", alphabet)
    assert set("абвгдђежзијклљмнњопрстћуфхцчџш") <= set(alphabet)


def test_the_same_story_in_the_other_script_is_used_once_and_said(corpus: Corpus) -> None:
    assert {frozenset({it.book.file, it.of.file}) for it in corpus.same} == {frozenset({"a utf-8.txt", "n the same again.txt"})}


def test_what_is_no_book_is_named_with_a_reason_and_what_is_no_format_is_passed_over(corpus: Corpus) -> None:
    reasons = {bad.path.name: bad.reason for bad in corpus.unreadable}
    assert set(reasons) == {"o empty.txt", "p program.txt"}
    assert reasons["o empty.txt"] == "is empty"
    assert reasons["p program.txt"].startswith("is a program")


def test_what_was_in_an_old_encoding_or_the_other_script_says_so(corpus: Corpus) -> None:
    said = {book.file: " ".join(book.notices) for book in corpus.books}
    assert "Windows-1250" in said["b windows 1250.txt"]
    assert "Windows-1251" in said["c windows 1251.txt"]
    assert "from Latin to Cyrillic" in said["g.docx"]
    assert {book.converted_from for book in corpus.books if book.file == "e.md"} == {"latin"}
