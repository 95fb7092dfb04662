"""Plain text: which lines are paragraphs, and which are only as wide as the screen was."""

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paznja.corpus.formats import read_book
from paznja.corpus.readers.plain_text import join_wrapped_lines

PARAGRAPHS = [
    "Ово је мост преко кога је прешао сваки становник вароши, некад пешке, некад на колима, а некад на носилима, када више није имао "
    "снаге да се врати истим путем којим је дошао.",
    "— Нисам га видео од оне вечери кад смо вукли скелу — рече скелеџија — а вода је надошла још пре Митровдана, па ко зна где је "
    "сада и да ли ће се икада више појавити међу нама.",
    "Старац је ћутао и гледао у воду која је носила дрвеће, кровове и понеку утопљену овцу, као да чека да му река одговори на питање "
    "које није смео да постави ником живом.",
]
VERSE = ["Ој Дунаве, тиха водо,", "што ти тако мутна течеш,", "или те је јелен мутио,", "или коњи Смиљанића."]


def wrapped(paragraphs: list[str], width: int = 70, indent: str = "") -> str:
    fill = [textwrap.fill(paragraph, width, initial_indent=indent, break_on_hyphens=False) for paragraph in paragraphs]
    return "\n\n".join(fill) + "\n"


@pytest.mark.parametrize("width", [50, 65, 72, 80, 100])
def test_hard_wrapped_paragraphs_become_one_line_each(tmp_path: Path, width: int) -> None:
    path = tmp_path / "most.txt"
    path.write_text(wrapped(PARAGRAPHS, width), encoding="utf-8")
    assert read_book(path).text == "\n".join(PARAGRAPHS) + "\n"


@given(st.lists(st.lists(st.text("абвгдежзик", min_size=1, max_size=11), min_size=60, max_size=90), min_size=3, max_size=8))
def test_any_wrapped_prose_comes_back_as_it_was_before_wrapping(paragraphs: list[list[str]]) -> None:
    prose = [" ".join(words) for words in paragraphs]
    assert [line for line in join_wrapped_lines(wrapped(prose, 72)).split("\n") if line] == prose


def test_a_dash_carried_to_the_start_of_a_line_does_not_end_the_paragraph() -> None:
    texts = [text for width in range(50, 100) if "скелу\n— рече" in (text := wrapped(PARAGRAPHS, width))]
    assert texts
    assert all(PARAGRAPHS[1] in join_wrapped_lines(text) for text in texts)


def test_dialogue_without_empty_lines_between_speakers_is_not_glued_in_wrapped_text() -> None:
    full = "Ушао је у механу, скинуо капу и дуго тражио погледом свог кума."
    text = wrapped(PARAGRAPHS, 66) + f"\n{full}\n— Добар дан!\n— Добар дан и теби.\n"
    assert text.count(full) == 1
    assert f"{full}\n— Добар дан!\n— Добар дан и теби.\n" in join_wrapped_lines(text)


def test_a_poem_in_wrapped_prose_keeps_its_lines() -> None:
    text = wrapped(PARAGRAPHS) + "\n" + "\n".join("    " + line for line in VERSE) + "\n\n" + wrapped(PARAGRAPHS)
    joined = join_wrapped_lines(text)
    assert [line.strip() for line in joined.split("\n") if line.strip()] == PARAGRAPHS + VERSE + PARAGRAPHS


@pytest.mark.parametrize("lines", [VERSE, [line.capitalize() for line in VERSE], [line + " " + line for line in VERSE]])
def test_verse_in_stanzas_keeps_its_lines(lines: list[str]) -> None:
    text = "\n\n".join("\n".join(lines) for _ in range(20))
    assert join_wrapped_lines(text) == text


def test_long_lines_are_paragraphs_with_and_without_empty_lines_between_chapters() -> None:
    text = "ПРВА ГЛАВА\n\n" + "\n".join(PARAGRAPHS) + "\n\nДРУГА ГЛАВА\n\n" + "\n".join(PARAGRAPHS)
    assert join_wrapped_lines(text) == text


def test_a_file_without_empty_lines_keeps_its_lines() -> None:
    text = wrapped(PARAGRAPHS).replace("\n\n", "\n")
    assert join_wrapped_lines(text) == text


def test_short_dialogue_lines_in_blocks_are_not_glued() -> None:
    block = "— Куда ћеш?\n— На пијацу, по лук.\n— А зар ти није доста лука од прошлог пазара, жено божја?\n— Није.\n"
    text = "\n".join([block] * 10)
    assert join_wrapped_lines(text) == text


def test_indented_first_lines_begin_paragraphs_in_wrapped_text() -> None:
    text = wrapped(PARAGRAPHS, indent="    ").replace("\n\n", "\n") + "\n" + wrapped(PARAGRAPHS, indent="    ")
    assert [line.strip() for line in join_wrapped_lines(text).split("\n") if line] == PARAGRAPHS * 2


def test_a_dash_at_the_margin_goes_on_with_its_paragraph_where_dialogue_is_indented() -> None:
    speech = "— Грубо је млевено, али кокошке га хвале. — Она се осмехну, па ослушну. — А шта је оно тамо где се вода тако закашље и стане?"
    texts = [wrapped([*PARAGRAPHS, speech], width, "    ").replace("\n\n", "\n") for width in range(50, 100)]
    texts = [text for text in texts if "ослушну.\n— А шта" in text]
    assert texts
    for text in texts:
        assert [line.strip() for line in join_wrapped_lines(text).split("\n") if line] == [*PARAGRAPHS, speech]


def test_a_word_divided_at_the_end_of_a_line_is_put_together() -> None:
    lines = [
        "Ово је мост преко кога је прешао сваки станов-",
        "ник вароши, некад пешке, некад на колима, а не-",
        "кад на носилима, када више није имао снаге да се",
        "врати истим путем којим је дошао.",
    ]
    text = "\n\n".join(["\n".join(lines)] * 3)
    assert join_wrapped_lines(text).split("\n\n") == [PARAGRAPHS[0]] * 3


def test_text_files_are_read_as_they_are_whatever_their_signs_would_mean_elsewhere(tmp_path: Path) -> None:
    for name in ("b.text", "c.TXT"):
        (tmp_path / name).write_text("# Наслов\r\n\r\nПрви *пасус*.\r\n", encoding="utf-8")
        assert read_book(tmp_path / name).text == "# Наслов\nПрви *пасус*.\n"
