"""Text to ids and back. Knows nothing of models.

`Tokenizer` is what every kind offers; `KINDS` has them all; `load_tokenizer` reads a run's `tokenizer.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from paznja.errors import RunError, WrongUse

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


class Kind(Protocol):
    """A class of tokenizers of one kind."""

    def learn(self, texts: Iterable[str]) -> Tokenizer:
        """A tokenizer for these training texts."""
        ...

    def from_json(self, text: str) -> Tokenizer:
        """Read what the tokenizer's `to_json` wrote; ValueError, KeyError or TypeError for anything else."""
        ...


def _characters() -> Kind:
    from paznja.tokenizers.characters import CharacterTokenizer

    return CharacterTokenizer


KINDS: Mapping[str, Callable[[], Kind]] = {"characters": _characters}
"""Every kind of tokenizer by its name in settings; its class is imported when it is used."""


def learn_tokenizer(kind: str, texts: Iterable[str]) -> Tokenizer:
    """A tokenizer of this kind for these training texts; WrongUse if there is no such kind."""
    if kind not in KINDS:
        raise WrongUse(f"There is no tokenizer {kind!r}; there is {' or '.join(map(repr, KINDS))}.")
    return KINDS[kind]().learn(texts)


def load_tokenizer(path: Path, kind: str) -> Tokenizer:
    """The tokenizer of this kind that is stored in this file; RunError if it is missing or damaged, or the kind is unknown."""
    if kind not in KINDS:
        raise RunError(
            f"{path} is a tokenizer of the kind {kind!r}, which this version of paznja does not know: use the version that made it."
        )
    try:
        return KINDS[kind]().from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} is missing: without its tokenizer the model cannot be used. Copy the whole run folder.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is not a tokenizer that this version of paznja knows ({error}).") from None
