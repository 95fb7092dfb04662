"""Serbian's two scripts."""

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from paznja.corpus.script import script_of, to_cyrillic, to_latin

AZBUKA = "абвгдђежзијклљмнњопрстћуфхцчџш"
WORDS = st.text(st.sampled_from(AZBUKA + AZBUKA.upper()), min_size=1)
CAPITALISED = st.text(st.sampled_from(AZBUKA), min_size=1).map(str.capitalize)


@given(WORDS | CAPITALISED | WORDS.map(str.upper))
@example("Љубав")
@example("ЉУБАВ")
@example("КРАЉ")
@example("Џ")
def test_cyrillic_words_survive_the_way_to_latin_and_back(word: str) -> None:
    assume(not re.search("лј|нј|дж", word.lower()))
    assert to_cyrillic(to_latin(word)) == word


@pytest.mark.parametrize(
    ("cyrillic", "latin"),
    [
        ("Ово је мост на Дрини.", "Ovo je most na Drini."),
        ("Љубав, њива, џеп", "Ljubav, njiva, džep"),
        ("ЉУБАВ ЊИВА ЏЕП КРАЉ!", "LJUBAV NJIVA DŽEP KRALJ!"),
        ("Њ. В. Краљ", "Nj. V. Kralj"),
        ("ћуп, чаша, ђак, жаба, шума", "ćup, čaša, đak, žaba, šuma"),
    ],
)
def test_the_table_of_letters_holds_both_ways(cyrillic: str, latin: str) -> None:
    assert to_latin(cyrillic) == latin
    assert to_cyrillic(latin) == cyrillic


def test_single_character_digraphs_and_separate_accents_are_read_as_their_letters() -> None:
    assert to_cyrillic("ǉubav ǈubav Ǉ ǌ ǆep c\u030caša") == "љубав Љубав Љ њ џеп чаша"


def test_what_is_not_serbian_stays() -> None:
    assert to_latin("ѣ ы 12 „мост“ — why?") == "ѣ ы 12 „most“ — why?"
    assert to_cyrillic("qwxy 12 мост") == "qwxy 12 мост"


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Ово је мост, rekao je.", "cyrillic"),
        ("Ovo je most, рекао је.", "latin"),
        ("Αυτή είναι μια γέφυρα, most", "other"),
        ("12. 3. 1852 — ???", "other"),
        ("", "other"),
    ],
)
def test_the_script_is_the_one_of_most_letters(text: str, script: str) -> None:
    assert script_of(text) == script


def test_the_script_of_a_long_text_is_found_from_a_part_of_it_that_is_spread_over_the_whole() -> None:
    assert script_of("abc " * 300_000 + "мост " * 400_000) == "cyrillic"
