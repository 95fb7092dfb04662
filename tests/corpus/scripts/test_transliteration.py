"""Serbian from one script to the other."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from paznja.corpus.scripts.transliteration import as_cyrillic, spans_to_leave, to_cyrillic, to_latin

AZBUKA = "абвгдђежзијклљмнњопрстћуфхцчџш"
WORDS = st.text(st.sampled_from(AZBUKA + AZBUKA.upper()), min_size=1)
CAPITALISED = st.text(st.sampled_from(AZBUKA), min_size=1).map(str.capitalize)
LATIN = st.text(st.sampled_from("aeioulnjdžšđčć LNJDŽ.„“\n"))

DIFFICULT = [
    tuple(line.split())
    for line in (Path(__file__).parent / "difficult_words.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def test_there_are_many_difficult_words() -> None:
    assert len(set(DIFFICULT)) == len(DIFFICULT) >= 300


@pytest.mark.parametrize(("cyrillic", "latin"), DIFFICULT, ids=[latin for _, latin in DIFFICULT])
def test_difficult_word_is_right_in_both_directions(cyrillic: str, latin: str) -> None:
    assert to_latin(cyrillic) == latin
    assert to_cyrillic(latin) == cyrillic


@given(WORDS | CAPITALISED | WORDS.map(str.upper))
@example("Љубав")
@example("ЉУБАВ")
@example("КРАЉ")
@example("Џ")
def test_words_in_which_no_two_letters_look_like_one_survive_the_way_to_latin_and_back(word: str) -> None:
    assume(not re.search("лј|нј|дж", word.lower()))
    assert as_cyrillic(to_latin(word)) == word


DIFFICULT_CYRILLIC = st.sampled_from([cyrillic for cyrillic, _ in DIFFICULT if not re.search("[A-Za-z]", cyrillic)])


@given(st.lists(WORDS | CAPITALISED | DIFFICULT_CYRILLIC, min_size=1, max_size=8).map(" ".join))
def test_what_is_not_left_alone_survives_the_way_to_latin_and_back(text: str) -> None:
    assume(not re.search("лј|нј|дж", text.lower()) and not spans_to_leave(to_latin(text)))
    assert to_cyrillic(to_latin(text)) == text


@given(LATIN | WORDS)
def test_converting_twice_is_converting_once(text: str) -> None:
    assert to_latin(to_latin(text)) == to_latin(text)
    assert as_cyrillic(as_cyrillic(text)) == as_cyrillic(text)


@given(WORDS)
def test_text_in_cyrillic_is_not_made_more_so(text: str) -> None:
    assert to_cyrillic(text) == text


@pytest.mark.parametrize(
    ("cyrillic", "latin"),
    [
        ("Ово је мост на Дрини.", "Ovo je most na Drini."),
        ("ЉУБАВ ЊИВА ЏЕП КРАЉ!", "LJUBAV NJIVA DŽEP KRALJ!"),
        ("Њ. В. Краљ", "Nj. V. Kralj"),
        ("Љ. НЕНАДОВИЋ", "LJ. NENADOVIĆ"),
        ("„Љубав“, рече »Ана«.", "„Ljubav“, reče »Ana«."),
        ("Петар I и Карло V живели су у XIX веку.", "Petar I i Karlo V živeli su u XIX veku."),
        ("И ја сам ту. Ви сте ту. ВИ СТЕ ТУ!", "I ja sam tu. Vi ste tu. VI STE TU!"),
        ("У XX-ом веку В. Петровић и И. Марић", "U XX-om veku V. Petrović i I. Marić"),
        ("Прошао је 5 km и купио 2 kg соли.", "Prošao je 5 km i kupio 2 kg soli."),
        ("Пиши на ana@mail.rs или www.novine.rs, у pismu.txt није.", "Piši na ana@mail.rs ili www.novine.rs, u pismu.txt nije."),
        ("Без CO2 и H2O нема живота.", "Bez CO2 i H2O nema života."),
        ("New York и Washington су далеко.", "New York i Washington su daleko."),
        ("Cogito ergo sum, рече професор.", "Cogito ergo sum, reče profesor."),
        ("C'est la vie, одговори она, а к'о да не зна.", "C'est la vie, odgovori ona, a k'o da ne zna."),
        ("L’amour, toujours l’amour, уздахну госпођа.", "L’amour, toujours l’amour, uzdahnu gospođa."),
        ("Питао је: „Was wollen Sie von mir?“ и отишао.", "Pitao je: „Was wollen Sie von mir?“ i otišao."),
        ("Рекла је да „it was the best of times“ значи нешто.", "Rekla je da „it was the best of times“ znači nešto."),
        ("Дуго су седели vis à vis.", "Dugo su sedeli vis à vis."),
    ],
)
def test_sentences_hold_both_ways(cyrillic: str, latin: str) -> None:
    assert to_latin(cyrillic) == latin
    assert to_cyrillic(latin) == cyrillic


def test_roman_numerals_in_cyrillic_letters_become_latin_ones() -> None:
    assert to_latin("у ХХ веку, ХI глава") == "u XX veku, XI glava"


def test_single_character_digraphs_and_separate_accents_are_read_as_their_letters() -> None:
    assert to_cyrillic("ǉubav ǈubav Ǉ ǌ ǆep c\u030caša") == "љубав Љубав Љ њ џеп чаша"


def test_letters_that_serbian_has_not_stay() -> None:
    assert to_cyrillic("qwxy 12 мост — why?") == "qwxy 12 мост — why?"


def test_letters_out_of_use_are_read_in_latin() -> None:
    assert to_latin("врѣме, човѣкъ, краль") == "vrěme, čověk, kral"
    assert to_cyrillic("vrěme") == "врѣме"


def test_dj_is_one_letter_where_it_stands_for_it_and_two_where_it_does_not() -> None:
    latin = "Medju nama odjednom nadje Djordje predmet, podjednako. Djevojka vidje gdje je djed. DJAVO, djak, odjek, gospodja."
    cyrillic = "Међу нама одједном нађе Ђорђе предмет, подједнако. Дјевојка видје гдје је дјед. ЂАВО, ђак, одјек, госпођа."
    assert to_cyrillic(latin, dj=True) == cyrillic
    assert to_cyrillic("Djordje, djevojka", dj=False) == "Ђордје, дјевојка"


def test_a_line_without_an_end_is_no_problem() -> None:
    start = time.perf_counter()
    assert to_cyrillic("mostwx " * 30_000).count("mostwx") == 30_000
    assert to_cyrillic("a" * 300_000) == "а" * 300_000
    assert to_cyrillic("vodamost" * 30_000) == "водамост" * 30_000
    assert time.perf_counter() - start < 20
