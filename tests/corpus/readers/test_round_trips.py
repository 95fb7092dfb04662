"""A story goes through the programs that people write books with, and comes back as it was."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.corpus.readers.story import AUTHOR, TITLE, flat_odt, markdown, plain_text

from paznja.corpus.formats import read_book

SUFFIXES = {"markdown-smart": ".md", "gfm": ".md"}
FORMATS_OF_PANDOC = ["docx", "odt", "rtf", "epub2", "epub3", "fb2", "html", "markdown-smart", "gfm"]
FORMATS_OF_LIBREOFFICE = ["docx", "odt", "rtf", "html", "epub"]


def differing_share(path: Path) -> float:
    """The share of the story's characters, without white space, that the file's reader changed or lost."""
    wanted, got = ("".join(text.split()) for text in (plain_text(), read_book(path).text))
    kept, place = 0, 0
    for word in plain_text().split():  # the words in order, each at its next occurrence
        found = got.find(word, place, place + 2 * len(word) + 40)
        if found >= 0:
            kept, place = kept + len(word), found + len(word)
    return 1 - kept / max(len(wanted), len(got))


@pytest.mark.slow
@pytest.mark.needs_program
@pytest.mark.parametrize("form", FORMATS_OF_PANDOC)
def test_a_book_that_pandoc_made_comes_back_as_it_was(outside_program: Callable[[str], str], tmp_path: Path, form: str) -> None:
    (tmp_path / "source.md").write_text(markdown(), encoding="utf-8")
    path = tmp_path / f"Скела{SUFFIXES.get(form, '.' + form.rstrip('23') if 'epub' in form else '.' + form)}"
    # Only for RTF does Pandoc write no properties, by which the title at the head of the text would be recognised.
    extras = [] if form == "rtf" else ["--standalone", "--toc"]
    command = [
        outside_program("pandoc"),
        "--from",
        "markdown-smart",
        *extras,
        "--to",
        form,
        "--output",
        str(path),
        str(tmp_path / "source.md"),
    ]
    if form == "rtf":
        command.insert(1, "--standalone")
        (tmp_path / "source.md").write_text(markdown().split("---\n", 2)[2], encoding="utf-8")
    subprocess.run(command, check=True, timeout=300)
    assert differing_share(path) <= 0.001
    if form != "rtf":
        book = read_book(path)
        assert (book.title, book.author, book.language) == (TITLE, AUTHOR, "sr")


@pytest.mark.slow
@pytest.mark.needs_program
@pytest.mark.parametrize("form", FORMATS_OF_LIBREOFFICE)
def test_a_book_that_libreoffice_made_comes_back_as_it_was(
    outside_program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory, form: str
) -> None:
    folder = tmp_path_factory.mktemp("libreoffice")
    source = folder / "story.fodt"
    source.write_text(flat_odt(proofs=form not in ("html", "epub")), encoding="utf-8")
    profile = (tmp_path_factory.getbasetemp() / "libreoffice-profile").as_uri()
    options = [f"-env:UserInstallation={profile}", "--headless", "--convert-to", form, "--outdir", str(folder), str(source)]
    subprocess.run([outside_program("soffice"), *options], check=True, timeout=300, stdout=subprocess.DEVNULL)
    path = folder / f"story.{form}"
    assert differing_share(path) <= 0.001
    book = read_book(path)
    assert (book.title, book.author) == (TITLE, AUTHOR)


def test_the_measure_of_a_difference_finds_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(plain_text(), encoding="utf-8")
    assert differing_share(path) == 0
    path.write_text(plain_text().replace("скел", "лађ"), encoding="utf-8")
    assert 0.01 < differing_share(path) < 0.2
    path.write_text(plain_text() + "Још нешто, чега није било.", encoding="utf-8")
    assert 0.01 < differing_share(path) < 0.03
