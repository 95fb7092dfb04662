"""Bytes to text: Unicode is recognised by its marks and its form, older encodings by what reads as language."""

import codecs
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from paznja.corpus.encodings.encoding import decode, decode_html
from paznja.corpus.formats import read_book
from paznja.corpus.ledger import Ledger
from paznja.corpus.scripts.script import script_of
from paznja.corpus.scripts.transliteration import to_latin
from paznja.errors import UnreadableBook

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn"], exclude_characters="\ufeff"))

SENTENCES = [
    "Старац је седео крај прозора и гледао како ђаци трче низ улицу.",
    "Нико није знао где је отишао, нити шта је понео са собом.",
    "Љубица је затворила њену књигу, па уздахнула и ћутала до вечери.",
    "Ујутру су дошли џелепи, купили волове и отишли пре него што је свануло.",
    "Ђурађ је рекао да ће се вратити у среду, ако кише не буде.",
    "Чамац је био стар, али је још држао воду; жена га је мазала смолом.",
    "Шта хоћеш, упитао је, зар ти није доста онога што имаш?",
    "Његов брат живи у Нишу и тамо држи малу радњу са свећама.",
    "Жито је те године родило, па су сви имали хлеба до пролећа.",
    "Поп је читао полако, а деца су бројала мушице на стаклу.",
]
CYRILLIC = " ".join(SENTENCES)
LATIN = to_latin(CYRILLIC)
TYPOGRAPHY = {"Шта": "„Шта", "имаш?": "имаш?“ —", "Šta": "„Šta", "imaš?": "imaš?“ —"}

CYRILLIC_CODE_PAGES = {"cp1251": "Windows-1251", "iso8859-5": "ISO 8859-5", "cp855": "CP855", "mac_cyrillic": "MacCyrillic"}
LATIN_CODE_PAGES = {"cp1250": "Windows-1250", "iso8859-2": "ISO 8859-2", "cp852": "CP852", "mac_croatian": "MacCroatian"}
BOTH = [(CYRILLIC, encoding, name) for encoding, name in CYRILLIC_CODE_PAGES.items()]
BOTH += [(LATIN, encoding, name) for encoding, name in LATIN_CODE_PAGES.items() if encoding != "mac_croatian"]
BOTH += [(LATIN + " — Ne znam —", "mac_croatian", "MacCroatian")]  # the letters alone are those of ISO 8859-2


def notices(data: bytes) -> list[str]:
    ledger = Ledger()
    decode(data, ledger)
    return ledger.notices


@given(TEXT)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_utf8_with_and_without_a_mark_and_utf16_and_utf32_with_one_give_the_text_back(text: str) -> None:
    as_it_is = Ledger(off=["mojibake", "yuscii"])
    assert decode(text.encode(), as_it_is) == text
    assert decode(codecs.BOM_UTF8 + text.encode(), as_it_is) == text
    for mark, encoding in [
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ]:
        assert decode(mark + text.encode(encoding), as_it_is) == text


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE])
def test_an_empty_file_and_one_with_nothing_but_a_mark_are_empty_text(mark: bytes) -> None:
    assert decode(mark, Ledger()) == ""


@pytest.mark.parametrize("text", [CYRILLIC, LATIN, "Plain English, and not much of it."])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_known_by_where_its_nuls_are(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), Ledger()) == text
    assert notices(text.encode(encoding)) == ["It was read in UTF-16, although it has no byte order mark."]


def test_of_utf8_nothing_is_said() -> None:
    assert notices(CYRILLIC.encode()) == []
    assert notices(b"Short text.") == []


@pytest.mark.parametrize(("text", "encoding", "name"), BOTH)
def test_serbian_in_every_code_page_is_read_and_the_code_page_named(text: str, encoding: str, name: str) -> None:
    assert decode(text.encode(encoding), Ledger()) == text
    assert notices(text.encode(encoding)) == [f"It is not in UTF-8; it was read in {name}, in which it reads best as language."]


@pytest.mark.parametrize(("text", "encoding", "name"), BOTH)
def test_serbian_all_in_capitals_is_read_too(text: str, encoding: str, name: str) -> None:
    assert decode(text.upper().encode(encoding), Ledger()) == text.upper()


