"""Which of Serbian's two scripts a text is in."""

import unicodedata
from typing import Literal

import numpy as np

Script = Literal["cyrillic", "latin", "other"]

_LETTERS_LOOKED_AT = 1_000_000


def script_of(text: str) -> Script:
    """The script of most of the text's letters; "other" if that is a third script, or if there are no letters.

    In a text of more than a million characters, about a million are inspected, evenly spaced.
    """
    letters = _letters(text)
    if letters["cyrillic"] > max(letters["latin"], letters["other"]):
        return "cyrillic"
    return "latin" if letters["latin"] > letters["other"] else "other"


def cyrillic_share(text: str) -> float:
    """The share of Cyrillic among the text's Latin and Cyrillic letters, inspected as in `script_of`; 0 if there are none."""
    letters = _letters(text)
    return letters["cyrillic"] / max(1, letters["cyrillic"] + letters["latin"])


def _letters(text: str) -> dict[str, int]:
    looked_at = text[:: 1 + len(text) // _LETTERS_LOOKED_AT].encode("utf-32-le", "surrogatepass")
    counts = np.bincount(np.frombuffer(looked_at, dtype="<u4"))
    letters = {"other": 0, "latin": 0, "cyrillic": 0}
    for codepoint in np.flatnonzero(counts).tolist():
        if chr(codepoint).isalpha():
            name = unicodedata.name(chr(codepoint), "")
            script = "cyrillic" if name.startswith("CYRILLIC") else "latin" if name.startswith("LATIN") else "other"
            letters[script] += int(counts[codepoint])
    return letters
