"""What a reader gets out of one file: the interface between the table of formats and the readers."""

from collections.abc import Callable
from typing import NamedTuple

from paznja.corpus.ledger import Ledger


class Contents(NamedTuple):
    """A file's text and what the file says about itself, before cleaning; an empty string if the file does not say."""

    text: str
    title: str = ""
    author: str = ""
    language: str = ""


Reader = Callable[[bytes, Ledger], Contents]
"""Reads a file's contents from its bytes, and notes in the ledger what it leaves out; raises `paznja.errors.UnreadableBook`."""
