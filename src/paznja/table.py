"""The table that the program is judged by: generated text, iteration, time. As Markdown for a file, and its parts for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_MARKS = re.compile(r"[\\|`*_~<>&$\[\]]")  # signs with a meaning in Markdown


def markdown_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows of `samples.jsonl` ("prompt", "text", "iteration", "seconds") as a Markdown table."""
    lines = ["| Generated text | iteration | time |", "|---|---:|---:|"]
    for row in rows:
        text = _MARKS.sub(r"\\\g<0>", one_line(row["prompt"] + row["text"]))
        lines.append(f"| {text} ... | {row['iteration']} | {duration(row['seconds'])} |")
    return "\n".join(lines) + "\n"


def one_line(text: str) -> str:
    """The text on one line, with " / " for line ends, as verse is quoted."""
    return " / ".join(part.strip() for part in text.strip().split("\n") if part.strip())


def duration(seconds: float) -> str:
    """A time as a person would say it: 0.4 s, 20 s, 10 min, 2 h 5 min, 3 days 4 h."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if seconds < 600 and round(seconds) % 60:
        return f"{round(seconds) // 60} min {round(seconds) % 60} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} {'day' if days == 1 else 'days'}" + (f" {hours} h" if hours else "")


def count(number: float) -> str:
    """A large number as a person would say it: 950, 12 thousand, 23.7 million, 1.2 billion."""
    for size, word in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        # A number that would round up to 1000 thousand is 1.0 million; below ten thousand all digits are worth saying.
        if number >= max(0.9995 * size, 1e4):
            scaled = number / size
            return f"{scaled:.1f} {word}" if scaled < 99.95 and word != "thousand" else f"{scaled:.0f} {word}"
    return f"{number:,.0f}"


def counted(number: int, thing: str, things: str | None = None) -> str:
    """1 book, 2 books, 1,000 books; `things` is the plural, if that is not just an s."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"


def some_of(names: Sequence[str], most: int = 5) -> str:
    """The first of them, and how many more there are: a, b, c, d, e and 12 more."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def file_size(size: float) -> str:
    """Bytes on disk as a person would say them: 12 kB, 3.4 MB, 1.2 GB."""
    for unit, word in ((1e9, "GB"), (1e6, "MB")):
        if size >= 0.9995 * unit:
            return f"{size / unit:.1f} {word}"
    return f"{size / 1e3:.0f} kB"
