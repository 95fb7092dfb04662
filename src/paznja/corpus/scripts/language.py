"""Whether a text is in Serbian (or Bosnian, Croatian, Montenegrin), so that changing its script makes sense."""

import re
from collections import Counter

from paznja.corpus.pieces import words
from paznja.corpus.scripts.foreign import foreignness
from paznja.corpus.scripts.script import script_of

_WORD = re.compile(r"[^\W\d_]+")
_CYRILLIC_OF_OURS = "јљњђћџЈЉЊЂЋЏ"
_CYRILLIC_OF_OTHERS = "ыэщяюйёіїєґўѓќЫЭЩЯЮЙЁІЇЄҐЎЃЌ"
_LATIN_OF_OURS = words("i u su od što šta kao nije koji koja sam bio bila ili ali iz po kad ako gdje gde samo više jer ću će")
_LATIN_OF_NEIGHBOURS = words(
    "in v so ki kot sem tudi ker pri ni bil že by jsem jako který však byl som ktorý ako w się nie jest że z był jak"
)
_ENOUGH = 500_000


def is_serbian(text: str) -> bool:
    """Whether a text in either script is Serbian, by the script that most of it is in."""
    script = script_of(text)
    return is_serbian_cyrillic(text) if script == "cyrillic" else script == "latin" and is_serbian_latin(text)


def is_serbian_cyrillic(text: str) -> bool:
    """Whether the Cyrillic in a text can be Serbian: it has more letters that only Serbian has than letters that only others have.

    A text without either is taken for Serbian. Macedonian, which shares most of Serbian's letters, has ѓ and ќ in the place of ђ and ћ.
    """
    text = text[:_ENOUGH]
    ours = sum(map(text.count, _CYRILLIC_OF_OURS))
    others = sum(map(text.count, _CYRILLIC_OF_OTHERS))
    return ours >= others and sum(map(text.count, "ѓќЃЌ")) <= sum(map(text.count, "ђћЂЋ"))


def is_serbian_latin(text: str) -> bool:
    """Whether a text in Latin script is Serbian, judging by which letters follow each other and by its common words."""
    counts = Counter(_WORD.findall(text[:_ENOUGH]))
    evidence = sum(foreignness(word) * count for word, count in counts.items())
    ours = sum(counts[word] for word in _LATIN_OF_OURS)
    neighbours = sum(counts[word] for word in _LATIN_OF_NEIGHBOURS)
    return evidence < 0 and ours >= neighbours
