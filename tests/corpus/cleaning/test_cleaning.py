"""What a text looks like after cleaning."""

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paznja.corpus.cleaning.cleaning import clean, compose

ANY_TEXT = st.text(st.characters(), max_size=60)
DIRT = st.text(
    st.sampled_from("аbе \n\r\t\u00a0\u2003\u00ad\u200b\ufeff\u0301\u030c\u0344\u1161\u11a8가\u09c7\u09be\u2028\x00\x0c"), max_size=30
)


@given(ANY_TEXT | DIRT)
@example("e\u00ad\u0301")
@example("\u2000 \u0301")
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(ANY_TEXT | DIRT)
def test_clean_text_is_nfc_without_control_characters_or_double_spaces(text: str) -> None:
    cleaned = clean(text)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in cleaned if character != "\n")
    assert all(line and line == line.strip(" ") and "  " not in line for line in cleaned.split("\n")[:-1])
    assert cleaned == "" or (cleaned.endswith("\n") and not cleaned.startswith("\n"))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | DIRT)
def test_quick_composition_equals_unicode_nfc(text: str) -> None:
    assert compose(text) == unicodedata.normalize("NFC", text)


def test_every_single_character_and_every_accented_letter_composes_as_unicode_says() -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    text = " ".join(characters)
    assert compose(text) == unicodedata.normalize("NFC", text)
    accented = " ".join(unicodedata.normalize("NFD", character) for character in characters)
    assert compose(accented) == unicodedata.normalize("NFC", accented)


def test_newlines_of_every_system_separate_paragraphs_and_empty_lines_go() -> None:
    assert clean("\r\n\r\nПрви.\r\n \t\r\nДруги.\rТрећи.\u2028Четврти.\n\n\n") == "Први.\nДруги.\nТрећи.\nЧетврти.\n"


def test_odd_spaces_become_one_space_and_line_ends_are_bare() -> None:
    assert clean("  Ово\u00a0 је\t\tмост \u2003 \n  преко\u202fреке  ") == "Ово је мост\nпреко реке\n"


def test_soft_hyphens_zero_width_marks_and_control_characters_are_taken_out_of_words() -> None:
    assert clean("\ufeffмо\u00adст\u200bо\u200dви\x07 \u202aреке\u202c\x00\ufffc") == "мостови реке\n"


def test_letter_and_accent_become_one_character_even_with_a_soft_hyphen_between() -> None:
    assert clean("c\u030cas c\u00ad\u030cas и\u0306") == "čas čas й\n"


@pytest.mark.parametrize("nothing", ["", " ", "\n\n", "\u200b\ufeff", "\t \r\n"])
def test_text_of_nothing_but_dirt_is_empty(nothing: str) -> None:
    assert clean(nothing) == ""


def test_two_and_a_half_million_characters_are_cleaned_in_a_second() -> None:
    text = "  Ово\u00a0је мост,  а оно\u00ad је река — рече он.\r\n\r\n" * 60_000
    start = time.process_time()
    clean(text)
    assert time.process_time() - start < 1  # on an idle machine it takes a tenth of that
