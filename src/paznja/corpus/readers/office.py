"""What Word's and LibreOffice's documents have in common: properties that nobody filled in, and frames that stand beside the text."""

import re
from typing import Any

from paznja.corpus.readers.markup import local_name

PAGE_FIELD = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES|PAGEREF)\b")
"""The instruction of a field that is a page's number, in Word's documents and in RTF."""

_NO_TITLE = re.compile(
    r"Microsoft Word\b.*|.*\.(?:docx?|odt|rtf|txt)|(?:Untitled|Document|Dokument|Документ|Naslov|Наслов|Без имена|Bez imena)[\s_-]*\d*"
    r"|Normal|PowerPoint Presentation",
    re.IGNORECASE,
)
_NO_AUTHOR = re.compile(
    r"(?:user|admin|administrator|korisnik|корисник|owner|home|pc|hp|acer|asus|dell|lenovo|windows|unknown(?: author)?|author|аутор|autor"
    r"|microsoft(?: office)?(?: user)?|windows user|python-docx|x|\W*)[\s_-]*\d*",
    re.IGNORECASE,
)


def real_title(title: str) -> str:
    """The title that a document's properties give, or an empty string if a program gave it."""
    return "" if _NO_TITLE.fullmatch(title.strip()) else title.strip()


def real_author(author: str) -> str:
    """The author that a document's properties give, or an empty string if that is a computer's user."""
    return "" if _NO_AUTHOR.fullmatch(author.strip()) else author.strip()


def move_behind_paragraph(frame: Any, paragraphs: frozenset[str]) -> None:
    """Moves a frame with text of its own behind the outermost paragraph that it hangs on, which so stays in one piece."""
    holder = next((it for it in reversed(list(frame.iterancestors())) if local_name(it) in paragraphs), None)
    if holder is not None:
        tail, frame.tail = frame.tail, None
        stand_in = frame.makeelement("moved")
        stand_in.tail = tail
        frame.getparent().replace(frame, stand_in)
        holder.addnext(frame)
