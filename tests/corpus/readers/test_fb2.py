"""FictionBook: headings, paragraphs and verse, without notes, summaries, pictures and the title page."""

import pytest
from tests.corpus.readers.made import fb2

from paznja.corpus.cleaning.cleaning import clean
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.fb2 import read_fb2
from paznja.errors import UnreadableBook

INFO = (
    "<genre>prose</genre><author><first-name>Милева</first-name><last-name>Ристић</last-name></author>"
    "<author><nickname>Скелеџија</nickname></author><book-title>Скела</book-title><lang>sr</lang>"
    "<annotation><p>О једној скели.</p></annotation>"
)


def test_headings_paragraphs_and_verse_are_lines() -> None:
    body = (
        "<section><title><p>Глава прва</p><p>Скелеџија</p></title>"
        "<epigraph><p>Вода све носи.</p><text-author>Народ</text-author></epigraph>"
        "<p>Био је <emphasis>једном</emphasis> један.</p><empty-line/><poem><stanza><v>Тече вода,</v><v>тече.</v></stanza></poem>"
        "<subtitle>* * *</subtitle><section><p>Крај.</p></section></section>"
    )
    expected = "Глава прва\nСкелеџија\nВода све носи.\nНарод\nБио је једном један.\nТече вода,\nтече.\n* * *\nКрај.\n"
    assert clean(read_fb2(fb2(body), Ledger()).text) == expected


def test_title_authors_and_language_come_from_the_description() -> None:
    assert read_fb2(fb2("<section><p>Текст.</p></section>", info=INFO), Ledger())[1:] == ("Скела", "Милева Ристић, Скелеџија", "sr")


def test_title_page_summary_notes_and_pictures_are_left_out_and_noted() -> None:
    body = (
        "<title><p>Милева Ристић</p><p>Скела</p></title><section><annotation><p>О чему је реч.</p></annotation>"
        "<p>На столу<a l:href='#n1' type='note'>[1]</a>, а затим.</p><image l:href='#a.jpg'/></section>"
    )
    notes = "<body name='notes'><title><p>Напомене</p></title><section id='n1'><p>Прва.</p></section></body>"
    ledger = Ledger()
    book = read_fb2(fb2(body, info=INFO, more=notes + "<binary id='a.jpg' content-type='image/jpeg'>/9j/4AAQ</binary>"), ledger)
    assert clean(book.text) == "На столу, а затим.\n"
    assert {rule: change.count for rule, change in ledger.changes.items()} == {"title-pages": 1, "apparatus": 1, "notes": 2}
    kept = read_fb2(fb2(body, more=notes), Ledger(off=["notes"]))
    assert clean(kept.text) == "На столу[1], а затим.\nНапомене\nПрва.\n"


def test_a_picture_longer_than_the_parser_takes_is_no_hindrance() -> None:
    picture = f"<binary id='a.jpg' content-type='image/jpeg'>{'A' * 11_000_000}</binary>"
    assert clean(read_fb2(fb2("<section><p>Текст.</p></section>", more=picture), Ledger()).text) == "Текст.\n"


def test_a_book_in_code_page_1251_is_read_as_it_declares() -> None:
    data = fb2("<section><p>Текст о реци.</p></section>").decode().replace("UTF-8", "windows-1251").encode("cp1251")
    assert clean(read_fb2(data, Ledger()).text) == "Текст о реци.\n"


def test_xml_of_another_kind_and_broken_xml_are_refused_in_words() -> None:
    with pytest.raises(UnreadableBook, match=r"^is XML but not a FictionBook \(its root element is <book>\)"):
        read_fb2(b"<book/>", Ledger())
    with pytest.raises(UnreadableBook, match=r"^is not well-formed XML: line 1"):
        read_fb2(fb2("<section><p>Текст."), Ledger())
