"""Words divided at the end of a line, and words broken within one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paznja.corpus.cleaning.divided import JOIN, join_divided, mend_broken
from paznja.corpus.ledger import Ledger


def joined(text: str, ledger: Ledger | None = None) -> str:
    return join_divided(text.replace("/", JOIN), ledger or Ledger())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("сваки станов-/ник вароши", "сваки становник вароши"),
        ("svaki stanov¬/nik varoši", "svaki stanovnik varoši"),
        ("сваки станов\u00ad/ник вароши", "сваки становник вароши"),
        ("филм је црно-/бели, а црно-бели су и снови", "филм је црно-бели, а црно-бели су и снови"),
        ("црно-/белог филма, а црно-бели су и снови", "црно-белог филма, а црно-бели су и снови"),
        ("један је црно-/бели, други је био црно мастило и бели папир", "један је црно-бели, други је био црно мастило и бели папир"),
        ("купио је по-/ново, поново и опет", "купио је поново, поново и опет"),
        ("две-/три речи", "две-три речи"),
        ("за дан-/два, кад-/тад, полако-/полако", "за дан-два, кад-тад, полако-полако"),
        ("рече сес-/три", "рече сестри"),
        ("Марија Андрић-/Станковић", "Марија Андрић-Станковић"),
        ("ГЛА-/ВА ПРВА", "ГЛАВА ПРВА"),
        ("рат 1914-/1918. године", "рат 1914-1918. године"),
        ("на-пред-/назад се креће, а напред-назад нема", "на-предназад се креће, а напред-назад нема"),
    ],
)
def test_a_hyphen_at_the_end_of_a_line_is_the_printers_unless_the_book_or_a_capital_says_otherwise(text: str, expected: str) -> None:
    assert joined(text) == expected


def test_each_joined_word_is_noted_with_what_stands_around_it() -> None:
    ledger = Ledger()
    joined("Ту је сваки станов-/ник вароши.", ledger)
    change = ledger.changes["divided-words"]
    assert change.count == 1
    assert (change.examples[0].before, change.examples[0].after) == ("станов-\nник", "становник")
    assert (change.examples[0].left, change.examples[0].right) == ("Ту је сваки ", " вароши.")


def test_the_rule_off_leaves_the_hyphen() -> None:
    assert joined("станов-/ник", Ledger(off=["divided-words"])) == "станов-ник"


@given(st.text("абв-¬\u00ad/ \n", max_size=40))
def test_no_mark_of_a_line_end_is_left(text: str) -> None:
    assert JOIN not in joined(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Нај- боље је било кад је најбоље.", "Најбоље је било кад је најбоље."),
        ("bro- ken, a zna se da je broken", "broken, a zna se da je broken"),
        ("пре- и послератни, а прей није", "пре- и послератни, а прей није"),
        ("по- том. Он зна по том, и потом", "по- том. Он зна по том, и потом"),
        ("рече- он", "рече- он"),
        ("Мустафа- Паша, мустафапаша", "Мустафа- Паша, мустафапаша"),
    ],
)
def test_a_broken_word_is_mended_only_where_the_book_knows_the_whole_and_not_the_parts(text: str, expected: str) -> None:
    ledger = Ledger()
    assert mend_broken(text, ledger) == expected
    assert ("broken-words" in ledger.changes) == (text != expected)
    assert mend_broken(text, Ledger(off=["broken-words"])) == text
