"""Text from outside (file names, titles, error messages) made safe to show: without anything that controls a terminal."""

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # they hold letters and emoji together


def printable(text: object) -> str:
    """The text on one line; control characters, marks that change the direction of writing, and broken bytes become <U+001B>."""
    return "".join(
        f"<U+{ord(character):04X}>" if unicodedata.category(character) in _HIDDEN and character not in _JOINERS else character
        for character in str(text)
    )
