"""A book as clean text, and what is known about it. Its text is in memory, or in a file that is read whenever the text is needed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paznja.corpus.ledger import Change
from paznja.errors import NoBooks

Sketch = NDArray[np.uint64]
"""The hashes of some stretches of the text; see `duplicates.sketch_of`."""

NO_SKETCH: Sketch = np.empty(0, dtype=np.uint64)


@dataclass(frozen=True)
class Book:
    """One book; each line of its text is a paragraph, and the last line ends with a newline too."""

    title: str
    """The title in the file, or the file's name without its suffix if it has none."""
    author: str
    """Given name first; several authors are separated by ", "; empty if unknown."""
    language: str
    """As the file gives it ("sr", "sr-Cyrl", ...); empty if unknown."""
    path: Path
    sha256: str
    """Of the file's bytes, or of the member's bytes in an archive; in hexadecimal."""
    text_or_path: str | Path
    """The text, or the file that contains it."""
    characters: int
    script: str = "other"
    """ "cyrillic", "latin" or "other"."""
    cyrillic: float = 0.0
    """The share of Cyrillic among its Latin and Cyrillic letters, before any conversion."""
    serbian: bool = False
    """Whether it is in Serbian, so that its script can be converted."""
    converted_from: str = ""
    """The script that it was in before it was converted; empty if it was not."""
    format: str = ""
    """The file's suffix without its dot."""
    member: str = ""
    """The name within an archive; empty if the file is not an archive."""
    part: str = ""
    """"beginning" or "end" if a book had to be divided into training and held-out text; otherwise empty."""
    notices: tuple[str, ...] = ()
    """What the user should know about the book, in whole sentences."""
    changes: Mapping[str, Change] = field(default_factory=dict)
    """What each rule left out or repaired, by the rule's name."""
    sketch: Sketch = field(default_factory=lambda: NO_SKETCH, compare=False, repr=False)

    @property
    def text(self) -> str:
        """The whole text; NoBooks if the file that contains it is gone."""
        if isinstance(self.text_or_path, str):
            return self.text_or_path
        try:
            return self.text_or_path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise NoBooks(f"the prepared text of {self.path.name} was deleted while it was needed; run the command again") from None

    def rewritten(self, text: str | Path, characters: int, script: str, notices: Iterable[str], changes: Mapping[str, Change]) -> "Book":
        """The same book with another text in this script, and with further notices and changes."""
        return replace(
            self,
            text_or_path=text,
            characters=characters,
            script=script,
            converted_from=self.script if script != self.script else "",
            notices=(*self.notices, *notices),
            changes={**self.changes, **changes},
        )

    @property
    def file(self) -> str:
        """The file's name, followed by the member's name if the file is an archive."""
        return f"{self.path.name}/{self.member}" if self.member else self.path.name


@dataclass(frozen=True)
class Unreadable:
    """A file, or a member of an archive, that could not be read, and the reason, in words that a person can act on."""

    path: Path
    reason: str
    fault: str = ""
    """The traceback, if the fault is paznja's and not the file's; empty once it is in the log (`faults`)."""
    passing: bool = False
    """Whether another attempt may succeed: with a later version of paznja, or with more memory."""