@pytest.mark.parametrize(
    ("text", "encoding"), [(CYRILLIC, "cp1251"), (CYRILLIC, "mac_cyrillic"), (LATIN, "cp1250"), (LATIN, "mac_croatian")]
)
def test_quotation_marks_and_dashes_are_read_where_the_code_page_has_them(text: str, encoding: str) -> None:
    for plain, typographic in TYPOGRAPHY.items():
        text = text.replace(plain, typographic)
    assert "„" in text
    assert decode(text.encode(encoding), Ledger()) == text


# MacCyrillic differs from Windows-1251 in so few letters that it takes more than the same sentence three times over.
AT_ONCE = [*(encoding for encoding in CYRILLIC_CODE_PAGES if encoding != "mac_cyrillic"), *LATIN_CODE_PAGES, "yuscii"]


@given(st.lists(st.sampled_from(SENTENCES), min_size=3, unique=True), st.sampled_from(AT_ONCE))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_three_sentences_are_enough_to_know_any_encoding_and_four_to_know_yuscii(sentences: list[str], encoding: str) -> None:
    assume(encoding != "yuscii" or len(sentences) > 3)
    text = " ".join(sentences)
    if encoding == "yuscii":
        text = to_latin(text)
        data = text.translate(str.maketrans("ŽŠĐĆČžšđćč", "@[\\]^`{|}~")).encode("ascii")
    else:
        text = to_latin(text) if encoding in LATIN_CODE_PAGES else text
        data = text.encode(encoding)
    assert decode(data, Ledger()) == text


@pytest.mark.parametrize(
    ("text", "encodings"),
    [
        ("Žena je šutjela i čekala muža. Noć je bila hladna, a vjetar je tresao prozore i vrata.", "cp1250 iso8859-2 cp852 mac_latin2"),
        ("Старик сидел у окна и смотрел, как дети играют во дворе. Прошёл ещё один день.", "cp1251 koi8-r iso8859-5 cp866 mac_cyrillic"),
        ("СТАРИК СИДЕЛ У ОКНА И СМОТРЕЛ, КАК ИГРАЮТ ДЕТИ", "cp1251 koi8-r iso8859-5 cp866 mac_cyrillic"),
        ("Старият човек седеше до прозореца и гледаше как децата играят на двора.", "cp1251 iso8859-5"),
        ("Стариот човек седеше крај прозорецот и гледаше како децата играат. Ќе дојде ноќта.", "cp1251 iso8859-5 cp855"),
        ("Starý muž seděl u okna a díval se, jak si děti hrají na dvoře. Příští den přišel déšť.", "cp1250 iso8859-2 cp852"),
        ("Stary człowiek siedział przy oknie i patrzył, jak dzieci bawią się. Później przyszła noc.", "cp1250 iso8859-2 cp852"),
        ("Az öreg ember az ablaknál ült, és nézte a gyerekeket. Később eső esett, és elcsendesült.", "cp1250 iso8859-2 cp852"),
        ("Der alte Mann saß am Fenster und hörte den Kindern zu. „Schön wäre es“, dachte er.", "cp1250 cp1252"),
        ("Le vieil homme était assis à la fenêtre. « Où êtes-vous passés ? » se demanda-t-il.", "cp1252"),
        ("El anciano miraba cómo jugaban los niños. ¿Qué será de mañana?, pensó. Después llegó la noche.", "cp1252"),
        ("The old man sat by the window, and then he said: “It’s late,” though it wasn’t.", "cp1250 cp1252"),
    ],
)
def test_other_languages_are_read_in_their_code_pages(text: str, encodings: str) -> None:
    for encoding in encodings.split():
        assert decode(text.encode(encoding), Ledger()) == text


def test_a_letter_far_into_english_text_is_found() -> None:
    text = "The old man sat by the window. " * 40_000 + "His name was Čedomir Šešlija, as they said."
    assert decode(text.encode("cp1250"), Ledger()) == text


# --- UTF-8 with a few broken bytes


def test_a_letter_of_an_older_encoding_in_utf8_is_mended_and_said() -> None:
    ledger = Ledger()
    data = CYRILLIC.encode() + " Мо".encode() + "ж".encode("cp1251") + "да. ".encode() + CYRILLIC.encode()
    assert decode(data, ledger) == CYRILLIC + " Можда. " + CYRILLIC
    assert ledger.changes["broken-bytes"].count == 1
    assert ledger.notices == ["It is in UTF-8, except for a few broken bytes: 1 read as letters of an older encoding, 0 left out."]
    latin = LATIN.encode() + b" Mo\x9eda. " + LATIN.encode()
    assert decode(latin, Ledger()) == LATIN + " Možda. " + LATIN


