"""Signs that are the same in both scripts: Roman numerals, units of measure, chemical formulas, addresses on the net, file names."""

import re

_NUMERAL = re.compile(r"(?<![\w'’])(?=[IVXLCDM])M{0,3}(?:C[MD]|D?C{0,3})(?:X[CL]|L?X{0,3})(?:I[XV]|V?I{0,3})(?![\w'’])")
_WORDS = frozenset("C D L M MI DI DIV MD MDI CD DC MM CI DL CL MC CV DV MV LV MIX".split())
"""Numerals that no book has many of; initials, words and abbreviations."""
_AMBIGUOUS = frozenset("I V VI LI LIV".split())
"""Numerals that are as often a word or an initial."""
_THING = "glava deo dio knjiga knjizi sveska poglavlje čin pojava pevanje pjevanje tom slika odeljak odjeljak broj razred razredu vek veku vijek vijeku".split()
_THING_BEFORE = re.compile(rf"\b(?:{'|'.join(_THING)}) $", re.IGNORECASE)
_THING_AFTER = re.compile(rf"\.? (?:(?:{'|'.join(_THING)})\b|sv(?:j?et)sk\w+ rat)", re.IGNORECASE)
_NO_LETTERS = re.compile(r"[\W\d_]*")
_HEADING = re.compile(r"(?:\.|\)| [—–-]) ?\w[^.!?:;…]{2,60}")
_CAPITALS = re.compile(r"(?<![^\W\d_])[^\W\d_a-zčćšžđ]{2,}(?![^\W\d_])")
_LAST_WORD = re.compile(r"([^\W\d_]+) $")

_SIGNS = re.compile(
    r"""(?:https?://|www\.)[^\s„“”»«<>"]+
    | (?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}
    | (?<![\w-])[\w-]{1,80}(?:\.[\w-]{1,80}){0,3}\.(?:com|org|net|rs|yu|hr|ba|me|eu|txt|pdf|docx?|odt|rtf|epub|html?|xml|zip|exe|jpe?g|png|gif|mp3|mp4)\b(?!\.\w)
    | (?<=\d)\ ?(?:[kcdmµn]m[²³23]?|[mk]g|dkg|[mdch]l|[kMG]?Hz|[kM]?Wh?|[kMG]B|[kM]?J|[kM]?V|°\ ?[CF])(?!\w)
    | (?<!\w)(?:[A-Z][a-z]?\d{1,3}){1,6}(?:[A-Z][a-z]?\d{0,3}){0,6}(?!\w)
    | (?<!\w)(?:[A-Z][a-z]?){1,3}\d{1,3}(?:[A-Z][a-z]?\d{0,3}){0,6}(?!\w)
    | (?<!\w)(?:USA|UK|BBC|CNN|IBM|PDF|HTML|HTTP|URL|USB|GPS|PDF|DVD|CD|PC|MP3|NaCl|NaOH|HCl|pH)(?!\w)
    """,
    re.VERBOSE,
)


def sign_spans(text: str) -> list[tuple[int, int]]:
    """Where such signs stand in a Serbian text in Latin script, from one character to before another, in order."""
    spans = [sign.span() for sign in _SIGNS.finditer(text)]
    spans += (numeral.span() for numeral in _NUMERAL.finditer(text) if numeral[0] and _is_numeral(numeral))
    return sorted(spans)


def _is_numeral(numeral: re.Match[str]) -> bool:
    """Whether letters that could be a Roman numeral are one, and not the word I or VI, or an initial such as V."""
    if numeral[0] not in _AMBIGUOUS:
        return numeral[0] not in _WORDS
    text, start, end = numeral.string, numeral.start(), numeral.end()
    before = text[max(start - 40, 0) : start].rpartition("\n")[2]
    after = text[end : end + 70].partition("\n")[0]
    at_the_beginning = not before.strip() and len(before) < 40
    if at_the_beginning and _NO_LETTERS.fullmatch(after):
        return True
    if _THING_BEFORE.search(before) or _THING_AFTER.match(after):
        return True
    if any(not _NUMERAL.fullmatch(word) for word in _CAPITALS.findall(before[-25:] + " " + after[:25])):
        return False
    if numeral[0] not in "IV":
        return True
    if at_the_beginning:
        return numeral[0] == "I" and _HEADING.fullmatch(after) is not None
    last = _LAST_WORD.search(before)
    if last is None or re.match(r" ?[-—–…]|\.\.", after):
        return False
    if after.startswith("."):
        return last[1][0].isupper() and re.match(r"\. [a-zčćšžđ]", after) is not None
    return True
