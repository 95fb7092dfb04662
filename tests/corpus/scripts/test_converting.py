"""Whole books converted from one script to the other, and letters repaired in them."""

import pytest

from paznja.corpus.ledger import Ledger
from paznja.corpus.scripts.archaic import modernise
from paznja.corpus.scripts.converting import convert
from paznja.corpus.scripts.homoglyphs import mend_homoglyphs
from paznja.corpus.scripts.transliteration import to_latin

NOVEL = "Његова мајка је рано устала и отишла по воду.\nБио је то леп дан, и ђаци су ишли у школу кроз шуму.\n" * 20
RUSSIAN = "Это был длинный день, и они пошли домой через лес.\n"
MACEDONIAN = "Мајката стана рано и отиде по вода, а ќерката спиеше и чекаше ѓеврек.\n"
ENGLISH = "The mother got up early in the morning and went to the river for water.\n"
SLOVENE = "Mati je vstala zgodaj in šla po vodo, ker so bili otroci še v postelji.\n"
GERMAN = "Die Mutter ist früh aufgestanden und hat das Wasser von dem Fluss geholt.\n"


def test_a_book_goes_to_the_other_script_and_back_and_it_is_said() -> None:
    there, back = Ledger(), Ledger()
    assert convert(convert(NOVEL, "latin", there), "cyrillic", back) == NOVEL
    assert "words were converted from Cyrillic to Latin script" in there.notices[0]
    assert "words were converted from Latin to Cyrillic script" in back.notices[0]


@pytest.mark.parametrize("script", ["cyrillic", "keep"])
def test_a_book_in_the_script_that_is_wanted_stays(script) -> None:
    ledger = Ledger()
    assert convert(NOVEL, script, ledger) == NOVEL
    assert not ledger.notices


@pytest.mark.parametrize(
    ("book", "script"),
    [(RUSSIAN, "latin"), (MACEDONIAN, "latin"), (ENGLISH, "cyrillic"), (SLOVENE, "cyrillic"), (GERMAN, "cyrillic")],
)
def test_a_book_in_another_language_keeps_its_script(book: str, script) -> None:
    ledger = Ledger()
    assert convert(book * 20, script, ledger) == book * 20
    assert "not in Serbian" in ledger.notices[0]


def test_passages_in_other_languages_keep_their_script() -> None:
    assert convert(NOVEL + RUSSIAN, "latin", Ledger()) == to_latin(NOVEL) + RUSSIAN
    ledger = Ledger()
    assert convert(to_latin(NOVEL) + ENGLISH + GERMAN, "cyrillic", ledger) == NOVEL + ENGLISH + GERMAN
    assert "that are not Serbian were left as they are" in ledger.notices[0]


def test_a_chapter_in_the_other_script_is_converted_and_a_foreign_phrase_is_not() -> None:
    chapter = "Nije znao šta će reći, pa je ćutao i gledao kroz prozor.\n"
    phrase = "Рекао је: „corpus delicti“, и Was wollen Sie?\n"
    expected = NOVEL + "Није знао шта ће рећи, па је ћутао и гледао кроз прозор.\n" + phrase
    assert convert(NOVEL + chapter + phrase, "cyrillic", Ledger()) == expected


def test_latin_without_hooks_is_kept_with_a_reason() -> None:
    book = "Nije znao sta ce reci, pa je cutao i gledao kroz prozor.\n" * 80
    ledger = Ledger()
    assert convert(book, "cyrillic", ledger) == book
    assert "without the letters č" in ledger.notices[0]


def test_a_book_that_writes_dj_is_told_from_one_that_has_both_letters() -> None:
    ledger = Ledger()
    old = "Medju njima je bila i gospodja, koja odjednom dodje i sedne pod šljivu.\n" * 20
    assert convert(old, "cyrillic", ledger).startswith("Међу њима је била и госпођа, која одједном дође")
    assert any("đ as dj" in notice for notice in ledger.notices)
    ijekavian = "Djevojka dođe među djecu, gdje je djed sjedio i čekao nju.\n" * 20
    assert convert(ijekavian, "cyrillic", Ledger()).startswith("Дјевојка дође међу дјецу, гдје је дјед")
    without = "Djevojka i djeca su bila gdje je djed čekao.\n" * 20
    assert convert(without, "cyrillic", Ledger()).startswith("Дјевојка и дјеца су била гдје је дјед")


@pytest.mark.parametrize(
    ("damaged", "mended"),
    [("пођe", "пође"), ("Heће", "Неће"), ("ристијaнина", "ристијанина"), ("Addiо", "Addio"), ("ХIХ", "XIX"), ("сâм", "са\u0302м")],
)
def test_letters_that_only_look_right_are_repaired(damaged: str, mended: str) -> None:
    ledger = Ledger()
    assert mend_homoglyphs(f"{NOVEL}И {damaged} тада.\n", ledger) == f"{NOVEL}И {mended} тада.\n"
    change = ledger.changes["homoglyphs"]
    assert (change.count, change.examples[0].before, change.examples[0].after) == (1, damaged, mended)


def test_a_latin_book_is_mended_towards_latin() -> None:
    assert mend_homoglyphs(to_latin(NOVEL) + "Rekао je.", Ledger()) == to_latin(NOVEL) + "Rekao je."


@pytest.mark.parametrize("word", ["ГлаваX", "nа", "Мавиš", "ХХ", "c-дур", "a", "XIX", "Weber"])
def test_what_may_be_meant_is_not_changed(word: str) -> None:
    ledger = Ledger()
    assert mend_homoglyphs(f"{NOVEL}И {word} тада.", ledger) == f"{NOVEL}И {word} тада."
    assert not ledger.changes


def test_old_letters_and_accents_become_todays() -> None:
    ledger = Ledger()
    old = "То врѣме и човѣкъ, краль умрьо; ви̓те он, свико̑ на руку и сѝ.\n"
    assert modernise(NOVEL + old, ledger) == NOVEL + "То време и човек, краљ умро; ви’те он, свико на руку и си.\n"
    assert ledger.changes["archaic"].count == 5
    assert ledger.changes["accents"].count == 3


def test_an_accent_goes_from_a_serbian_word_and_stays_in_a_french_one() -> None:
    latin = to_latin(NOVEL)
    assert (
        modernise(latin + "On sâm kaže: „vous êtes bêtes tous les trois“.\n", Ledger())
        == latin + "On sam kaže: „vous êtes bêtes tous les trois“.\n"
    )


def test_russian_lines_keep_their_old_letters() -> None:
    line = "Онъ былъ человѣкъ и любилъ я.\n"
    ledger = Ledger()
    assert modernise(NOVEL + line, ledger) == NOVEL + line
    assert not ledger.changes


@pytest.mark.parametrize("rule", ["homoglyphs", "accents", "archaic"])
def test_a_rule_that_is_off_changes_nothing(rule: str) -> None:
    text = {"homoglyphs": "пођe", "accents": "свико̑", "archaic": "врѣме"}[rule]
    assert modernise(mend_homoglyphs(NOVEL + text, Ledger(off=[rule])), Ledger(off=[rule])) == NOVEL + text