@pytest.mark.parametrize("damage", [b"\xff", b"\xd0", b"\xe2\x80"])
def test_a_byte_that_is_no_letter_is_left_out(damage: bytes) -> None:
    data = CYRILLIC.encode() + b" mo" + damage + b"st. " + CYRILLIC.encode()
    assert decode(data * 3, Ledger()) == (CYRILLIC + " most. " + CYRILLIC) * 3


def test_broken_bytes_stay_as_replacement_characters_where_the_rule_is_off() -> None:
    assert decode(CYRILLIC.encode() + b"\xff", Ledger(off=["broken-bytes"])) == CYRILLIC + "\ufffd"


def test_a_file_cut_within_a_character_is_read_to_there() -> None:
    assert decode(CYRILLIC.encode() + "ш".encode()[:1], Ledger()) == CYRILLIC


# --- what is not text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(100), "is a binary file, not text .it holds NUL bytes"),
        (bytes(range(1, 256)) * 20, "is a binary file, not text .it holds control characters"),
        (codecs.BOM_UTF16_LE + b"a", "is damaged UTF-16 text"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8\x41\x00", "is damaged UTF-16 text"),
        (codecs.BOM_UTF32_LE + b"abc", "is damaged UTF-32 text"),
        ("老人坐在窗边看着孩子们玩耍，直到天黑。".encode("gbk") * 5, "is in an encoding that paznja does not know"),
        (
            "Ο γέρος καθόταν στο παράθυρο και κοίταζε τα παιδιά που έπαιζαν. ".encode("cp1253") * 5,
            "is in an encoding that paznja does not know",
        ),
    ],
)
def test_what_is_not_text_is_refused_with_what_it_is(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableBook, match=reason):
        decode(data, Ledger())


# --- web pages

PAGE = '<html><head><meta charset="{}"><title>Књига</title></head><body><p>{}</p></body></html>'


@pytest.mark.parametrize("declared", ["windows-1251", "utf-8", "iso-8859-1", "no-such-thing", "koi8-r"])
def test_a_page_is_read_in_its_encoding_whatever_it_declares(declared: str) -> None:
    page = PAGE.format(declared, CYRILLIC)
    assert decode_html(page.encode("cp1251"), Ledger()) == page
    assert decode_html(page.encode(), Ledger()) == page


def test_a_declaration_decides_where_the_bytes_do_not() -> None:
    page = '<html><head><meta charset="{}"></head><body>Ove no\xe6i je do\xb9ao</body></html>'
    assert "Ove noći je došao" in decode_html(page.format("iso-8859-2").encode("latin-1"), Ledger())


def test_a_page_in_an_encoding_that_is_never_guessed_is_read_as_it_declares() -> None:
    for encoding, text in [
        ("windows-1253", "Ο γέρος καθόταν στο παράθυρο"),
        ("shift_jis", "老人は窓辺に座っていた"),
        ("gbk", "老人坐在窗边"),
    ]:
        page = PAGE.replace("Књига", "").format(encoding, text)
        assert decode_html(page.encode(encoding), Ledger()) == page


def test_signs_in_a_page_are_never_yuscii() -> None:
    page = "<p>" + LATIN.translate(str.maketrans("ŽŠĐĆČžšđćč", "@[\\]^`{|}~")) + "</p>"
    assert decode_html(page.encode("ascii"), Ledger()) == page


# --- the shelf


@pytest.mark.slow
def test_every_novel_comes_back_from_every_code_page_and_costs_little_in_utf8(shelf: Path) -> None:
    seconds = 0.0
    megabytes = 0.0
    for path in sorted(shelf.glob("*.xml"))[::6]:
        novel = read_book(path).text
        for text, encodings in [
            (novel if script_of(novel) == "cyrillic" else "", CYRILLIC_CODE_PAGES),
            (to_latin(novel), LATIN_CODE_PAGES),
        ]:
            data = text.encode()
            start = time.process_time()
            assert decode(data, ledger := Ledger()) == text
            seconds += time.process_time() - start
            megabytes += len(data) / 1e6
            assert not ledger.changes
            assert not ledger.notices
            for encoding in encodings:
                data = text.encode(encoding, errors="ignore")  # without the few characters that it lacks
                assert decode(data, Ledger()) == data.decode(encoding)
    assert seconds < 0.03 * megabytes  # a third of that on the machine where it was written
