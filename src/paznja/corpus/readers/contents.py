"""What a reader takes out of one file: the contract between the table of formats and the readers behind it."""

from collections.abc import Callable
from typing import NamedTuple

from paznja.corpus.ledger import Ledger


class Contents(NamedTuple):
    """A file's text and what it says about itself, before cleaning. An empty string means that the file does not say."""

    text: str
    title: str = ""
    author: str = ""
    language: str = ""


Reader = Callable[[bytes, Ledger], Contents]
"""From a file's bytes to its contents, what is left out noted in the ledger; raises `paznja.errors.UnreadableBook` with the reason."""
