"""RTF: characters in every notation, and only the author's text."""

import pytest

from paznja.corpus.cleaning.cleaning import clean
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.rtf import read_rtf
from paznja.errors import UnreadableBook

HEAD = (
    r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\froman\fcharset0 Times;}{\f1\froman\fcharset204{\*\falt Times}Times Cyr;}"
    r"{\f2\fswiss\fcharset238 Arial CE;}}{\colortbl;\red0\green0\blue0;}"
    r"{\stylesheet{\s0 Normal;}{\s4\sbasedon0 caption;}{\s5\sbasedon0\snext0 toc 1;}{\*\cs10 Default Paragraph Font;}}"
)


def text(body: str, ledger: Ledger | None = None, head: str = HEAD) -> str:
    return clean(read_rtf((head + body + "}").encode("latin-1"), ledger or Ledger()).text)


def hexadecimal(words: str, encoding: str) -> str:
    return "".join(f"\\'{byte:02x}" for byte in words.encode(encoding))


def numbers(words: str, instead: str) -> str:
    units = words.encode("utf-16-le")
    codes = [int.from_bytes(units[place : place + 2], "little", signed=True) for place in range(0, len(units), 2)]
    return "".join(f"\\u{code}{instead}" for code in codes)


def test_letters_by_number_come_out_right_whatever_stands_there_for_older_programs() -> None:
    words = "Ђорђе љуби реку 🌊 šuma"
    for count, instead in {1: "?", 0: " ", 2: r"\'d0\'9f", 3: r"\'d0?x"}.items():
        assert text(rf"\uc{count} {numbers(words, instead)}\par") == words + "\n"
    assert text(numbers(words, r"\'3f")) == text(numbers(words, " ?")) == text(numbers(words, "x")) == words + "\n"


def test_letters_by_code_page_come_out_right_by_their_font_and_by_the_document() -> None:
    body = rf"\f1 {hexadecimal('Шума', 'cp1251')} {{\f2 {hexadecimal('žbun', 'cp1250')}}} {hexadecimal('ћути', 'cp1251')}\par"
    assert text(body) == "Шума žbun ћути\n"
    assert (
        text(hexadecimal("Šuma čuva žbun.", "cp1250"), head=r"{\rtf1\ansi\ansicpg1250\deff0{\fonttbl{\f0 Times;}}\f0 ")
        == "Šuma čuva žbun.\n"
    )


def test_paragraphs_lines_tabs_and_signs() -> None:
    body = r"Prvi{\i  red}\par Drugi\line tre\-\'fei\tab red\~tu\par\pard crno\_belo \emdash  \ldblquote da\rdblquote\par a\{b\}\\c"
    assert text(body) == "Prvi red\nDrugi\ntreþi red tu\ncrno-belo — “da”\na{b}\\c\n"


def test_a_line_end_in_the_file_is_no_text() -> None:
    assert text("mo\r\nst\\par\nDru\ngi") == "most\nDrugi\n"


def test_notes_headers_comments_hidden_and_deleted_text_are_left_out_and_noted() -> None:
    body = (
        r"{\header\pard Most\par}{\footer {\field{\*\fldinst PAGE}{\fldrslt 7}}}"
        r"Na stolu{\super\chftn{\footnote\pard {\super\chftn} Napomena.}}"
        r", a {\*\atnauthor Lektor}{\*\annotation Proveri.}zatim{\v  tajna}{\deleted  nikad} most.\par"
    )
    ledger = Ledger()
    assert text(body, ledger) == "Na stolu, a zatim most.\n"
    found = {rule: [example.before for example in change.examples] for rule, change in ledger.changes.items()}
    assert found == {"page-frames": ["Most", "7"], "notes": ["Napomena."], "apparatus": ["Lektor", "Proveri.", "tajna nikad"]}
    assert text(body, Ledger(off=["apparatus"])) == "Na stolu, a LektorProveri.zatim tajna nikad most.\n"


def test_contents_captions_and_page_numbers_are_left_out() -> None:
    body = (
        r"{\field{\*\fldinst {TOC \\o}}{\fldrslt \pard\s5 Glava prva {\field{\*\fldinst PAGEREF x}{\fldrslt 3}}\par}}"
        r"\pard\s5 Glava druga 9\par\pard\s0 Glava prva\par\pard\s4 Slika 1: Most\par\pard "
        r"Tekst {\field{\*\fldinst HYPERLINK x}{\fldrslt s vezom}} i {\field{\*\fldinst { PAGE }}{\fldrslt 12}}kraj.\par"
    )
    ledger = Ledger()
    assert text(body, ledger) == "Glava prva\nTekst s vezom i kraj.\n"
    assert {rule: change.count for rule, change in ledger.changes.items()} == {"contents-pages": 2, "captions": 1, "page-numbers": 1}


def test_a_text_box_comes_once_and_behind_its_paragraph() -> None:
    box = r"{\shp{\*\shpinst\shpleft0{\sp{\sn shapeType}{\sv 202}}{\shptxt \pard U okviru.\par}}{\shprslt{\*\do{\dptxbxtext U okviru.}}}}"
    assert text(rf"Pre {box}posle.\par Dalje.\par") == "Pre posle.\nU okviru.\nDalje.\n"


def test_pictures_and_binary_data_are_passed_over() -> None:
    assert (
        text("{\\*\\shppict{\\pict\\pngblip\\bin5 }{{}}}}{\\nonshppict{\\pict 0102}}Tekst{\\object{\\*\\objdata 00}}.\\par") == "Tekst.\n"
    )


def test_title_and_author_come_from_the_properties() -> None:
    info = rf"{{\info{{\title {numbers('Скела', '?')}}}{{\author Mileva Risti\'e6}}{{\operator Neko}}}}"
    contents = read_rtf((HEAD.replace("1252", "1250") + info + r"Tekst.\par}").encode("latin-1"), Ledger())
    assert contents[1:] == ("Скела", "Mileva Ristić", "")
    info = rf"{{\info{{\upr{{\title ?????}}{{\*\ud{{\title {numbers('Скела', '?')}}}}}}}}}"
    assert read_rtf((HEAD + info + r"Tekst.\par}").encode("latin-1"), Ledger()).title == "Скела"


def test_a_table_is_a_line_a_row() -> None:
    assert text(r"\trowd\cellx1\cellx2\intbl Pakra\cell 100\cell\row \pard Tekst.\par") == "Pakra 100\nTekst.\n"


def test_a_document_cut_short_is_read_and_said() -> None:
    ledger = Ledger()
    assert clean(read_rtf((HEAD + r"Tekst.\par Jo").encode("latin-1"), ledger).text) == "Tekst.\nJo\n"
    assert ledger.notices == ["The file is cut short, or damaged: the end of the document is missing."]


def test_what_follows_the_last_brace_is_no_text() -> None:
    assert clean(read_rtf((HEAD + r"Tekst.\par}").encode("latin-1") + bytes(100) + b"trash", Ledger()).text) == "Tekst.\n"


def test_other_data_and_endless_groups_are_refused() -> None:
    with pytest.raises(UnreadableBook, match=r"^is not an RTF document"):
        read_rtf(b"Tekst", Ledger())
    with pytest.raises(UnreadableBook, match="too deep"):
        read_rtf(b"{\\rtf1" + b"{" * 100_000, Ledger())
