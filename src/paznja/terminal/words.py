"""Words for several screens: characters made visible, commands to type, files that were not read."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from paznja.corpus.printable import printable
from paznja.table import counted

if TYPE_CHECKING:
    from paznja.corpus.book import Unreadable
    from paznja.run import Run


def visible(character: str) -> str:
    """A character made visible: a space as ␣, a line end as ⏎."""
    return {" ": "␣", "\n": "⏎"}.get(character, character)


def quoted(word: str, *, windows: bool = os.name == "nt") -> str:
    """A word quoted so that the shell passes it on unchanged."""
    if re.fullmatch(r"[\w@%+=:,./\\-]+" if windows else r"[\w@%+=:,./-]+", word):
        return word
    return '"' + word.replace('"', '\\"') + '"' if windows else shlex.quote(word)


def as_typed(run: Run) -> str:
    """What to type to name the run: its name, and its folder with --out unless that is `runs`."""
    name = quoted(run.name)
    return name if run.path.parent == Path("runs") else f"{name} --out {quoted(str(run.path.parent))}"


def program() -> str:
    """What to type to start the program: `paznja` if the shell finds it, otherwise the path to it."""
    if shutil.which("paznja") is not None:
        return "paznja"
    called = Path(sys.argv[0])
    return f"{quoted(Path(sys.executable).name)} -m paznja" if called.name == "__main__.py" else quoted(str(called))


def print_unreadable(unreadable: Sequence[Unreadable], *, most: int | None = None) -> None:
    """Print which files were not read and why, on standard error, in at most `most` lines."""
    shown = len(unreadable) if most is None or len(unreadable) <= most else most - 1
    lines = [f"Not read: {printable(bad.path)}: {printable(bad.reason)}" for bad in unreadable[:shown]]
    if shown < len(unreadable):
        lines.append(f"Not read: {counted(len(unreadable) - shown, 'more file')}; --verbose names them all.")
    with suppress(BrokenPipeError):
        for line in lines:
            print(line, file=sys.stderr, flush=True)
