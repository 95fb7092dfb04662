"""Scans as plain text: running heads, page numbers and what page breaks divide."""

import random
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.furniture import Row, find_furniture
from paznja.corpus.readers.plain_text import join_wrapped_lines
from paznja.corpus.readers.printed import without_left_numbers


@pytest.fixture(scope="module")
def prose(stories_folder: Path) -> list[str]:
    """The paragraphs of four stories."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(stories_folder.glob("*.txt"))[:4]]
    return [line for text in texts for line in text.split("\n") if line.strip()]


def scanned(paragraphs: list[str], *, head: str = "", foot: str = "", form_feed: str = "\f", lines_a_page: int = 32, gap: str = "") -> str:
    """A book as a scanning program saves it: lines as printed, indented paragraphs, a head and a foot on every page; {n} is its number."""
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += textwrap.wrap(paragraph, 66, initial_indent="    ", break_on_hyphens=False)
    pages = [lines[start : start + lines_a_page] for start in range(0, len(lines), lines_a_page)]
    printed = []
    for number, page in enumerate(pages, 7):
        top = [head.replace("{n}", str(number)), *gap] if head else []
        bottom = [*gap, foot.replace("{n}", str(number))] if foot else []
        printed.append("\n".join([*top, *page, *bottom]))
    return f"\n{form_feed}".join(printed) + "\n"


def paragraphs_of(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


@pytest.mark.parametrize("gap", ["", "\n"])
@pytest.mark.parametrize(
    ("head", "foot"),
    [("ПРИЧЕ С РЕКЕ", ""), ("Приче с реке      {n}", ""), ("", "{n}"), ("", "- {n} -"), ("ПРИЧЕ С РЕКЕ", "{n}"), ("", "")],
)
def test_pages_of_a_scan_become_paragraphs(prose: list[str], head: str, foot: str, gap: str) -> None:
    ledger = Ledger()
    assert paragraphs_of(join_wrapped_lines(scanned(prose, head=head, foot=foot, gap=gap), ledger)) == prose
    wanted = {"running-heads"} if head else set()
    wanted |= {"page-numbers"} if foot else set()
    assert set(ledger.changes) - {"divided-words"} == wanted


@pytest.mark.parametrize(("head", "foot"), [("", "{n}"), ("{n}", ""), ("{n} ПРИЧЕ С РЕКЕ", ""), ("ПРИЧЕ С РЕКЕ", "{n}")])
def test_pages_without_form_feeds_are_told_by_their_numbers(prose: list[str], head: str, foot: str) -> None:
    text = scanned(prose, head=head, foot=foot, form_feed="", gap="\n")
    assert paragraphs_of(join_wrapped_lines(text, Ledger())) == prose


def test_heads_that_were_misread_are_heads_all_the_same(prose: list[str]) -> None:
    chance = random.Random(1)
    text = scanned(prose, head="ПРИЧЕ СА ВЕЛИКЕ РЕКЕ", foot="{n}")
    pages = text.split("\f")
    for number, page in enumerate(pages):
        first, _, rest = page.partition("\n")
        place = chance.randrange(len(first))
        pages[number] = first[:place] + "нпщ"[number % 3] + first[place + 1 :] + "\n" + rest
    assert paragraphs_of(join_wrapped_lines("\f".join(pages), Ledger())) == prose


def test_a_chapter_title_stays_where_the_chapter_begins(prose: list[str]) -> None:
    body = [textwrap.wrap(" ".join(prose[start : start + 3]), 66) for start in range(14)]
    pages = [["Крај претходне главе."], ["ДРУГА ГЛАВА", "", *body[0]], *[["ДРУГА ГЛАВА", *body[page]] for page in range(1, 5)], *body[5:]]
    ledger = Ledger()
    text = join_wrapped_lines("\n\f".join("\n".join(page) for page in pages), ledger)
    assert text.count("ДРУГА ГЛАВА") == 1
    assert ledger.changes["running-heads"].count == 4


def test_numbers_of_chapters_and_a_speaker_on_many_pages_are_no_furniture() -> None:
    numbers = (1, 4, 9, 11, 20)
    chapters = [[Row(f"{number}."), Row(f"Вода је {'још ' * number}ту."), Row(f"и мост {'није ' * number}пао.")] for number in numbers]
    assert not any(find_furniture(chapters))
    speech = [[Row("— Не знам."), Row(f"рече он {'већ' * number} тихо.")] for number in range(6)]
    assert not any(find_furniture(speech))


@given(st.lists(st.lists(st.text("абвгд .", min_size=1, max_size=20), max_size=5), max_size=12))
def test_pages_of_any_kind_have_no_more_furniture_than_lines(pages: list[list[str]]) -> None:
    found = find_furniture([[Row(text) for text in page] for page in pages])
    assert all(0 <= index < len(page) for page, its in zip(pages, found, strict=True) for index in its)


def test_numbered_chapters_of_a_novel_stay(prose: list[str]) -> None:
    parts = [[f"{number}.", *prose[start : start + 12]] for number, start in enumerate(range(0, len(prose) - 12, 12), 1)]
    text = "\n".join(line for part in parts for line in part)
    assert without_left_numbers(text, Ledger()) == text
    assert join_wrapped_lines(text, Ledger()) == text


def test_page_numbers_left_between_paragraphs_go_and_what_they_divided_is_joined(prose: list[str]) -> None:
    whole = [paragraph for paragraph in prose if len(paragraph) > 250]
    lines: list[str] = []
    for number, paragraph in enumerate(whole, 31):
        cut = paragraph.index(" ", 120)
        while not paragraph[cut + 1].islower() or not paragraph[cut - 1].isalpha():
            cut = paragraph.index(" ", cut + 1)
        lines += [paragraph[:cut], str(number), paragraph[cut + 1 :]]
    assert len(whole) > 8
    ledger = Ledger()
    assert without_left_numbers("\n".join(lines) + "\n", ledger) == "\n".join(whole) + "\n"
    assert ledger.changes["page-numbers"].count == len(whole)
    off = Ledger(off=["page-numbers"])
    assert without_left_numbers("\n".join(lines), off) == "\n".join(lines)


def test_a_table_of_contents_with_leaders_goes(prose: list[str]) -> None:
    contents = ["САДРЖАЈ", *(f"Прича {letter} {'.' * 40} {number}" for number, letter in enumerate("абвгд", 7))]
    ledger = Ledger()
    text = join_wrapped_lines("\n".join([*contents, "", *prose[:3]]), ledger)
    assert paragraphs_of(text) == prose[:3]
    assert ledger.changes["contents-pages"].count == 6


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_indented_paragraphs_without_empty_lines_are_joined_whatever_ends_the_lines(prose: list[str], end: str) -> None:
    text = scanned(prose, form_feed="", lines_a_page=10**6).replace("\n", end)
    assert paragraphs_of(join_wrapped_lines(text)) == prose
    assert paragraphs_of(join_wrapped_lines(text.replace("    ", "\t"))) == prose


@pytest.mark.parametrize(
    "piece", ["1\n", "1 а\n", "\f", "Глава\n\f", "Г1\nГлава\n\f", "....\n", "а .... 1\n", "    а\nб\n", "- ", "1 глава\n\n", "\r"]
)
def test_no_text_file_takes_long(piece: str) -> None:
    start = time.process_time()
    join_wrapped_lines(piece * (400_000 // len(piece)))
    join_wrapped_lines("".join(f"{number}{piece}" for number in range(100_000)))
    assert time.process_time() - start < 8
