"""Mojibake is repaired, whatever the encoding and however often it happened; clean text is never touched."""

import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paznja.corpus.encodings.encoding import decode
from paznja.corpus.encodings.mojibake import mend_mojibake
from paznja.corpus.formats import read_book
from paznja.corpus.ledger import Ledger
from paznja.corpus.scripts.transliteration import to_latin

CYRILLIC = [
    "Старац је седео крај прозора и гледао како ђаци трче низ улицу.",
    "— Шта хоћеш — упитао је — зар ти није доста онога што имаш?",
    "Љубица је затворила њену књигу, па уздахнула и ћутала до вечери.",
    "„Ђурађ ће доћи у среду“, рекла је жена…",
    "ЧЕТВРТА ГЛАВА",
]
LATIN = [to_latin(line) for line in CYRILLIC]
ENCODINGS = ["cp1250", "cp1251", "cp1252", "latin-1", "iso8859-2", "iso8859-5", "cp852"]


def misread(text: str, encoding: str) -> str:
    """UTF-8 read in another encoding; undefined bytes become control characters."""
    return "".join(bytes([byte]).decode(encoding, errors="ignore") or chr(byte) for byte in text.encode())


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("lines", [CYRILLIC, LATIN])
def test_a_file_that_was_misread_once_or_twice_is_put_back(lines: list[str], encoding: str, times: int) -> None:
    text = "\n".join(lines)
    spoilt = text
    for _ in range(times):
        spoilt = misread(spoilt, encoding)
    ledger = Ledger()
    assert decode(spoilt.encode(), ledger) == text
    assert "saved again" in ledger.notices[0]
    assert ledger.changes["mojibake"].count >= len(lines) - 1
    assert ledger.changes["mojibake"].examples[0].after == lines[0]


@pytest.mark.parametrize("encoding", ["cp1250", "cp1251", "latin-1"])
def test_misread_lines_are_put_back_before_they_are_joined_into_paragraphs(tmp_path: Path, encoding: str) -> None:
    paragraphs = [" ".join(CYRILLIC[:4]), " ".join(CYRILLIC[1:4])] * 20
    wrapped = "\n".join(textwrap.fill(paragraph, 60) + "\n" for paragraph in paragraphs)
    path = tmp_path / "wrapped.txt"
    path.write_text(misread(wrapped, encoding), encoding="utf-8", newline="")
    assert read_book(path).text.splitlines() == paragraphs


@pytest.mark.parametrize("encoding", ["cp1250", "cp1251", "latin-1"])
def test_misread_letters_that_a_page_writes_as_numbers_are_put_back(tmp_path: Path, encoding: str) -> None:
    page = "<html><body>" + "".join(f"<p>{line}</p>" for line in LATIN * 5) + "</body></html>"
    path = tmp_path / "numbers.html"
    path.write_bytes(misread(page, encoding).encode("ascii", "xmlcharrefreplace"))
    assert read_book(path).text.splitlines() == LATIN * 5


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_spoilt_paragraph_among_clean_ones_is_put_back_alone(encoding: str) -> None:
    text = "\n".join(CYRILLIC * 20 + [misread(CYRILLIC[1], encoding)] + LATIN * 20)
    ledger = Ledger()
    assert mend_mojibake(text, ledger) == "\n".join(CYRILLIC * 20 + [CYRILLIC[1]] + LATIN * 20)
    assert ledger.changes["mojibake"].count == 1


def test_what_was_lost_for_good_stays_and_the_rest_is_put_back() -> None:
    spoilt = misread("\n".join(LATIN), "cp1250").replace("Ť", "?")
    mended = mend_mojibake(spoilt, Ledger())
    assert mended.split("\n")[0] == LATIN[0].replace("č", "Ä?")


@pytest.mark.parametrize(
    "text",
    ["Les élèves étaient déjà là, près du café.", "Žluťoučký kůň úpěl ďábelské ódy.", "Gewiß hörte er die schöne Müllerin."],
)
def test_other_languages_are_put_back_too(text: str) -> None:
    for encoding in ("cp1252", "cp1250", "latin-1"):
        assert mend_mojibake(misread(text, encoding), Ledger()) == text


