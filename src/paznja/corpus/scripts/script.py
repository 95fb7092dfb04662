"""Serbian's two scripts: which one a text is in."""

import unicodedata
from typing import Literal

import numpy as np

Script = Literal["cyrillic", "latin", "other"]

_LETTERS_LOOKED_AT = 1_000_000


def script_of(text: str) -> Script:
    """The script that most of the text's letters are in; "other" when they are in a third one, or when there are none.

    Of a text longer than a million characters about a million are looked at, evenly spaced.
    """
    letters = _letters(text)
    if letters["cyrillic"] > max(letters["latin"], letters["other"]):
        return "cyrillic"
    return "latin" if letters["latin"] > letters["other"] else "other"


def cyrillic_share(text: str) -> float:
    """How much of the text's Latin and Cyrillic letters is Cyrillic, of a long text as above; 0 where there are none."""
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
