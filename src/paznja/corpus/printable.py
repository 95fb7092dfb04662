"""Text from outside (names of files, titles, reasons) as it may be shown: nothing in it that a terminal would obey."""

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # letters and emoji are put together with them


def printable(text: object) -> str:
    """On one line; control characters, marks that turn the direction of writing, and bytes that were no text as <U+001B>."""
    return "".join(
        f"<U+{ord(character):04X}>" if unicodedata.category(character) in _HIDDEN and character not in _JOINERS else character
        for character in str(text)
    )
