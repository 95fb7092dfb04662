"""What digital libraries put before and after a text: licences, who scanned it, where it comes from."""

import re

from paznja.corpus.ledger import Ledger

_EDGE = 8_000  # characters at either end in which notices are searched for
_LICENCE = 40_000  # characters at either end in which Project Gutenberg's licence is searched for
_LONGEST = 600
_GUTENBERG_BEGINS = re.compile(
    r"\*{3} ?START OF (?:THE|THIS) PROJECT GUTENBERG[^\n]*\*{3}[^\n]*|\*END\*? ?THE SMALL PRINT[^\n]*", re.IGNORECASE
)
_GUTENBERG_ENDS = re.compile(r"(?:End of (?:the )?Project Gutenberg[^\n]*\s*)?\*{3} ?END OF (?:THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)
_NOTICE = re.compile(
    r"^[^\w\n]*(?:"
    # Who scanned it: the word is followed by a colon, a place, a year or names; not every sentence that begins with it is a notice.
    r"(?:дигитализ\w+|digitaliz\w+|скенир\w+|skenir\w+|ocr)"
    r"(?:[^\w\n]*[:–—-][^\n]*| (?:у|u|за|za|од|od|и|i|by)\b[^\n]*| \d{4}\b[^\n]{0,20}|(?: (?-i:[A-ZČĆŽŠĐА-ШЂЈЉЊЋЏ])\w*\.?){1,4})[^\w\n]*"
    r"|(?:scanned|digiti[sz]ed|produced|transcribed) (?:by|from)\b[^\n]*"
    r"|this (?:e-?book|etext|file) (?:is|was)\b[^\n]*|е-?књига (?:је )?преузета\b[^\n]*|e-?knjiga (?:je )?preuzeta\b[^\n]*"
    r"|(?:(?:преузето|preuzeto)\b|(?:извор|izvor|source)\s*:|(?:downloaded|retrieved) from\b)[^\n]{0,80}"
    r"(?:https?:|www\.|викизворник|vikizvornik|wikisource|растко|rastko|антологија српске|antologija srpske|internet archive|google books)"
    r"[^\n]*"
    r"|(?:антологија српске књижевности|antologija srpske književnosti|пројекат растко|projekat rastko|викизворник|vikizvornik|wikisource"
    r"|internet archive)[^\w\n]*"
    r"|(?:https?://|www\.)\S+[^\w\n]*"
    r"|[^\n]{0,200}\b(?:creative commons|project gutenberg|public domain"
    r"|јавн(?:ом|ог) (?:домен|власништв)|javn(?:om|og) (?:domen|vlasništv))[^\n]*"
    r")$",
    re.IGNORECASE | re.MULTILINE,
)


def without_notices(text: str, ledger: Ledger) -> str:
    """The text, whose paragraphs are lines, without the notices of digital libraries at its beginning and end."""
    begins = _GUTENBERG_BEGINS.search(text, 0, _LICENCE)
    ends = _GUTENBERG_ENDS.search(text, max(len(text) - _LICENCE, 0))
    start, end = begins.end() if begins else 0, ends.start() if ends else len(text)
    spans = [(0, start)] if start else []
    for first, last in ((start, min(start + _EDGE, end)), (max(end - _EDGE, start + _EDGE, start), end)):
        spans += [notice.span() for notice in _NOTICE.finditer(text, first, last) if len(notice[0]) <= _LONGEST and _is_whole(text, notice)]
    if end < len(text):
        spans.append((end, len(text)))
    if not spans or not ledger.applies("library-notices"):
        return text
    pieces: list[str] = []
    position = 0
    for first, last in spans:
        ledger.note_in("library-notices", text, (first, last), around=60)
        pieces.append(text[position:first])
        position = last
    return "".join(pieces) + text[position:]


def _is_whole(text: str, notice: re.Match[str]) -> bool:
    # `^` and `$` also match where a search begins and ends, which may be in the middle of a paragraph.
    before, after = text[notice.start() - 1 : notice.start()] if notice.start() else "", text[notice.end() : notice.end() + 1]
    return before in ("", "\n") and after in ("", "\n")
