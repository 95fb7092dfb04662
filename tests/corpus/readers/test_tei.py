"""TEI P5: the running text and nothing else."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from paznja.corpus.formats import read_book
from paznja.errors import UnreadableBook

Write = Callable[..., Path]


def test_paragraphs_headings_and_verses_are_lines_of_their_own(tei: Write) -> None:
    path = tei(
        "<head>ГЛАВА I</head><p>Прва\n   реченица.</p><quote><l>Ој Дунаве,</l>\n<l>тиха водо</l></quote><ab>Блок.</ab>"
        "<opener><salute>Драги!</salute></opener><closer><signed>Твој Ј.</signed></closer><trailer>Крај.</trailer>"
    )
    assert read_book(path).text == "ГЛАВА I\nПрва реченица.\nОј Дунаве,\nтиха водо\nБлок.\nДраги!\nТвој Ј.\nКрај.\n"


def test_header_title_page_notes_gaps_and_figures_leave_no_trace(tei: Write) -> None:
    path = tei(
        '<p>Реч<note n="1">Прим. ур. <hi>ово</hi></note>, и<gap><desc>мрља</desc></gap> друга.</p>'
        "<figure><head>Слика</head><figDesc>Човек на коњу</figDesc></figure><fw>12</fw><!-- коментар --><?page 3?>",
        front="<titlePage><docTitle>НАСЛОВ</docTitle></titlePage><div type='titlepage'><p>ШТАМПАНО</p></div><div><p>Предговор.</p></div>",
        back="<div type='notes'><head>Напомене</head><note xml:id='n1'><p>Објашњење</p></note></div>",
    )
    assert read_book(path).text == "Предговор.\nРеч, и друга.\n"


def test_inline_elements_keep_their_text_and_do_not_split_words(tei: Write) -> None:
    path = tei(
        '<p><hi rend="dropcap">Б</hi>ио <foreign xml:lang="fr">chargé</foreign> и <title>Монте <pb n="4"/>Христо</title>-у, '
        "<quote>рече</quote> <name>Ана</name>.</p>"
    )
    assert read_book(path).text == "Био chargé и Монте Христо-у, рече Ана.\n"


@pytest.mark.parametrize(
    "mark", ['<pb n="12"/>', '<milestone unit="x"/>', '<pb n="1"/><pb n="2"/>', '<lb break="no"/>', '-\n<pb break="no"/>\n']
)
def test_a_page_break_inside_a_word_does_not_split_it(tei: Write, mark: str) -> None:
    assert read_book(tei(f"<p>преко мо{mark}ста</p>")).text == "преко моста\n"


def test_a_page_break_between_words_leaves_one_space(tei: Write) -> None:
    assert read_book(tei('<p>преко <pb n="3"/> моста <pb n="4"/>, па</p>')).text == "преко моста, па\n"


def test_a_line_break_is_a_space_in_prose_and_a_newline_in_verse(tei: Write) -> None:
    assert read_book(tei("<p>један<lb/>два</p><l>три<lb/>четири</l>")).text == "један два\nтри\nчетири\n"


@pytest.mark.parametrize(
    "ref",
    [
        '<ref target="#n1"/>',
        '<ref target="#n1">1</ref>',
        '<ref target="#n1">види напомену</ref>',
        '<ref target="#n9">[12]</ref>',
        "<ref>*</ref>",
        '<ref type="noteAnchor">a</ref>',
        '(<ref target="#n1"/>)',
    ],
)
def test_a_footnote_mark_goes_and_leaves_no_space_before_the_comma(tei: Write, ref: str) -> None:
    path = tei(f"<p>на столу {ref}, а затим</p>", back='<div><note xml:id="n1">Објашњење.</note></div>')
    assert read_book(path).text == "на столу, а затим\n"


def test_a_reference_with_words_or_to_a_page_keeps_its_text(tei: Write) -> None:
    path = tei('<p xml:id="p12">Види <ref target="http://x.rs">ову књигу</ref>, страну <ref target="#p12">12</ref>.</p>')
    assert read_book(path).text == "Види ову књигу, страну 12.\n"


def test_a_quotation_within_a_paragraph_stays_in_it_and_one_between_paragraphs_stands_alone(tei: Write) -> None:
    path = tei(
        "<p>Рече <quote>да, <hi>да</hi></quote> и оде.</p><quote>Натпис <title>на</title> вратима</quote>\n<quote><p>Писмо</p></quote>"
    )
    assert read_book(path).text == "Рече да, да и оде.\nНатпис на вратима\nПисмо\n"


def test_quotation_marks_around_verse_in_a_paragraph_do_not_become_lines(tei: Write) -> None:
    assert read_book(tei("<p>„<l>Ој Дунаве,</l> <l>тиха водо</l> “</p>")).text == "„Ој Дунаве,\nтиха водо“\n"


def test_of_an_error_and_its_correction_the_correction_stays(tei: Write) -> None:
    assert read_book(tei("<p>На <choice><sic>мсту</sic><corr>мосту</corr></choice>, <sic>тако</sic>.</p>")).text == "На мосту, тако.\n"


def test_table_cells_and_list_items_do_not_run_together(tei: Write) -> None:
    path = tei("<list><item>лук</item><item>со</item></list><table><row><cell>Пакра</cell><cell>100</cell></row></table>")
    assert read_book(path).text == "лук\nсо\nПакра 100\n"


def test_title_author_and_language_come_from_the_header_without_edition_remarks(tei: Write) -> None:
    head = (
        "<title>Зона <hi>Замфирова</hi> : приповетка / написао С. : ELTeC издање</title><title xml:lang='en'>Zona : ELTeC edition</title>"
        "<author ref='x'> Сремац, Стеван  (1855-1906)</author><author>Ана Анић [Псеудоним]</author>"
    )
    book = read_book(tei("<p>Текст.</p>", head=head))
    assert (book.title, book.author, book.language) == ("Зона Замфирова: приповетка", "Стеван Сремац, Ана Анић", "sr")


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Хаџи-Диша : ELTeC издање", "Хаџи-Диша"),
        ("Nečista krv (ELTeC edition)", "Nečista krv"),
        ("Dracula: an electronic edition", "Dracula"),
        ("Рат 1912/1913 – дигитално издање", "Рат 1912/1913"),
        ("Електронско издање", "Електронско издање"),
        ("Између два света: роман", "Између два света: роман"),
    ],
)
def test_only_the_remark_on_the_edition_is_taken_off_a_title(tei: Write, title: str, shown: str) -> None:
    assert read_book(tei("<p>Текст.</p>", head=f"<title>{title}</title>")).title == shown


def test_the_language_most_used_is_the_books(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text(
        "<TEI><teiHeader><profileDesc><langUsage><language ident='fr' usage='2'/><language ident='sr-Cyrl' usage='98'/></langUsage>"
        "</profileDesc></teiHeader><text><body><p>Текст.</p></body></text></TEI>",
        encoding="utf-8",
    )
    book = read_book(path)
    assert (book.title, book.author, book.language) == ("x", "", "sr-Cyrl")


def test_the_files_own_entities_are_never_resolved_and_html_ones_are_known(tei: Write, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("лозинка")
    doctype = f'<!DOCTYPE TEI [<!ENTITY a SYSTEM "file://{secret}"><!ENTITY b "много"><!ENTITY c "&b;&b;&b;">]>'
    assert read_book(tei("<p>Ово &a;&c; је&nbsp;мост &mdash; R&amp;D &lt;3.</p>", doctype=doctype)).text == "Ово је мост — R&D <3.\n"
    assert read_book(tei("<p>Ово је&nbsp;мост &mdash; &#1078;&scaron;.</p>")).text == "Ово је мост — жš.\n"


def test_utf16_and_old_encodings_that_the_file_declares_are_read(tmp_path: Path) -> None:
    for encoding in ("utf-16", "windows-1251"):
        path = tmp_path / f"{encoding}.xml"
        path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?><TEI><text><p>Мост.</p></text></TEI>'.encode(encoding))
        assert read_book(path).text == "Мост.\n"


def test_malformed_xml_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<TEI>\n<text>\n<p>Мост</text></TEI>", encoding="utf-8")
    with pytest.raises(UnreadableBook, match=r"^is not well-formed XML: line 3: Opening and ending tag mismatch"):
        read_book(path)


def test_xml_of_another_kind_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<rss><p>Мост</p></rss>", encoding="utf-8")
    with pytest.raises(UnreadableBook, match=r"is XML but not a TEI book \(its root element is <rss>\)"):
        read_book(path)


def test_xml_of_nul_bytes_is_called_binary_and_a_thousand_nested_elements_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_bytes(bytes(500))
    with pytest.raises(UnreadableBook, match="binary"):
        read_book(path)
    path.write_text("<TEI>" + "<div>" * 1000 + "</div>" * 1000 + "</TEI>")
    with pytest.raises(UnreadableBook, match="not well-formed XML: line 1"):
        read_book(path)


def test_a_tei_file_without_text_says_so(tei: Write) -> None:
    with pytest.raises(UnreadableBook, match="holds no text"):
        read_book(tei("<note>само напомена</note>"))


def test_real_passages_around_notes_page_breaks_and_verse_read_as_in_the_printed_book(shelf: Path) -> None:
    milicevic = read_book(shelf / "SRP18790_MilanDjM_JurmusaFatima.xml").text
    assert "„Орден од Баба-Јане из Бушинаца, за поједене цицваре“" in milicevic
    assert "\nДрумови ће пожељет’ Турака,\nА Турака нигдје бити не ће!“\n" in milicevic
    assert "„кводлибет“ на ком се могло видети" in read_book(shelf / "SRP18750_JakovI_VasaRespekt.xml").text
    uskokovic = read_book(next(shelf.glob("SRP19140*"))).text
    assert "\nДосадила му самарица. — Јуче око пет часова, Мића Живковић" in uskokovic
    assert "Хајнриха у Лаворици и просијачком штапу награђен" in read_book(next(shelf.glob("SRP18950*"))).text


def test_no_novel_of_the_shelf_keeps_markup_or_its_header(shelf: Path) -> None:
    for path in sorted(shelf.glob("*.xml"))[::9]:
        text = read_book(path).text
        assert not re.search(r"ELTeC|</?\w+>|&\w+;|Distant Reading|Zenodo|xml:id|  |\n\n", text), path.name
