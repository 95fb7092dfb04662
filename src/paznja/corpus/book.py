"""A book as clean text, and what is known of it. Its text is in memory, or in a file that is read each time it is asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paznja.corpus.ledger import Change
from paznja.errors import NoBooks

Sketch = NDArray[np.uint64]
"""See `duplicates`."""

NO_SKETCH: Sketch = np.empty(0, dtype=np.uint64)


@dataclass(frozen=True)
class Book:
    """One book: a paragraph a line, the last one ended by a newline too."""

    title: str
    """The file's name without its suffix where the file names no title."""
    author: str
    """Given name first; several are separated by ", "; empty if unknown."""
    language: str
    """As the file says it ("sr", "sr-Cyrl", ...); empty if unknown."""
    path: Path
    sha256: str
    """Of the file's bytes, in hexadecimal; of the member's, in an archive."""
    held: str | Path
    """The text, or the file that it is in."""
    characters: int
    script: str = "other"
    """ "cyrillic", "latin" or "other"."""
    cyrillic: float = 0.0
    """How much of its Latin and Cyrillic letters was Cyrillic when it was read."""
    serbian: bool = False
    """Whether it is in Serbian, so that its script can be changed."""
    converted_from: str = ""
    """The script that it was in, if it was brought to another one."""
    format: str = ""
    """The file's suffix without its dot."""
    member: str = ""
    """The name within an archive."""
    part: str = ""
    """"beginning" or "end" where one book had to be divided into training and held-out; else empty."""
    notices: tuple[str, ...] = ()
    """What the user should know, in whole sentences."""
    changes: Mapping[str, Change] = field(default_factory=dict)
    """What each rule left out or mended, by its name."""
    sketch: Sketch = field(default_factory=lambda: NO_SKETCH, compare=False, repr=False)

    @property
    def text(self) -> str:
        """The whole text; NoBooks if the file that it is in has gone."""
        if isinstance(self.held, str):
            return self.held
        try:
            return self.held.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise NoBooks(f"the prepared text of {self.path.name} was deleted while it was needed; run the command again") from None

    def rewritten(self, text: str | Path, characters: int, script: str, notices: Iterable[str], changes: Mapping[str, Change]) -> "Book":
        """The book with another text, in this script, and what was said and done on the way to it."""
        return replace(
            self,
            held=text,
            characters=characters,
            script=script,
            converted_from=self.script if script != self.script else "",
            notices=(*self.notices, *notices),
            changes={**self.changes, **changes},
        )

    @property
    def file(self) -> str:
        """The file's name, and the member's if it is an archive."""
        return f"{self.path.name}/{self.member}" if self.member else self.path.name


@dataclass(frozen=True)
class Unreadable:
    """A file, or a part of an archive, that could not be read, and why, in words that a person can act on."""

    path: Path
    reason: str
    fault: str = ""
    """The traceback, where it is a fault of paznja and not of the file, until it stands in the log (`faults`)."""
    passing: bool = False
    """Whether the same file may be read the next time: by a mended paznja, or with more memory."""
