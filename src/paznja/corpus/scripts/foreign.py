"""What stays in Latin script when Serbian becomes Cyrillic: passages in other languages, Roman numerals, units, internet addresses.

Foreign words are recognised by which letters follow each other, weighed over whole passages: a rare pair of letters among Serbian words
is not enough, while the same pair in a line of German is.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import resources

from paznja.corpus.pieces import different_words, words

Span = tuple[int, int]
"""Where something begins and ends in a text, in characters."""


_WORD = re.compile(r"[^\W\d_]+")
_PIECE = re.compile(r"[^\W\d_]+|[^\w\s'’-]|[-–—](?=\s)")
_SERBIAN_LETTERS = frozenset("abcčćdđefghijklmnoprsštuvzž")
_NEVER_SERBIAN = re.compile("[qwxyæœßøłþðıåãõñçäëïöüÿőűřůťďňľĺąęśźżń]|^à$")

# Common words of English, German, French, Italian and Latin that are not words of Serbian in any case or person.
_FOREIGN = words(
    """
    the and of that this with for from have has had was were are you your they their there what when which would could should will not
    but her him she our yes very into about been who how my is it its miss lady death love good night morning dear mister great here
    der die das und ist nicht ich sie mit dem ein eine einen einer auf für von zu auch es wir ihr mein meine mich dich dir sich sind wie
    aber noch nach bei bin hast habe haben wenn kein keine herr herrn gott guten gute wo uns nichts sehr liebe lieber kinder ach
    le les une est vous nous pour dans qui que quel pas sur avec tout toute vie mais mon votre elle ils sont suis ce cette mes ses dieu
    moi toi oui monsieur madame mademoiselle mesdames chez sans cher chère amour coeur faire voir bonjour adieu enfants petit deux
    che non sono della delle gli come questo quella quando amore mia bene signor signora signore donna molto bella ogni perché
    et est cum sed ex quod quo hoc haec nec atque omnia mea mecum tua sua sunt esse deus nobis vobis non nihil semper bellum pax
    tempora mores mutantur corpus ipso facto vis nostra noster nostri gloria dominus homines sapienti
    cogito ergo populi carpe diem nolens volens grata vivendi operandi gratia medias delicti libitum veritas
    fugit verba volant manent dixit errare humanum caesar morituri salutant memento rerum novarum urbi orbi
    """
)
# Common words of Serbian without č, ć, đ, š or ž: they are no sign of a foreign passage, whatever their letters.
_SERBIAN = words(
    """
    od za na iz kao sam nije nisam bio bila bilo ali ili kad kako koji koja koje sve samo onda tako ovo ono ovaj onaj ona oni mu joj nam
    vam ga ih njega njoj nego pred pod nad kod bez oko preko posle poslije opet tada sada ovde tamo gde neka neko niko alah alaha sine
    aha hm hej oh uh ah eh ih oj haj joj jao itd smo ste sami sama sad jer veoma vrlo dok ako celo ceo lep lepo lepa ima nema bude budu
    kad ta taj tom toga tome tim tih kog kome drugo druge drugi jedan jedna jedno dva tri dve dan dana gospodin gospodine brate pa te
    profesor profesore profesora arhimandrit arhimandrita
    reče rekao rekla veli kaže kazao dobro zar evo eto gle dakle naš naša moj moja moje svoj svoje čovek bog boga bože madmoazel
    """
)
# Short words of Serbian that other languages have too: they may be inside a foreign passage, but not at its beginning or end.
_AT_HOME_IN_BOTH = words("a i u o e s da se je na no to on jer sad si pa te ti mi vi ni ne li su sa po do me mu ga bi il al")
# Letters that never follow each other in Serbian, but often do in other languages.
_NEVER_TOGETHER = re.compile(r"^(?=.*[aeiou]).*(?:ck(?!i)|ch|th|ph|gh|ss|ff|tt|nn|mm|pp|cc|oo(?=.)|eau|ieu|oui)")
_DRAWN_OUT = re.compile(r"(.)\1\1")
_NUMERAL = re.compile("[IVXLCDM]+")

_AT_AN_EDGE = 4
"""Bits of evidence that are needed to begin or end a foreign passage at a stop, a bracket, a quotation mark or the end of a line."""
_AMONG_WORDS = 8
"""Bits of evidence that are needed to begin or end a foreign passage between two words."""
_ACROSS_AN_EDGE = 2
"""Bits of evidence that are needed to continue a passage beyond a stop."""
_SUSPICIOUS = 6
"""A word with at least this many bits of evidence makes its line worth a closer look."""
_STRONGEST, _WEAKEST = 14, -10
_CERTAIN = 9
"""A word with at least this many bits of evidence is foreign even among Serbian words, if it has letters that are never together there."""
_LONGEST_LINE = 10_000


def foreign_spans(text: str) -> list[Span]:
    """The passages and words of a Serbian text in Latin script that are in other languages, in order.

    A passage is a run of words in one line. Its evidence is the sum of its words' (`foreignness`); it must outweigh the cost of
    beginning and ending a passage, and the passage must contain a word that cannot be Serbian. A letter that Serbian does not have,
    such as w, is enough by itself.
    """
    suspicious = {word for word in different_words(_WORD, text) if foreignness(word) >= _SUSPICIOUS}
    if not suspicious:
        return []
    found = [word for word in _WORD.finditer(text) if word[0] in suspicious]
    spans = [word.span() for word in found if _NEVER_SERBIAN.search(word[0].lower())]
    end = 0
    for word in found:
        if word.start() >= end:
            start, end = _line_around(text, word.start(), word.end(), end)
            spans += ((start + first, start + last) for first, last in _passages(text[start:end]))
    return merged(spans)


def merged(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, with those merged that touch or overlap."""
    apart: list[Span] = []
    for start, end in sorted(spans):
        if apart and start <= apart[-1][1]:
            apart[-1] = apart[-1][0], max(end, apart[-1][1])
        else:
            apart.append((start, end))
    return apart


