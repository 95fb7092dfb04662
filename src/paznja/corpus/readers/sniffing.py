"""The format of a file, recognised by its bytes whatever its name says: as the suffix that it should have, or why it is not a book."""

import re

from paznja.corpus.readers.archive import kind_of_zip
from paznja.corpus.readers.zipped import is_zip
from paznja.errors import UnreadableBook

_LOOKED_AT = 4096
_ROOT = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?>(?:<!--.*?-->\s*|<\?[^>]*>\s*)*)(?:<!DOCTYPE\s+(?P<doctype>[A-Za-z0-9.:]+)|<(?:[A-Za-z0-9_.]+:)?(?P<root>[A-Za-z0-9.]+)[\s>/])",
    re.DOTALL | re.IGNORECASE,
)
_KIND_OF_ROOT = {"html": ".html", "fictionbook": ".fb2", "tei": ".xml", "teicorpus": ".xml", "tei.2": ".xml"}

_CALIBRE = "open it in Calibre (calibre-ebook.com) and convert it to EPUB"
_OCR = "pictures of pages must go through text recognition (OCR) first, with OCRmyPDF or Tesseract"
_UNPACK = "unpack it and give the folder"
# How the files begin, what they are, and what to do with them.
_REFUSED = (
    (b"Rar!\x1a\x07", "is a RAR archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive", _UNPACK),
    (b"\x1f\x8b", "is a gzip archive", _UNPACK),
    (b"BZh", "is a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ\x00", "is an xz archive", _UNPACK),
    (b"AT&TFORM", "is a DjVu file", "if it has a text layer, save that with djvutxt as plain text; " + _OCR),
    (b"TPZ", "is a Kindle book (Topaz)", _CALIBRE),
    (b"\xeaDRMION\xee", "is a Kindle book (KFX) that is protected against copying", "use a copy without protection"),
    (b"CONT\x02\x00", "is a Kindle book (KFX)", _CALIBRE),
    (b"ITOLITLS", "is a Microsoft Reader book (LIT)", _CALIBRE),
    (b"ITSF", "is a Windows help file (CHM)", _CALIBRE),
    (b"L\x00R\x00F\x00", "is a Sony book (LRF)", _CALIBRE),
    (b"\x89PNG\r\n", "is a picture (PNG)", _OCR),
    (b"\xff\xd8\xff", "is a picture (JPEG)", _OCR),
    (b"GIF8", "is a picture (GIF)", _OCR),
    (b"II*\x00", "is a picture (TIFF)", _OCR),
    (b"MM\x00*", "is a picture (TIFF)", _OCR),
    (b"%!PS", "is a PostScript file", "convert it to PDF (ps2pdf) and give that"),
    (b"\x7fELF", "is a program", "it is not a book, whatever its name says"),
    (b"\xfe\xed\xfa", "is a program", "it is not a book, whatever its name says"),
    (b"\xcf\xfa\xed\xfe", "is a program", "it is not a book, whatever its name says"),
    (b"\xca\xfe\xba\xbe", "is a program", "it is not a book, whatever its name says"),
    (b"SQLite format 3\x00", "is a database", "it is not a book, whatever its name says"),
    (b"ID3", "is a sound recording", "it cannot be read as a book"),
    (b"OggS", "is a sound recording", "it cannot be read as a book"),
)
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_WORD_STREAM = "WordDocument".encode("utf-16-le")
_OTHER_ZIPS = {
    ".xlsx": "is a table (Excel), not a book; save its text as plain text",
    ".pptx": "is a presentation (PowerPoint), not a book; save its text as plain text",
    ".pages": "is a Pages document; export it from Pages as EPUB or Word",
}


def kind_of(data: bytes) -> str | None:
    """The suffix of the format that the bytes are in (".epub", ".pdf", ".zip", ...); None if they do not show it, as in plain text.

    UnreadableBook if the format is not that of a book, or cannot be read; the reason says what to do.
    """
    if is_zip(data):
        kind = kind_of_zip(data)
        if kind in _OTHER_ZIPS:
            raise UnreadableBook(_OTHER_ZIPS[kind])
        return kind
    if data.startswith(b"%PDF-"):
        return ".pdf"
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{\\rtf"):
        return ".rtf"
    _refuse_known(data)
    root = _ROOT.match(data[:_LOOKED_AT])
    return _KIND_OF_ROOT.get((root["doctype"] or root["root"]).decode("ascii").lower()) if root else None


def _refuse_known(data: bytes) -> None:
    if data.startswith(_OLD_OFFICE):
        if _ENCRYPTED_PACKAGE in data:
            raise UnreadableBook("is protected by a password; open it in Word or LibreOffice and save it without one")
        if _WORD_STREAM in data:
            raise UnreadableBook("is an old Word document (.doc); open it in LibreOffice or Word and save it as .docx or .odt")
        raise UnreadableBook("is an old Microsoft Office file; open it in LibreOffice and save its text as .docx, .odt or plain text")
    if data[60:68] in (b"BOOKMOBI", b"TEXtREAd"):
        raise UnreadableBook(f"is a Kindle book (MOBI or AZW); {_CALIBRE}")
    if data.startswith(b"MZ") and b"\0" in data[:_LOOKED_AT]:
        raise UnreadableBook("is a program; it is not a book, whatever its name says")
    for beginning, what, advice in _REFUSED:
        # A text can also begin with these few bytes, so what follows must not be text.
        if data.startswith(beginning) and (len(beginning) > 5 or not _is_text(data[:_LOOKED_AT])):
            raise UnreadableBook(f"{what}; {advice}")


def _is_text(data: bytes) -> bool:
    """Whether the bytes have no control characters, which every binary file has."""
    return not data.translate(None, bytes(range(32, 256)) + b"\t\n\v\f\r\x1a\x1b")
