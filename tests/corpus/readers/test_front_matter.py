"""A publisher's pages are recognised by several signs together, and a novel's own words are never taken for them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.contents import Contents
from paznja.corpus.readers.front_matter import without_publishers_pages
from paznja.corpus.readers.tei import read_tei

PAGE = "\f"
CHAPTERS = ["Глава прва", "Био једном један мост.", "Глава друга", "Онда га је однела вода.", "Глава трећа", "Крај."]
IMPRINT = ["Издавач: Обала, Нови Сад", "За издавача: Петар Петровић", "© Милева Ристић, 2001", "ISBN 86-0000-000-0", "Тираж 500"]


def without(lines: list[str], ledger: Ledger | None = None, **properties: str) -> list[str]:
    contents = without_publishers_pages(Contents("\n".join(lines), **properties), ledger or Ledger())
    return [line for line in contents.text.split("\n") if line and line != PAGE]


@pytest.mark.parametrize(
    "entries",
    [
        ["Глава прва", "Глава друга", "Глава трећа"],
        ["Глава прва 5", "Глава друга 17", "ГЛАВА ТРЕЋА 31"],
        ["Глава прва ..... 5", "Глава друга . . . . 17", "Глава трећа………31"],
    ],
)
def test_contents_go_at_the_beginning_and_at_the_end(entries: list[str]) -> None:
    ledger = Ledger()
    assert without(["САДРЖАЈ", *entries, *CHAPTERS], ledger) == CHAPTERS
    assert ledger.changes["contents-pages"].count == 1
    assert without([*CHAPTERS, "Садржај:", *entries]) == CHAPTERS
    assert len(without(["САДРЖАЈ", *entries, *CHAPTERS], Ledger(off=["contents-pages"]))) == 10


def test_numbered_chapters_are_not_lost_with_the_contents() -> None:
    chapters = ["1", "Текст један.", "2", "Текст два.", "3", "Текст три."]
    assert without(["Contents", "1", "2", "3", *chapters]) == chapters
    chapters = ["Глава I", "Текст један.", "Глава II", "Текст два.", "Глава III", "Текст три."]
    assert without(["Садржај", "Глава I", "Глава II", "Глава III", *chapters]) == chapters
    assert without(["Садржај", "Глава I 3", "Глава II 9", "Глава III 20", *chapters]) == chapters


def test_dots_and_rising_page_numbers_are_contents_without_the_word() -> None:
    entries = ["Зора ..... 5", "Подне ..... 17", "Вече ..... 31", "Ноћ ..... 40"]
    assert without([*entries, *CHAPTERS]) == CHAPTERS
    assert without([*entries[:3], *CHAPTERS]) == [*entries[:3], *CHAPTERS]
    assert len(without(["Рекао је... 50", "а онда... 20", "па опет... 10", "и на крају... 5", *CHAPTERS])) == 10


def test_the_word_contents_alone_is_no_table_of_contents() -> None:
    story = ["Садржај", "Писмо је било кратко.", "У њему је писало све.", "Садржај", "био је јасан.", *CHAPTERS]
    assert without(story) == story
    refrain = ["Садржај", *["Тече вода.", "Расте трава.", "Пада вече."] * 4]
    assert without(refrain) == refrain


def test_a_copyright_page_of_its_own_goes_whole() -> None:
    ledger = Ledger()
    assert without(["Скела", PAGE, *IMPRINT, "Нови Сад, на Дунаву", PAGE, *CHAPTERS], ledger) == ["Скела", *CHAPTERS]
    assert ledger.changes["copyright-pages"].examples[0].before.startswith("Издавач: Обала, Нови Сад / За издавача")


def test_a_copyright_notice_without_a_page_of_its_own_goes_line_by_line() -> None:
    assert without(["Скела", *IMPRINT, "Лектура: Ана Анић", *CHAPTERS]) == ["Скела", *CHAPTERS]
    assert without([*CHAPTERS, "CIP – Каталогизација у публикацији", "Народна библиотека", "COBISS.SR-ID 123"]) == CHAPTERS
    english = ["Copyright © 2001 by Mileva Ristic", "All rights reserved. No part of this book may be copied. " * 10, "Printed in Serbia"]
    assert without([*english, *CHAPTERS]) == CHAPTERS


def test_one_sign_alone_or_in_the_middle_of_a_book_is_running_text() -> None:
    story = ["На корици је писало ISBN 86-0000-000-0 и ништа више.", *CHAPTERS, "Издавач је дошао по рукопис."]
    assert without(story) == story
    middle = ["Пасус."] * 100 + IMPRINT + ["Пасус."] * 100
    assert without(middle) == middle


def test_a_page_with_other_books_goes_and_a_scene_with_the_same_words_stays() -> None:
    titles = ["Мост", "Река", "Воденица"]
    assert without(["Од истог писца", *titles, PAGE, *CHAPTERS]) == CHAPTERS
    assert without([*CHAPTERS, PAGE, "Also by Mileva Ristić:", *titles]) == CHAPTERS
    order = [PAGE, "Iz iste edicije", *titles, "Naručite na www.obala.example ili pozovite 011/000-000."]
    assert without([*CHAPTERS, *order]) == CHAPTERS
    assert without([*CHAPTERS, *order, "Бродови су пловили низ реку све до мора."])[-1] == "Бродови су пловили низ реку све до мора."
    scene = ["Од истог писца", "— Шта још имате од њега?", "— Ништа, рекла је књижарка.", PAGE, *CHAPTERS]
    assert without(scene) == [line for line in scene if line != PAGE]
    assert without(["Од истог писца", *titles, *CHAPTERS]) == ["Од истог писца", *titles, *CHAPTERS]


def test_title_and_author_at_the_head_go_if_the_properties_name_them() -> None:
    head = ["Милева Ристић", PAGE, "СКЕЛА"]
    assert without([*head, *CHAPTERS], title="Скела", author="Милева Ристић") == CHAPTERS
    assert without([*head, *CHAPTERS]) == ["Милева Ристић", "СКЕЛА", *CHAPTERS]
    assert without([*CHAPTERS, "Скела"], title="Скела") == [*CHAPTERS, "Скела"]
    assert without(["Скела.", *CHAPTERS], title="Скела") == ["Скела.", *CHAPTERS]
    assert without(["Скела"], title="Скела") == ["Скела"]


def test_a_title_page_goes_whole_and_a_poem_of_the_same_name_stays() -> None:
    page = ["СКЕЛА", "Милева Ристић", "Роман", "Обала", "Нови Сад, 2001", PAGE]
    assert without([*page, *CHAPTERS], title="Скела", author="Милева Ристић") == CHAPTERS
    assert without([*page[:-1], *CHAPTERS], title="Скела", author="Милева Ристић") == [*page[2:-1], *CHAPTERS]
    poem = ["Тече вода испод скеле", "и носи ме тамо", "где ме нема"]
    assert without(["СКЕЛА", *poem, PAGE, *CHAPTERS], title="Скела") == [*poem, *CHAPTERS]


@given(
    st.lists(
        st.sampled_from(["Био једном један мост.", "Глава", "— Да, рече он.", "III", "© 2001", "Садржај", "Тираж", PAGE, ""]), max_size=40
    )
)
def test_what_is_left_is_part_of_the_text_in_its_order(lines: list[str]) -> None:
    left = iter(line for line in lines if line and line != PAGE)
    assert all(line in left for line in without(lines))


@pytest.mark.slow
def test_the_novels_of_the_shelf_are_left_as_they_are(shelf: Path) -> None:
    for path in sorted(shelf.glob("*.xml")):
        contents = Contents(read_tei(path.read_bytes(), Ledger()).text)
        assert without_publishers_pages(contents, Ledger()) == contents