def _base(letter: str) -> str:
    return letter if letter in _SERBIAN_LETTERS else unicodedata.normalize("NFD", letter)[0]


def _line_around(text: str, first: int, last: int, earliest: int) -> Span:
    """The line that contains text[first:last]; of a very long line, a part that begins and ends at a space."""
    start = max(text.rfind("\n", earliest, first) + 1, earliest)
    if first - start > _LONGEST_LINE:
        start = text.rfind(" ", first - _LONGEST_LINE, first) + 1 or first
    end = text.find("\n", last, last + _LONGEST_LINE)
    if end < 0:
        end = len(text) if len(text) <= last + _LONGEST_LINE else max(text.rfind(" ", last, last + _LONGEST_LINE), last)
    return start, end


@cache
def _unlikeness() -> dict[str, int]:
    rows = [line.split() for line in _data("letter_pairs.txt") if not line.startswith("#")]
    columns = rows[0]
    return {(row[0] + column).replace("_", " "): int(value) for row in rows[1:] for column, value in zip(columns, row[1:], strict=True)}


@lru_cache(maxsize=100_000)
def foreignness(word: str) -> int:
    """How much likelier a Latin word is in another language than in Serbian: a binary logarithm, from -10 to 14."""
    if _NUMERAL.fullmatch(word):
        return 0
    word = word.lower().replace("ě", "e")  # ѣ in Latin script
    if _NEVER_SERBIAN.search(word):
        return _STRONGEST
    if word in _SERBIAN or _DRAWN_OUT.search(word):
        return -6
    bare = word if _SERBIAN_LETTERS.issuperset(word) else "".join(map(_base, word))
    pairs = _unlikeness()
    framed = f" {bare} "
    evidence = sum(pairs.get(framed[i : i + 2], 0) for i in range(len(framed) - 1))
    if bare != word:
        evidence += 6
    if word in _FOREIGN:
        evidence = max(evidence, 7)
    return max(_WEAKEST, min(_STRONGEST, evidence))


def _passages(line: str) -> Iterable[Span]:
    """The foreign passages of one line: the division into Serbian and foreign words that has the most evidence."""
    words: list[re.Match[str]] = []
    costs: list[int] = []
    edge = _AT_AN_EDGE
    for piece in _PIECE.finditer(line):
        if piece[0].isalpha():
            words.append(piece)
            costs.append(edge)
            edge = _AMONG_WORDS
        else:
            edge = _AT_AN_EDGE
    costs.append(_AT_AN_EDGE)
    # Two running sums, one as if the last word were Serbian, one as if it were foreign; `entered` and `left` say where each came from.
    serbian, foreign = 0, -(10**6)
    entered: list[bool] = []
    left: list[bool] = []
    for word, cost in zip(words, costs, strict=False):
        staying = foreign - (_ACROSS_AN_EDGE if cost == _AT_AN_EDGE else 0)
        left.append(foreign - cost > serbian)
        entered.append(serbian - cost > staying)
        serbian, foreign = max(serbian, foreign - cost), max(staying, serbian - cost) + foreignness(word[0])
    inside = foreign - costs[-1] > serbian
    last = len(words)
    for i in range(len(words) - 1, -1, -1):
        if inside and entered[i]:
            yield from _certain(words[i:last])
            inside = False
        elif not inside and left[i]:
            inside, last = True, i


def _certain(words: list[re.Match[str]]) -> Iterable[Span]:
    """The words as one passage, without words at its ends that are more likely Serbian, if any of them cannot be Serbian."""
    while words and _may_be_at_home(words[-1][0]):
        words = words[:-1]
    while words and _may_be_at_home(words[0][0]) and not (len(words) > 1 and _hangs_on(words[0], words[1])):
        words = words[1:]
    lower = {word[0].lower() for word in words if (len(word[0]) > 1 or word[0] == "à") and not _NUMERAL.fullmatch(word[0])}
    together = {word for word in lower if _NEVER_TOGETHER.search(word)}
    unheard_of = any(_NEVER_SERBIAN.search(word) for word in lower)
    certain = sum(word in _FOREIGN or word in together or _NEVER_SERBIAN.search(word) is not None for word in lower)
    evidence = sum(map(foreignness, lower))
    if unheard_of or certain > 1 or any(foreignness(word) >= _CERTAIN for word in together):
        enough = certain * 10 >= len(lower) * 3 or evidence >= 5 * len(lower)
    else:
        enough = certain == 1 and len(lower) > 1 and evidence >= 7 * len(lower)
    if not enough:
        return
    if any(word in _FOREIGN for word in lower):
        yield words[0].start(), words[-1].end()
    else:  # these may be names with Serbian between them: New York i Washington
        yield from (word.span() for word in words if word[0].lower() not in _AT_HOME_IN_BOTH)


def _may_be_at_home(word: str) -> bool:
    return len(word) == 1 or word.lower() in _AT_HOME_IN_BOTH


def _hangs_on(word: re.Match[str], following: re.Match[str]) -> bool:
    """Whether the word is a letter that belongs to the foreign word after it: c'est, e-mail."""
    between = word.string[word.end() : following.start()]
    return len(word[0]) == 1 and between in ("'", "’", "-") and not _may_be_at_home(following[0])


def _data(name: str) -> list[str]:
    text = resources.files("paznja.corpus.scripts").joinpath(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip()]
