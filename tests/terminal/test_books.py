"""The table of a shelf in narrow terminals; what it says is in the tests of `paznja books`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.terminal.screens import in_terminal, screen

from paznja.corpus.scripts.transliteration import to_latin


@pytest.mark.parametrize("width", [40, 60, 80, 100, 119])
def test_narrow_terminals_get_a_line_a_book_and_its_remarks_under_it(books: Path, cache: Path, width: int) -> None:
    story = min(books.iterdir())
    text = story.read_text(encoding="utf-8")
    (books / "Дугачак наслов књиге о мосту преко широке и брзе реке у планини.txt").write_text(text[::-1], encoding="utf-8")
    story.write_bytes(to_latin(text).encode("cp1250"))
    lines = screen(in_terminal(["books", str(books), "--cache", str(cache)], width))
    assert all(len(line.rstrip()) <= width for line in lines)
    rows = [line.rstrip() for line in lines if line.rstrip().endswith(("training", "held-out"))]
    assert len(rows) == 6
    if width > 40:
        assert len({line.rindex(line.split()[-1]) for line in rows}) == 1
        assert len({re.search(r"[0-9,]+(?=  \w+)", line).end() for line in rows}) == 1  # type: ignore[union-attr]
    name = next(number for number, line in enumerate(lines) if line.startswith(story.stem))
    remark = lines[name + 1 + (width == 40)]
    assert remark.startswith("    Converted to Cyrillic from Latin")
