"""What the documents of Word and LibreOffice have in common: properties that nobody filled in, and frames beside the text."""

import re
from typing import Any

from paznja.corpus.readers.markup import local_name

PAGE_FIELD = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES|PAGEREF)\b")
"""The beginning of a field's instruction if the field is a page number, in Word's documents and in RTF."""

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
    """The title in a document's properties; empty if a program put it there."""
    return "" if _NO_TITLE.fullmatch(title.strip()) else title.strip()


def real_author(author: str) -> str:
    """The author that a document's properties give, or an empty string if that is a computer's user."""
    return "" if _NO_AUTHOR.fullmatch(author.strip()) else author.strip()


def move_behind_paragraph(frame: Any, paragraphs: frozenset[str]) -> None:
    """Move a frame that has its own text behind the outermost paragraph that it is attached to, so that the paragraph stays whole."""
    holder = next((it for it in reversed(list(frame.iterancestors())) if local_name(it) in paragraphs), None)
    if holder is not None:
        tail, frame.tail = frame.tail, None
        stand_in = frame.makeelement("moved")
        stand_in.tail = tail
        frame.getparent().replace(frame, stand_in)
        holder.addnext(frame)
