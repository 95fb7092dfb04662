"""Recognising the code page of eight-bit text by what reads as language.

Every code page is tried on a sample. A reading is scored by its characters above ASCII: how common they are in the language
in which they are most common, and whether they are in places where such characters occur. ASCII shows nothing, since it reads the
same in all code pages.
"""

import math
import re
from collections import Counter
from functools import cache
from itertools import islice

CODE_PAGES = {
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
    "cp1252": "Windows-1252",
    "iso8859-2": "ISO 8859-2",
    "iso8859-5": "ISO 8859-5",
    "cp852": "CP852",
    "cp855": "CP855",
    "cp866": "CP866",
    "koi8-r": "KOI8-R",
    "mac_cyrillic": "MacCyrillic",
    "mac_croatian": "MacCroatian",
    "mac_latin2": "Mac Central European",
}
"""Python's name and the usual name of each code page that can be recognised; where two read the same, the first wins."""

# How many bits ahead a rarer code page, or a language other than Serbian, must be to win; this decides only about a line or two.
_RARER = {"cp1252": 1.0, "iso8859-2": 1.0, "iso8859-5": 1.0, "cp852": 2.0, "cp855": 2.0, "cp866": 3.0, "koi8-r": 3.0}
_RAREST = 6.0
_FOREIGN = 3.0
_DECLARED = 0.5  # bits a character by which a reading may be worse if the file itself claims it

_SLICE, _SLICES = 1_024, 16
_FEW = 400
_WORST_READING, _MANY, _WORST_READING_OF_MANY = -8.0, 60, -6.0  # bits a character; from `_MANY` characters on, a better one is needed

# The letters beyond ASCII in some languages, the most frequent first.
_LANGUAGES = {
    "Serbian, Cyrillic": "аоеинсутрдмвкјлпгбзшчћцњхжљђфџ",
    "Macedonian": "аоеитнсрвдклпмзујгбшчцжњфхќџѓљѕ",
    "Russian": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
    "Bulgarian": "аиоентрсвлкдпмзгъубчщжцйхяюшфь",
    "Ukrainian": "оанівтиерслкудмпязьгйбчхжцшюїщєфґ",
    "Serbian, Latin": "čšžćđ",
    "Czech": "íáěéřčžšýůúťňďó",
    "Slovak": "áíčýéšžúťľôňďäóŕĺ",
    "Polish": "ęąłóżśćńź",
    "Hungarian": "áéöóőíüúű",
    "Romanian": "ăîşţâșț",
    "German": "üäöß",
    "French": "éèàêçâôùîûœëï",
    "Spanish": "óíáéñúü¡¿",
    "Italian": "èàùòìé",
    "Portuguese": "ãçáéíóêõúâôà",
    "Swedish": "äåöé",
    "Danish": "åøæé",
    "Estonian": "äõüöšž",
    "Icelandic": "áíðéóöúþæý",
    "Catalan": "óèéàçòïíúü",
}
_STEEPNESS = 3.5  # the natural logarithm of the ratio of the first letter's frequency to the last one's
_MARKS = "–—„“”»«’‘…\N{NO-BREAK SPACE}"
_RARE_MARKS = "§°©®™€£•·‚‹›×½²³№´\N{SOFT HYPHEN}"
_LETTERS_SHARE, _MARKS_SHARE, _RARE_MARKS_SHARE = 0.75, 0.24, 0.01

