"""Word documents: the author's text, each paragraph once and whole, and nothing that Word puts around it."""

import pytest
from tests.corpus.readers.made import W, docx, p, zipped

from paznja.corpus.cleaning.cleaning import clean
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.docx import read_docx
from paznja.errors import UnreadableBook

TOC_STYLE = '<w:style w:styleId="Sadraj1"><w:name w:val="toc 1"/></w:style>'
CAPTION_STYLE = '<w:style w:styleId="Natpis"><w:name w:val="caption"/></w:style>'


def text(body: str, ledger: Ledger | None = None, **parts: str | dict[str, str | bytes]) -> str:
    return clean(read_docx(docx(body, **parts), ledger or Ledger()).text)  # pyright: ignore[reportArgumentType]


def field(instruction: str, result: str) -> str:
    return (
        f'<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>{instruction}</w:instrText></w:r>'
        f'<w:r><w:fldChar w:fldCharType="separate"/></w:r>{result}<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )


def test_a_word_in_several_runs_stays_whole_and_breaks_and_tabs_are_white_space() -> None:
    body = (
        p("Глава прва", "Heading1") + "<w:p><w:r><w:t>мо</w:t></w:r><w:r><w:rPr><w:i/></w:rPr><w:t>ст</w:t></w:r><w:r><w:tab/>"
        "<w:t>преко</w:t><w:br/><w:t>реке</w:t><w:cr/><w:t>црно</w:t><w:noBreakHyphen/><w:t>бе</w:t><w:softHyphen/><w:t>ло</w:t></w:r></w:p>"
    )
    assert text(body) == "Глава прва\nмост преко\nреке\nцрно-бело\n"


def test_white_space_between_the_elements_of_an_indented_file_is_no_text() -> None:
    body = "\n  <w:p>\n    <w:r>\n      <w:t>мо</w:t>\n    </w:r>\n    <w:r>\n      <w:t>ст</w:t>\n    </w:r>\n  </w:p>\n"
    assert text(body) == "мост\n"


def test_notes_comments_headers_and_footers_are_left_out_and_noted() -> None:
    body = "<w:p><w:r><w:t>На столу</w:t></w:r><w:r><w:footnoteReference w:id='2'/></w:r><w:r><w:t>, а затим.</w:t></w:r></w:p>"
    files: dict[str, str | bytes] = {
        "footnotes.xml": f"<w:footnotes xmlns:w='{W}'><w:footnote w:id='0'><w:p><w:r><w:separator/></w:r></w:p></w:footnote>"
        f"<w:footnote w:id='2'>{p('Напомена писца.')}</w:footnote></w:footnotes>",
        "comments.xml": f"<w:comments xmlns:w='{W}'><w:comment w:id='1'>{p('Проверити.')}</w:comment></w:comments>",
        "header1.xml": f"<w:hdr xmlns:w='{W}'>{p('Мост')}</w:hdr>",
    }
    ledger = Ledger()
    assert text(body, ledger, files=files) == "На столу, а затим.\n"
    assert {rule: change.examples[0].before for rule, change in ledger.changes.items()} == {
        "notes": "Напомена писца.",
        "apparatus": "Проверити.",
        "page-frames": "Мост",
    }
    assert text(body, Ledger(off=["notes"]), files=files) == "На столу, а затим.\nНапомена писца.\n"


def test_what_was_deleted_moved_away_or_hidden_is_gone_and_what_was_put_in_stays() -> None:
    body = (
        "<w:p><w:r><w:t>Станоје </w:t></w:r><w:del><w:r><w:delText>никад </w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>увек </w:t></w:r></w:ins>"
        "<w:moveFrom><w:r><w:t>овде </w:t></w:r></w:moveFrom><w:r><w:rPr><w:vanish/></w:rPr><w:t>тајна </w:t></w:r>"
        "<w:r><w:rPr><w:vanish w:val='false'/></w:rPr><w:t>чека.</w:t></w:r></w:p>"
    )
    ledger = Ledger()
    assert text(body, ledger) == "Станоје увек чека.\n"
    assert [example.before for example in ledger.changes["apparatus"].examples] == ["никад", "овде", "тајна"]
    assert text(body, Ledger(off=["apparatus"])) == "Станоје никад увек овде тајна чека.\n"


def test_paragraphs_are_joined_where_the_mark_between_them_was_deleted() -> None:
    first = "<w:p><w:pPr><w:rPr><w:del w:id='1'/></w:rPr></w:pPr><w:r><w:t>Река је </w:t></w:r></w:p>"
    assert text(first + p("мирна.") + p("Крај.")) == "Река је мирна.\nКрај.\n"


def test_contents_are_known_by_their_field_their_style_or_their_frame() -> None:
    chapters = p("Глава прва") + p("Текст један.") + p("Глава друга") + p("Текст два.")
    expected = "Глава прва\nТекст један.\nГлава друга\nТекст два.\n"
    by_field = (
        "<w:p><w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText> TOC \\o </w:instrText></w:r><w:r><w:fldChar "
        "w:fldCharType='separate'/></w:r><w:r><w:t>Глава прва 3</w:t></w:r></w:p><w:p><w:r><w:t>Глава друга </w:t></w:r>"
        + field("PAGEREF _Toc1", "<w:r><w:t>9</w:t></w:r>")
        + "<w:r><w:fldChar w:fldCharType='end'/></w:r></w:p>"
    )
    by_frame = (
        "<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val='Table of Contents'/></w:docPartObj></w:sdtPr>"
        f"<w:sdtContent>{p('Глава прва 3')}</w:sdtContent></w:sdt>"
    )
    assert text(by_field + chapters) == expected
    assert text(p("Глава прва 3", "Sadraj1") + chapters, styles=TOC_STYLE) == expected
    assert text(by_frame + chapters) == expected


def test_a_field_that_never_ends_takes_no_text_with_it() -> None:
    begin = "<w:p><w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText>TOC</w:instrText></w:r></w:p>"
    assert text(begin + p("Цела књига.")) == "Цела књига.\n"


def test_page_numbers_are_left_out_and_the_text_of_links_stays() -> None:
    body = "<w:p>" + field("PAGE", "<w:r><w:t>17</w:t></w:r>") + field('HYPERLINK "x"', "<w:r><w:t>Мост</w:t></w:r>") + "</w:p>"
    assert text(body + '<w:p><w:fldSimple w:instr=" NUMPAGES "><w:r><w:t>200</w:t></w:r></w:fldSimple></w:p>') == "Мост\n"


def test_captions_are_left_out_by_their_style() -> None:
    ledger = Ledger()
    assert text(p("Слика 1: Мост", "Natpis") + p("Текст."), ledger, styles=CAPTION_STYLE) == "Текст.\n"
    assert ledger.changes["captions"].examples[0].before == "Слика 1: Мост"


def test_a_text_box_comes_once_and_behind_the_paragraph_that_it_hangs_on() -> None:
    box = f"<w:txbxContent>{p('У оквиру.')}{p('Још.')}</w:txbxContent>"
    body = (
        "<w:p><w:r><w:t>Пре </w:t></w:r><w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wps:txbx>"
        f"{box}</wps:txbx></w:drawing></mc:Choice><mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r><w:r><w:t>после.</w:t></w:r></w:p>"
    )
    assert text(body + p("Даље.")) == "Пре после.\nУ оквиру.\nЈош.\nДаље.\n"


def test_a_row_of_a_table_is_a_line_unless_its_cells_hold_paragraphs() -> None:
    table = f"<w:tbl><w:tr><w:tc>{p('Пакра')}</w:tc><w:tc>{p('100')}</w:tc></w:tr></w:tbl>"
    layout = f"<w:tbl><w:tr><w:tc>{p('Први пасус.')}{p('Други пасус.')}</w:tc></w:tr></w:tbl>"
    assert text(table + layout) == "Пакра 100\nПрви пасус.\nДруги пасус.\n"


def test_title_author_and_language_come_from_the_properties_unless_a_program_put_them_there() -> None:
    core = "<dc:title>Скела</dc:title><dc:creator>Милева Ристић</dc:creator><dc:language>sr</dc:language>"
    contents = read_docx(docx(p("Скела") + p("Милева Ристић") + p("Текст."), core=core), Ledger())
    assert contents[1:] == ("Скела", "Милева Ристић", "sr")
    assert clean(contents.text) == "Текст.\n"
    core = "<dc:title>Microsoft Word - roman2.doc</dc:title><dc:creator>korisnik</dc:creator>"
    assert read_docx(docx(p("Текст."), core=core), Ledger())[1:] == ("", "", "")


def test_an_unmarked_copyright_page_on_a_page_of_its_own_is_left_out() -> None:
    page_break = "<w:p><w:r><w:br w:type='page'/></w:r></w:p>"
    front = (
        p("Скела, роман") + page_break + p("Издавач: Обала, Нови Сад") + p("© Милева Ристић, 2001") + p("ISBN 86-0000-000-0") + page_break
    )
    assert text(front + p("Глава прва") + p("Текст.")) == "Скела, роман\nГлава прва\nТекст.\n"


@pytest.mark.parametrize("declared", ["strict", "moved"])
def test_strict_documents_and_texts_in_another_place_are_read(declared: str) -> None:
    space = "http://purl.oclc.org/ooxml/wordprocessingml/main" if declared == "strict" else W
    path = "word/document.xml" if declared == "strict" else "word/document2.xml"
    data = zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": f"<Relationships><Relationship Type='x/officeDocument' Target='/{path}'/></Relationships>",
            path: f"<w:document xmlns:w='{space}'><w:body>{p('Мост.')}</w:body></w:document>",
        }
    )
    assert clean(read_docx(data, Ledger()).text) == "Мост.\n"


def test_a_zip_without_a_document_and_a_broken_one_are_refused_in_words() -> None:
    with pytest.raises(UnreadableBook, match=r"^is a zip file but not a Word document"):
        read_docx(zipped({"a.txt": "x"}), Ledger())
    with pytest.raises(UnreadableBook, match=r"^is not a Word document \(it is not a zip file\)"):
        read_docx(b"x", Ledger())
    with pytest.raises(UnreadableBook, match=r"^is a damaged Word document: word/document.xml is not well-formed XML: line 1"):
        read_docx(docx("<w:p>"), Ledger())
