"""The rules of cleaning, one at a time and all together."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paznja.corpus.cleaning.cleaning import clean, clean_book
from paznja.corpus.cleaning.notices import without_notices
from paznja.corpus.formats import read_book
from paznja.corpus.ledger import RULES, Ledger
from paznja.corpus.readers.tei import read_tei

STORY = "Мост је стајао на реци. Зар није? Зато су га волели.\n" * 4

CASES: dict[str, list[tuple[str, str]]] = {
    "soft-hyphens": [("пре\u00adко ре\u00adке", "преко реке")],
    "ligatures": [("oﬃcir i ﬁlm, ﬂota i aﬀera", "officir i film, flota i affera")],
    "odd-spaces": [("на\u00a0реци\u2009стоји\u202fмост", "на реци стоји мост")],
    "invisible-characters": [("мо\u200bст\u0007 на \ufeffреци", "мост на реци")],
    "misread-digits": [
        ("— 3ар? Зар већ?", "— Зар? Зар већ?"),
        ("на м0сту. Он је на мосту", "на мосту. Он је на мосту"),
        ("Био је 3АТВОР на углу, а затвор је затвор", "Био је ЗАТВОР на углу, а затвор је затвор"),
        ("dok je reka tek1a, tekla je", "dok je reka tekla, tekla je"),
        ("и рече 3она, а Зона је ту", "и рече Зона, а Зона је ту"),
    ],
    "comma-quotes": [
        (",,Дођи“, рече.", "„Дођи“, рече."),
        ("Рече: ,,Дођи'' и ,,Остани”.", "Рече: „Дођи” и „Остани”."),
        ("Рече: ''Дођи.'' И оде, „он“.", "Рече: „Дођи.“ И оде, „он“."),
    ],
    "scan-noise": [("Мост |¦^~ је стајао.", "Мост је стајао."), ("Мост.\n^ ~ .\nРека.", "Мост.\nРека.")],
    "broken-words": [("Ста- новник је становник.", "Становник је становник.")],
    "library-notices": [
        ("Дигитализовано у Народној библиотеци 2011.\n" + STORY, STORY.rstrip()),
        (STORY + "Skenirao: Pera, www.primer.rs\nSkenirala Mara Marić", STORY.rstrip()),
        (STORY + "Преузето са https://sr.wikisource.org/wiki/Мост", STORY.rstrip()),
    ],
}


@pytest.mark.parametrize(("rule", "before", "after"), [(rule, *case) for rule, cases in CASES.items() for case in cases])
def test_each_rule_mends_what_it_is_for_says_so_and_can_be_switched_off(rule: str, before: str, after: str) -> None:
    ledger = Ledger()
    assert clean_book(before, ledger) == after + "\n"
    assert set(ledger.changes) == {rule}
    assert ledger.changes[rule].examples
    off = Ledger(off=[rule])
    assert clean_book(before, off) != after + "\n"
    assert rule not in off.changes


@pytest.mark.parametrize(
    "text",
    [
        "2га маја 1848е године, 1ви пут.",
        "А3 папир и MP3 запис; H2O, 3ег октобра.",
        "Стајао је,, а онда је пао.",
        "Ах, ил’ вила, ил’ ’Рвати, к’о 'вако.",
        "* * *",
        "- - - - - -",
        "........",
        "Рекао је... па је отишао?!...",
        "===",
        "ǅиџа, ǉубав и ǌива",
        "У селу ***, године 18**.",
        "Пре- и послератни писци.",
        "Извор је пресушио, а вода је дошла преко Google мапе.",
        "Скенирао сам погледом собу.",
    ],
)
def test_text_that_is_right_stays_as_it_is(text: str) -> None:
    ledger = Ledger()
    assert clean_book(STORY + text + "\n" + STORY, ledger) == STORY + text + "\n" + STORY
    assert not ledger.changes


def test_project_gutenbergs_licence_is_left_out() -> None:
    begins = "The Project Gutenberg EBook of Most\nThis eBook is for the use of anyone anywhere\n"
    begins += "*** START OF THIS PROJECT GUTENBERG EBOOK MOST ***\n"
    ends = "End of the Project Gutenberg EBook of Most\n*** END OF THIS PROJECT GUTENBERG EBOOK MOST ***\nLicence, clause one.\n"
    ledger = Ledger()
    assert clean(without_notices(begins + STORY + ends, ledger)) == STORY
    assert ledger.changes["library-notices"].count == 2


def test_words_of_a_notice_in_the_middle_of_a_book_stay() -> None:
    text = STORY * 200 + "Скенирао: Пера\n" + STORY * 200
    assert without_notices(text, Ledger()) == text


def test_two_rules_that_are_off_leave_their_signs_and_the_others_go_on() -> None:
    text = "пре\u00adко\u00a0реке\u200b"
    assert clean_book(text, Ledger(off=["soft-hyphens", "odd-spaces"])) == "пре\u00adко\u00a0реке\n"


@given(st.text(max_size=60) | st.text(st.sampled_from("аb03,'‘- \n\u00ad\u00a0ﬁ|^~.—„3ар"), max_size=60))
def test_cleaning_a_book_twice_with_nothing_to_mend_is_cleaning_it_once(text: str) -> None:
    ledger = Ledger()
    first = clean_book(text, ledger)
    assert first == clean(first)
    if not ledger.changes:
        assert first == clean(text)


def test_every_rule_here_is_in_the_list_of_rules() -> None:
    assert set(CASES) <= set(RULES)


def test_long_runs_of_any_sign_take_no_time() -> None:
    for sign in "-,'.|^~3а \u00ad_*0,":
        for text in (sign * 300_000, (sign + " ") * 150_000, (sign + "\n") * 150_000, ("а" + sign) * 150_000, ("а" + sign + " ") * 100_000):
            start = time.process_time()
            clean_book(text, Ledger())
            assert time.process_time() - start < 3, repr(text[:6])


def test_a_book_from_a_file_goes_through_the_rules(tmp_path: Path) -> None:
    (tmp_path / "most.txt").write_text("Дигитализовано 2011.\n\n" + STORY + ",,3ар?“, oﬁcir", encoding="utf-8")
    assert read_book(tmp_path / "most.txt").text == STORY + "„Зар?“, oficir\n"


@pytest.mark.parametrize("name", ["SRP19080_ModernoRoblje.xml", "SRP18932_"])
def test_a_novel_of_the_shelf_is_left_nearly_alone(shelf: Path, name: str) -> None:
    path = next(shelf.glob(f"{name}*"))
    text = clean(read_tei(path.read_bytes(), Ledger()).text)
    ledger = Ledger()
    clean_book(text, ledger)
    assert sum(change.characters for change in ledger.changes.values()) < 0.0005 * len(text)