_OTHER_LETTER, _OTHER_MARK, _NEVER = math.log2(1e-4), math.log2(2e-5), math.log2(1e-6)
_ABOVE_ASCII = bytes(range(128, 256))
_HIGH = re.compile("[^\x00-\x7f]+")
_FROM_HIGH_ON = re.compile(rb"[\x80-\xff]\S{0,20}\s?")
_BEFORE = 20
_LATIN, _CYRILLIC = "A-Za-zÀ-ÖØ-öø-ɏ", "Ѐ-ӿ"
_LOWER = "a-zß-öø-ÿąăćčďđęěĺľłńňőœŕřśšşșťţțůűźžżіа-яѐ-џґ"
_UPPER = "A-ZÀ-ÖØ-ÞĄĂĆČĎĐĘĚĹĽŁŃŇŐŒŔŘŚŠŞȘŤŢȚŮŰŹŽŻА-ЯЀ-ЏҐ"
_OUT_OF_PLACE = [
    (re.compile(f"[{_LOWER}][{_UPPER}]"), 6.0),
    (re.compile(f"[{_UPPER}]{{2}}[{_LOWER}]"), 4.0),
    (re.compile(f"[{_LATIN}][{_CYRILLIC}]|[{_CYRILLIC}][{_LATIN}]"), 8.0),
    (re.compile(f"(?<=[{_LATIN}{_CYRILLIC}])[^\x00-\x7f{_LATIN}{_CYRILLIC}’–—…\\xad](?=[{_LATIN}{_CYRILLIC}])"), 6.0),
    (re.compile(f"[–—…»”](?=[{_LOWER}])(?<=[{_LATIN}{_CYRILLIC}].)"), 1.0),
]
"""What is rare in any language, and its cost in bits: a capital after a small letter, two scripts in a word, a mark inside a word."""


def recognise(data: bytes, declared: str | None = None) -> str | None:
    """Python's name of the code page in which the bytes read best as language; None if they read badly in all.

    Only a sample is looked at. `declared`: the code page that the file claims, which wins if it reads about as well.
    """
    sample = _sample(data)
    scores = {code_page: reading_score(sample.decode(code_page, errors="replace"), _handicap(code_page)) for code_page in CODE_PAGES}
    best = max(scores, key=lambda code_page: scores[code_page])
    if declared in scores and scores[declared] > scores[best] - _DECLARED:
        best = declared
    many = len(sample) - len(sample.translate(None, _ABOVE_ASCII)) >= _MANY
    return best if scores[best] > (_WORST_READING_OF_MANY if many else _WORST_READING) else None


def reading_score(text: str, handicap: float = 0.0) -> float:
    """How well the characters above ASCII read as language: the mean log2 of their probabilities, less the cost of what is misplaced.

    `handicap`: bits to take off the sum.
    """
    counts = Counter("".join(_HIGH.findall(text)).lower())
    if not counts:
        return 0.0
    best = max(
        sum(_log(language, character) * count for character, count in counts.items()) - _FOREIGN * (not language.startswith("Serbian"))
        for language in _LANGUAGES
    )
    penalty = sum(len(pattern.findall(text)) * bits for pattern, bits in _OUT_OF_PLACE)
    return (best - penalty - handicap) / counts.total()


def _handicap(code_page: str) -> float:
    return 0.0 if code_page in ("cp1250", "cp1251") else _RARER.get(code_page, _RAREST)


def _sample(data: bytes) -> bytes:
    if len(data) <= _SLICE * _SLICES:
        return data
    step = (len(data) - _SLICE) // (_SLICES - 1)
    slices = b"\n".join(data[start : start + _SLICE] for start in range(0, step * _SLICES, step))
    if len(slices) - len(slices.translate(None, _ABOVE_ASCII)) >= _FEW:
        return slices
    # The text is mostly ASCII: take the characters above it, wherever they are.
    matches = islice(_FROM_HIGH_ON.finditer(data), 4 * _FEW)
    return b"\n".join(data[max(match.start() - _BEFORE, 0) : match.end()] for match in matches)


def _log(language: str, character: str) -> float:
    known = _probabilities(language).get(character)
    if known is not None:
        return known
    if character == "\ufffd" or not character.isprintable() or "\u2500" <= character <= "\u25ff":
        return _NEVER
    return _OTHER_LETTER if character.isalpha() else _OTHER_MARK


@cache
def _probabilities(language: str) -> dict[str, float]:
    letters = _LANGUAGES[language]
    weights = [math.exp(-_STEEPNESS * rank / len(letters)) for rank in range(len(letters))]
    known = {letter: math.log2(_LETTERS_SHARE * weight / sum(weights)) for letter, weight in zip(letters, weights, strict=True)}
    known |= {mark: math.log2(_MARKS_SHARE / len(_MARKS)) for mark in _MARKS}
    return known | {mark: math.log2(_RARE_MARKS_SHARE / len(_RARE_MARKS)) for mark in _RARE_MARKS}
