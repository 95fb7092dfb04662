"""Notes that are not marked are recognised by the links between a number in the text and a paragraph that begins with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from paznja.corpus.cleaning.cleaning import clean
from paznja.corpus.formats import read_book
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.html_page import read_html

CHAPTER = "<h2>Глава прва</h2><p>Мост<a id='r1' href='#n1'>1</a> је био стар<a id='r2' href='#n2'><small>2</small></a>.</p><p>Крај.</p>"
TEXT = "Глава прва\nМост је био стар.\nКрај.\n"


def text(body: str, ledger: Ledger | None = None) -> str:
    return clean(read_html(f"<!DOCTYPE html><html><body>{body}</body></html>".encode(), ledger or Ledger()).text)


@pytest.mark.parametrize(
    "notes",
    [
        "<p id='n1'>1 О мосту.</p><p id='n2'>2. О старости.</p>",
        "<p><a id='n1' href='#r1'>1</a> О мосту.</p><p><a name='n2' href='#r2'>[2]</a> О старости.</p>",
        "<p><span><a id='n1'></a><a href='#r1'>1</a></span>) О мосту.</p><p><a id='n2'></a>2 О старости.</p>",
        "<hr><h3>Напомене</h3><p id='n1'>1 О мосту.</p><p>И још нешто о њему.</p><p id='n2'>2 О старости.</p>",
        "<p>БЕЛЕШКЕ</p><ol><li id='n1'>О мосту. <a href='#r1'>назад</a></li><li id='n2'>О старости. <a href='#r2'>назад</a></li></ol>",
        "<div id='n1'><p>1</p><p>О мосту.</p></div><div id='n2'><p>2</p><p>О старости.</p></div>",
        "<dl><dt id='n1'><a href='#r1'>[1]</a></dt><dd>О мосту.</dd><dt id='n2'>[2]</dt><dd>О старости.</dd><dd>Још.</dd></dl>",
        "<table><tr id='n1'><td>1</td><td>О мосту.</td></tr><tr id='n2'><td>2</td><td>О старости.</td></tr></table>",
    ],
)
def test_notes_and_their_marks_are_left_out_and_noted(notes: str) -> None:
    ledger = Ledger()
    assert text(CHAPTER + notes, ledger) == TEXT
    assert ledger.changes["notes"].count >= 4
    assert "О мосту" in text(CHAPTER + notes, Ledger(off=["notes"]))


def test_notes_after_each_paragraph_leave_the_paragraphs_between_them() -> None:
    body = (
        "<p>Мост<a href='#n1'>*</a> је стар.</p><p id='n1'>* О мосту.</p><p>Без напомене.</p>"
        "<p>Река<a href='#n2'>**</a> је млада.</p><p id='n2'>** О реци.</p><p>Крај.</p>"
    )
    assert text(body) == "Мост је стар.\nБез напомене.\nРека је млада.\nКрај.\n"


@pytest.mark.parametrize(
    "body",
    [
        "<p>Глава <a href='#g1'>1</a></p><h2 id='g1'>1</h2><p>Текст.</p>",
        "<p>Глава <a href='#g1'>1</a></p><div id='g1'><h2>1</h2><p>Текст.</p></div>",
        "<p><a href='#g1'>1</a></p><p id='g1'>1 дан је прошао.</p>",
        "<p>Види стих <a href='#s12'>12</a>.</p><p id='s12'>Тече вода.</p>",
        "<p>Види стих <a href='#s1'>1</a>.</p><p>Тече <a id='s1'></a>вода 1.</p>",
        "<p>Види стих <a href='#s1'>1</a>.</p><p id='s1'>12 месеци је прошло.</p>",
        "<p>Види стих <a href='https://example.org/a#s1'>1</a>.</p><p id='s2'>1 месец је прошао.</p>",
    ],
)
def test_other_links_with_numbers_leave_what_they_lead_to(body: str) -> None:
    ledger = Ledger()
    text(body, ledger)
    assert "notes" not in ledger.changes


def test_a_page_of_notes_of_its_own_goes_with_its_heading(epub: Callable[..., Path]) -> None:
    chapter = "<h2>Глава прва</h2><p>Мост<sup><a id='r1' href='page%201.xhtml#n1'>1</a></sup> је стар.</p>"
    other = "<h2>Глава друга</h2><p>Река<a id='r2' href='../text/page%201.xhtml#n2'>2</a> је млада.</p>"
    notes = (
        "<h2>Белешке</h2><p id='n1'><a href='page%200.xhtml#r1'>1</a> О мосту.</p>"
        "<p><a id='n2'></a><a href='page%202.xhtml#r2'>2</a>. О реци.</p>"
    )
    book = read_book(epub(chapter, notes, other, spine=[0, 2, 1]))
    assert book.text == "Глава прва\nМост је стар.\nГлава друга\nРека је млада.\n"
    assert "О реци" in read_book(epub(chapter, notes, other, spine=[0, 2, 1]), ["notes"]).text


def test_a_hundred_thousand_links_are_no_long_wait() -> None:
    links = "<a href='#n'>1</a>" * 20_000
    targets = "".join(f"<a id='n{n}'></a>" for n in range(20_000))
    assert text(f"<p>{links}</p><p>{targets}Крај</p>").startswith("1")