@pytest.mark.parametrize(
    ("lines", "encoding", "taken_for"), [(LATIN, "cp1250", "cp1252"), (CYRILLIC, "cp1251", "cp1252"), (CYRILLIC, "cp1251", "cp1250")]
)
def test_a_code_page_that_was_taken_for_another_is_put_back(lines: list[str], encoding: str, taken_for: str) -> None:
    text = "\n".join(lines * 3)
    spoilt = "".join(bytes([byte]).decode(taken_for, errors="ignore") or chr(byte) for byte in text.encode(encoding))
    ledger = Ledger()
    assert spoilt != text
    assert decode(spoilt.encode(), ledger) == text
    assert "had been taken for" in ledger.notices[0]


def test_quotation_marks_that_became_control_characters_are_put_back() -> None:
    text = "\n".join(LATIN)
    spoilt = text.translate({ord(mark): mark.encode("cp1250").decode("latin-1") for mark in "„“—…"})
    assert "\x84" in spoilt
    assert mend_mojibake(spoilt, Ledger()) == text


def test_it_can_be_switched_off() -> None:
    spoilt = misread("\n".join(CYRILLIC), "cp1250")
    assert decode(spoilt.encode(), Ledger(off=["mojibake"])) == spoilt


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(CYRILLIC),
        "\n".join(LATIN),
        "СЈАЈАН ДАН\nВЈЕЋЕ ВЈЕЋА\nРЈЕЧНИК, СЈЕНИЦА, ЂАК",
        "Слово „Đ“ и слово „Đ”, па „Ñ” и „Ä”.",
        "«ÂMES» ET «CHÂTEAUX», «FORÊT»",
        "Ёлка, ВЁСЛА, СЁМГА, ДЁГОТЬ, ЕЁ, её",
        "Ärzte, Äpfel, Ångström, Ñandú, São, Â… Ã— Å“",
        "Şoför Ğ, Ľúbosť Ĺ, Łódź, Đŕ",
        "Le père et la mère très fière de la première élève, près de la rivière; où est-elle, là, déjà? " * 5,
        "Han så på børnene, som legede i gården. Så blev det nat, æblet faldt, og ørnen fløj. " * 5,
        "Það var kvöld og maðurinn sat við gluggann; æðrulaus horfði hann á börnin og þau á hann. " * 5,
        "O coração não tem razão; são três irmãs, e a canção é à noite. Õ, ção, ções. " * 5,
        "Är det så här? Å, vad är det för en ö? Får jag gå nära sjön på måndag? " * 5,
        "Ça c'est très, très près. Après le père, la mère. " * 10,
        "┬─┬ ├──┤ │ ┼ └──┘",
    ],
)
def test_clean_text_is_not_touched(text: str) -> None:
    ledger = Ledger()
    assert mend_mojibake(text, ledger) == text
    assert not ledger.changes


@given(st.lists(st.sampled_from(CYRILLIC + LATIN + ["Ёж и ВЁСЛА", "Ça va très bien, à São Paulo", "Äpfel “Ä” Ñ…"]), max_size=20))
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_no_mixture_of_clean_lines_is_touched(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert mend_mojibake(text, Ledger()) == text


def test_a_long_line_is_put_back_in_reasonable_time() -> None:
    text = " ".join(CYRILLIC[:3]) * 1_000
    assert mend_mojibake(misread(text, "cp1251"), Ledger()) == text


@pytest.mark.slow
def test_no_novel_of_the_shelf_is_touched_in_either_script(shelf: Path) -> None:
    for path in sorted(shelf.glob("*.xml")):
        text = read_book(path).text
        for clean in (text, to_latin(text)):
            ledger = Ledger()
            assert mend_mojibake(clean, ledger) == clean
            assert not ledger.notices
