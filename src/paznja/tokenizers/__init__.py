"""Text to ids and back. Knows nothing of models.

`Tokenizer` is what every kind offers; `load_tokenizer` reads the `tokenizer.json` of a run, whatever its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.uint16]


class Tokenizer(Protocol):
    """Any kind of tokenizer: decode(encode(text)) == text for every text in Unicode's normal form C."""

    kind: str
    """The kind's name in settings: "characters"."""

    @property
    def size(self) -> int:
        """How many ids there are (the model's vocabulary)."""
        ...

    @property
    def num_writable(self) -> int:
        """How many of the ids, counted from 0, are whole characters or words of the training books: only these are generated."""
        ...

    @property
    def newline(self) -> int:
        """The id of a line's end. Every text that is scored has one before its first token."""
        ...

    def encode(self, text: str) -> Ids:
        """The ids of a text."""
        ...

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """The text of ids; bytes that are not UTF-8 become U+FFFD."""
        ...

    def count_characters(self, ids: Ids) -> int:
        """How many characters begin within these ids."""
        ...

    def unknown_characters(self, text: str) -> list[str]:
        """The characters of a text that have no id of their own, each once, in order."""
        ...

    def to_json(self) -> str:
        """The tokenizer as a `tokenizer.json` that the Hugging Face `tokenizers` library can load."""
        ...


def learn_tokenizer(kind: str, texts: Iterable[str]) -> Tokenizer:
    """A tokenizer of this kind for these training texts.

    Raises:
        WrongUse: there is no such kind.
    """
    from paznja.errors import WrongUse
    from paznja.tokenizers.characters import CharacterTokenizer

    if kind != CharacterTokenizer.kind:
        raise WrongUse(f"There is no tokenizer {kind!r}; there is 'characters'.")
    return CharacterTokenizer.learn(texts)


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer that is stored in this file.

    Raises:
        RunError: the file is missing, or is not a tokenizer of paznja's.
    """
    from paznja.errors import RunError
    from paznja.tokenizers.characters import CharacterTokenizer

    try:
        return CharacterTokenizer.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} is missing: without its tokenizer the model cannot be used. Copy the whole run folder.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is not a tokenizer that this version of paznja knows ({error}).") from None
