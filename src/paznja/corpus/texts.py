"""The books of a shelf as plain text files."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path

from paznja.corpus.corpus import Corpus
from paznja.disk import why_not_a_name, writing_to
from paznja.errors import WrongUse


def write_texts(corpus: Corpus, folder: str | Path) -> int:
    """Write the books' texts into a new folder, one file each; returns how many. WrongUse if there is something in the folder."""
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WrongUse(f"{folder} exists and is not an empty folder; name a new one with --out.")
    taken: set[str] = set()
    with writing_to(folder, "--out"):
        folder.mkdir(parents=True, exist_ok=True)
        for book in corpus.books:
            stem = _good_on_every_system(Path(book.file.replace("/", " - ")).stem) + (f" ({book.part})" if book.part else "")
            name = next(name for name in chain([stem], (f"{stem} {number}" for number in count(2))) if name.casefold() not in taken)
            taken.add(name.casefold())
            (folder / f"{name}.txt").write_text(book.text, encoding="utf-8", newline="\n")
    return len(taken)


def _good_on_every_system(stem: str) -> str:
    """The name, or one like it that Windows allows too, where the texts may be read as well."""
    if not why_not_a_name(stem):
        return stem
    allowed = "".join("_" if character in '<>:"/\\|?*' or ord(character) < 32 else character for character in stem)
    return allowed if not why_not_a_name(allowed) else f"{allowed}_"
