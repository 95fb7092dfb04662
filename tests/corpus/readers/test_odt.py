"""OpenDocument texts: the author's text, each paragraph once and whole, and nothing that LibreOffice puts around it."""

import pytest
from tests.corpus.readers.made import odt, zipped

from paznja.corpus.cleaning.cleaning import clean
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.odt import read_odt
from paznja.errors import UnreadableBook


def text(body: str, ledger: Ledger | None = None, **parts: str) -> str:
    return clean(read_odt(odt(body, **parts), ledger or Ledger()).text)  # pyright: ignore[reportArgumentType]


def test_spans_spaces_tabs_and_line_breaks_come_out_as_they_look() -> None:
    body = (
        '<text:h text:outline-level="1">Глава прва</text:h><text:p>мо<text:span>ст</text:span><text:s text:c="3"/>преко<text:tab/>реке'
        "<text:line-break/>стих<text:soft-page-break/>ови</text:p>"
    )
    assert text(body) == "Глава прва\nмост преко реке\nстихови\n"


def test_notes_comments_deleted_text_and_page_numbers_are_left_out_and_noted() -> None:
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>Избрисано.</text:p></text:deletion></text:changed-region>"
        "</text:tracked-changes><text:p>На столу<text:note text:note-class='footnote'><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>Напомена.</text:p></text:note-body></text:note>, а <office:annotation><text:p>Провери.</text:p>"
        "</office:annotation>затим <text:page-number>12</text:page-number>.</text:p>"
    )
    ledger = Ledger()
    assert text(body, ledger) == "На столу, а затим.\n"
    assert {rule: [example.before for example in change.examples] for rule, change in ledger.changes.items()} == {
        "apparatus": ["Избрисано.", "Провери."],
        "notes": ["1Напомена."],
        "page-numbers": ["12"],
    }
    assert "Избрисано." in text(body, Ledger(off=["apparatus"]))


def test_contents_indexes_and_captions_are_left_out() -> None:
    styles = '<style:style style:name="P7" style:parent-style-name="Illustration"/>'
    body = (
        "<text:table-of-content><text:index-body><text:index-title><text:p>Садржај</text:p></text:index-title><text:p>Глава 1</text:p>"
        "</text:index-body></text:table-of-content><text:p>Текст.</text:p><text:p text:style-name='P7'>Слика 1: Мост</text:p>"
        "<text:p><draw:frame><draw:image/><svg:title>мост.jpg</svg:title><svg:desc>Мост.</svg:desc></draw:frame>Крај.</text:p>"
    )
    assert text(body, styles=styles) == "Текст.\nКрај.\n"


def test_a_text_frame_comes_behind_the_paragraph_that_it_hangs_on() -> None:
    body = (
        "<text:p>Пре <draw:frame><draw:text-box><text:p>У оквиру.</text:p></draw:text-box></draw:frame>"
        "и <draw:frame><draw:text-box><text:p>Још.</text:p></draw:text-box></draw:frame>после.</text:p><text:p>Даље.</text:p>"
    )
    assert text(body) == "Пре и после.\nУ оквиру.\nЈош.\nДаље.\n"


def test_a_row_of_a_table_and_an_item_of_a_list_are_lines() -> None:
    row = "<table:table-cell><text:p>Пакра</text:p></table:table-cell><table:table-cell><text:p>100</text:p></table:table-cell>"
    body = (
        f"<table:table><table:table-row>{row}</table:table-row></table:table>"
        "<text:list><text:list-item><text:p>лук</text:p></text:list-item><text:list-item><text:p>со</text:p></text:list-item></text:list>"
    )
    assert text(body) == "Пакра 100\nлук\nсо\n"


def test_a_hidden_section_is_left_out() -> None:
    assert text("<text:section text:display='none'><text:p>Тајна.</text:p></text:section><text:p>Јавно.</text:p>") == "Јавно.\n"


def test_a_page_that_a_style_begins_is_known_as_a_page() -> None:
    styles = (
        '<style:style style:name="P1" style:parent-style-name="Standard"><style:paragraph-properties fo:break-before="page"/></style:style>'
    )
    body = (
        "<text:p>Скела, роман</text:p><text:p text:style-name='P1'>Издавач: Обала</text:p><text:p>© Милева Ристић</text:p>"
        "<text:p>ISBN 86-0000-000-0</text:p><text:p>Нови Сад</text:p><text:p text:style-name='P1'>Глава прва</text:p>"
        "<text:p>Текст.</text:p>"
    )
    assert text(body, styles=styles) == "Скела, роман\nГлава прва\nТекст.\n"


def test_title_author_and_language_come_from_the_properties() -> None:
    meta = "<dc:title>Скела</dc:title><meta:initial-creator>Милева Ристић</meta:initial-creator><dc:creator>user</dc:creator>"
    contents = read_odt(odt("<text:p>Скела</text:p><text:p>Текст.</text:p>", meta=meta + "<dc:language>sr-RS</dc:language>"), Ledger())
    assert contents[1:] == ("Скела", "Милева Ристић", "sr-RS")
    assert clean(contents.text) == "Текст.\n"


def test_a_password_another_kind_of_document_and_a_zip_without_one_are_refused_in_words() -> None:
    manifest = "<manifest><file-entry><encryption-data/></file-entry></manifest>"
    with pytest.raises(UnreadableBook, match=r"^is protected by a password"):
        read_odt(odt("", files={"META-INF/manifest.xml": manifest}), Ledger())
    with pytest.raises(UnreadableBook, match=r"^is an OpenDocument file but not a text"):
        read_odt(zipped({"content.xml": "<document-content><body><spreadsheet/></body></document-content>"}), Ledger())
    with pytest.raises(UnreadableBook, match=r"content\.xml is missing"):
        read_odt(zipped({"a.txt": "x"}), Ledger())
