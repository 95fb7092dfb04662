"""Markdown: its marks are removed, every word stays."""

import time

import pytest

from paznja.corpus.cleaning.cleaning import clean
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.markdown import read_markdown


def text(source: str, ledger: Ledger | None = None) -> str:
    return clean(read_markdown(source.encode(), ledger or Ledger()).text)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# Глава прва\n\nТекст.", "Глава прва\nТекст.\n"),
        ("Глава\n=====\n\nТекст.", "Глава\nТекст.\n"),
        ("## Глава {#g1 .unnumbered}\n\nТекст.", "Глава\nТекст.\n"),
        ("Био је *један* **цар** и __царица__ и ~~нико~~.", "Био је један цар и царица и нико.\n"),
        ("Реч_са_цртама и 3 * 4 * 5 и 2\\*3.", "Реч_са_цртама и 3 * 4 * 5 и 2*3.\n"),
        ("Види [мост](http://a.rs 'Наслов') и <http://a.rs> и [реку][1].\n\n[1]: http://b.rs", "Види мост и http://a.rs и реку.\n"),
        ("Пре ![слика моста](m.jpg) после.", "Пре после.\n"),
        ("> Писмо.\n>\n> > Одговор.", "Писмо.\nОдговор.\n"),
        ("Пре\n\n```python\nx = 1\ny = 2\n```\n\nи `код`.", "Пре\nx = 1\ny = 2\nи код.\n"),
        ("Пре\n\n---\n\nпосле", "Пре\nпосле\n"),
        ("| Место | Година |\n|---|---:|\n| Пакра | 100 |", "Место Година\nПакра 100\n"),
        ("* лук\n* со\n\n1. први\n2. други", "лук\nсо\n1. први\n2. други\n"),
        ("1914. године почео је рат.", "1914. године почео је рат.\n"),
        ("- Јеси ли ту?\n- Јесам - рече он.", "- Јеси ли ту?\n- Јесам - рече он.\n"),
        ("— Јеси ли ту?\n\n— Јесам.", "— Јеси ли ту?\n— Јесам.\n"),
        ("    Пасус увучен четири места.\n\n    И други.", "Пасус увучен четири места.\nИ други.\n"),
        ("Стих један\\\nстих два  \nстих три", "Стих један\nстих два\nстих три\n"),
        ("| Стих један\n| стих два\n\nПроза.", "Стих један\nстих два\nПроза.\n"),
        ("Ред<br>други <b>дебео</b><!-- тајна -->.\n\n<div>\n<p>Из <i>HTML</i>-а.</p>\n</div>", "Ред\nдруги дебео.\nИз HTML-а.\n"),
        ("::: {.poem}\nСтих.\n:::\n\nA &amp; B &scaron;", "Стих.\nA & B š\n"),
    ],
)
def test_marks_go_and_words_stay(source: str, expected: str) -> None:
    assert text(source) == expected


def test_notes_go_whole_and_are_noted() -> None:
    source = (
        "На столу[^1], а^[уметнуто] затим.[^дуга]\n\n[^1]: Прва напомена\nу два реда.\n\n[^дуга]: Друга.\n\n    Њен други пасус.\n\nКрај."
    )
    ledger = Ledger()
    assert text(source, ledger) == "На столу, а затим.\nКрај.\n"
    assert ledger.changes["notes"].count == 5
    assert "Прва напомена" in text(source, Ledger(off=["notes"]))


def test_lines_as_wide_as_a_screen_are_joined_and_short_ones_are_kept() -> None:
    prose = "Ово је прича о скелеџији који је тридесет година превозио људе\nпреко реке и није научио да плива, јер се вода њега плашила.\n"
    verse = "Тече вода, тече,\nтрава зелена,\nа на води вече.\n"
    joined = prose.replace("\n", " ").strip() + "\n"
    assert text(prose + "\n" + verse + "\n" + prose) == joined + verse + joined


def test_paragraphs_of_a_line_each_without_empty_lines_are_kept() -> None:
    paragraphs = "Прва реченица прича о реци и о мосту, и дуга је. " * 4 + "\n" + "Друга прича о скели и људима који је вуку. " * 4 + "\n"
    assert text(paragraphs) == clean(paragraphs)


def test_a_list_of_links_to_the_chapters_is_the_contents() -> None:
    source = "- [Један](#a)\n- [Два](#b)\n- [Три](#c)\n\n# Један\n\nА.\n\n# Два\n\nБ.\n\n# Три\n\nВ."
    assert text(source) == "Један\nА.\nДва\nБ.\nТри\nВ.\n"
    assert text(source, Ledger(off=["contents-pages"])).startswith("Један\nДва\nТри\nЈедан\nА.\n")


def test_title_author_and_language_come_from_the_properties() -> None:
    properties = "---\ntitle: 'Скела: роман'\nauthor:\n  - Милева Ристић\n  - Ана Анић\nlang: sr\n---\n\nТекст."
    contents = read_markdown(properties.encode(), Ledger())
    assert contents[1:] == ("Скела: роман", "Милева Ристић, Ана Анић", "sr")
    assert clean(contents.text) == "Текст.\n"
    contents = read_markdown("% Скела\n% Милева Ристић\n\nТекст.".encode(), Ledger())
    assert (contents.title, contents.author, clean(contents.text)) == ("Скела", "Милева Ристић", "Текст.\n")


def test_without_its_rule_a_file_is_read_as_plain_text() -> None:
    assert text("# Глава *прва*", Ledger(off=["markdown-marks"])) == "# Глава *прва*\n"


@pytest.mark.parametrize("piece", ["[", "*а ", "`", "<", "![", "> ", "- ", "| a ", "[^", "_*", "\\", "{#", "[a](", "&"])
def test_a_hundred_thousand_marks_are_read_without_a_long_wait(piece: str) -> None:
    start = time.process_time()
    text(piece * 100_000)
    assert time.process_time() - start < 10
