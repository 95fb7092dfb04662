"""Web pages: the text of the book in them, without what the site, Word or LibreOffice put around it."""

import pytest

from paznja.corpus.cleaning.cleaning import clean
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.html_page import read_html


def text(body: str, ledger: Ledger | None = None, head: str = "") -> str:
    return clean(read_html(f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode(), ledger or Ledger()).text)


def test_menus_headers_footers_scripts_and_sidebars_are_left_out_and_noted() -> None:
    body = (
        "<header><h1>Сајт за књиге</h1></header><nav><a href='/'>Почетна</a></nav><div class='breadcrumbs'>Књиге</div>"
        "<article><header><h2>Глава прва</h2></header><p>Текст књиге.</p><script>var x = 1;</script></article>"
        "<aside>Прочитајте и ово</aside><div role='contentinfo'>Контакт</div><footer>Сва питања на адресу</footer>"
        "<div style='display: none'>Колачићи</div>"
    )
    ledger = Ledger()
    assert text(body, ledger) == "Глава прва\nТекст књиге.\n"
    assert ledger.changes["page-frames"].count == 7
    assert "Почетна" in text(body, Ledger(off=["page-frames"]))


def test_contents_that_nobody_marked_are_known_by_their_links() -> None:
    links = "".join(f"<li><a href='#g{n}'>Глава {word}</a> {n}</li>" for n, word in enumerate(("прва", "друга", "трећа"), 1))
    chapters = "".join(f"<h2 id='g{n}'>Глава {word}</h2><p>Текст.</p>" for n, word in enumerate(("прва", "друга", "трећа"), 1))
    ledger = Ledger()
    expected = "Глава прва\nТекст.\nГлава друга\nТекст.\nГлава трећа\nТекст.\n"
    assert text(f"<h3>Садржај</h3><ul>{links}</ul>{chapters}", ledger) == expected
    assert ledger.changes["contents-pages"].count == 2
    assert "Садржај\nГлава прва 1\n" in text(f"<h3>Садржај</h3><ul>{links}</ul>{chapters}", Ledger(off=["contents-pages"]))


def test_a_paragraph_full_of_links_stays() -> None:
    body = "<p>Река <a href='#a'>Дрина</a> тече кроз <a href='#b'>Зворник</a>, <a href='#c'>Бајину Башту</a> и многа мања места.</p>"
    assert text(body) == "Река Дрина тече кроз Зворник, Бајину Башту и многа мања места.\n"


def test_what_word_saved_as_a_page_has_no_notes_contents_and_captions() -> None:
    body = (
        "<div class=WordSection1><p class=MsoToc1>Глава прва 3</p><h1>Глава прва</h1><p class=MsoNormal>На столу"
        "<a href='#_ftn1'><span class=MsoFootnoteReference>[1]</span></a>, а затим.<o:p></o:p></p><p class=MsoCaption>Слика 1</p></div>"
        "<div style='mso-element:footnote-list'><div style='mso-element:footnote'><p class=MsoFootnoteText>Напомена.</p></div></div>"
    )
    assert text(body) == "Глава прва\nНа столу, а затим.\n"


def test_title_author_and_language_come_from_the_head() -> None:
    page = "<html lang='sr'><head><title>Скела | Сајт</title><meta name='DC.title' content='Скела'><meta name='author' content='М. Ристић'>"
    assert read_html(f"{page}</head><body><p>Текст.</body></html>".encode(), Ledger())[1:] == ("Скела", "М. Ристић", "sr")
    assert read_html("<title>Скела</title><p>Текст.".encode(), Ledger())[1:] == ("Скела", "", "")


@pytest.mark.parametrize("encoding", ["windows-1250", "windows-1251", "iso-8859-5", "iso-8859-2"])
def test_a_page_in_an_old_encoding_is_read_as_it_declares(encoding: str) -> None:
    words = "Šuma i žbun, čuvar ćuti." if encoding[-1] in "02" else "Шума и жбун, чувар ћути."
    page = f"<html><head><meta http-equiv='Content-Type' content='text/html; charset={encoding}'></head><body><p>{words}</p></body></html>"
    assert clean(read_html(page.encode(encoding), Ledger()).text) == words + "\n"


def test_utf_8_wins_over_what_a_page_declares_wrongly() -> None:
    page = "<meta charset='windows-1250'><p>Шума.</p>"
    assert clean(read_html(page.encode(), Ledger()).text) == "Шума.\n"


def test_elements_a_hundred_thousand_deep_are_no_danger() -> None:
    page = b"<div>" * 100_000 + "<p>Дубоко.".encode()
    assert read_html(b"<p>.</p>" + page, Ledger()).text is not None
