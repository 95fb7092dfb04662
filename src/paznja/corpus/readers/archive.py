"""A zip archive with books in it: each book as bytes, one at a time, or the reason why it cannot be read."""

import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from paznja.corpus.printable import printable
from paznja.corpus.readers.zipped import Zipped
from paznja.errors import UnreadableBook

MOST_MEMBER_BYTES = 200 * 2**20
"""The largest size that one book in an archive may unpack to."""
MOST_MEMBERS = 100_000
HIDDEN = (".", "~$")
"""How the names of hidden files begin, and those of the files that Word writes beside an open document."""

_ROOT = re.compile(r"\A(?:[A-Za-z]:)?/+")
_SERBIAN = frozenset("abcdefghijklmnopqrstuvwxyzčćđšžабвгдђежзијклљмнњопрстћуфхцчџш0123456789 ._-/()")


class Member(NamedTuple):
    """One file in an archive."""

    name: str
    """The name to show, with its folders in the archive: it does not begin with a slash, and nothing in it controls a terminal."""
    data: bytes
    """The file's bytes; empty if it cannot be read."""
    reason: str = ""
    """Why it cannot be read, in words that a person can act on; empty if it can."""


def members(data: bytes, suffixes: frozenset[str]) -> Iterator[Member]:
    """The files in the archive that end in one of the suffixes, in the order of their names; hidden files are left out.

    A file that cannot be unpacked comes with a reason instead of bytes. UnreadableBook if the archive itself is damaged or a zip bomb.
    """
    archive = Zipped(data, "a zip archive")
    if len(archive.members) > MOST_MEMBERS:
        raise UnreadableBook(f"has {len(archive.members):,} files in it, far more than a shelf; unpack it and give the folder")
    files = [member for member in archive.members if not member.is_dir()]
    named = [(printable(_ROOT.sub("", _name(it.filename, bool(it.flag_bits & 0x800)), count=1)), it) for it in files]
    for name, member in sorted(named, key=lambda it: it[0]):
        if _is_hidden(name) or posixpath.splitext(name)[1].lower() not in suffixes:
            continue
        if member.file_size > MOST_MEMBER_BYTES:
            yield Member(name, b"", f"unpacks to {member.file_size / 2**20:,.0f} MB, far more than a book, so it was left alone")
            continue
        try:
            yield Member(name, archive.read(member.filename))
        except UnreadableBook as error:
            yield Member(name, b"", str(error))


def kind_of_zip(data: bytes) -> str:
    """What a zip archive contains, as a suffix: ".epub", ".docx", ".odt", ".xlsx", ".pptx", ".pages", or ".zip" for anything else.

    UnreadableBook if the archive is damaged or a zip bomb.
    """
    archive = Zipped(data, "a zip archive")
    names = archive.names
    if "META-INF/container.xml" in names:
        return ".epub"
    if "[Content_Types].xml" in names:
        kinds = {"word/": ".docx", "xl/": ".xlsx", "ppt/": ".pptx"}
        return next((kind for folder, kind in kinds.items() if any(name.startswith(folder) for name in names)), ".docx")
    if "content.xml" in names and ("mimetype" in names or "META-INF/manifest.xml" in names):
        return ".odt"
    if any(name.endswith(".iwa") for name in names):
        return ".pages"
    return ".zip"


def _name(name: str, is_unicode: bool) -> str:
    """A file's name in the encoding in which it reads as Serbian; old programs wrote it in their machine's code page."""
    name = name.replace("\\", "/")
    if is_unicode or name.isascii():
        return name
    try:
        raw = name.encode("cp437")
    except UnicodeEncodeError:
        return name
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        candidates = [raw.decode(encoding, "replace") for encoding in ("cp852", "cp855", "cp1250", "cp1251", "cp866")]
    return max(candidates, key=lambda it: sum(c in _SERBIAN for c in it.lower()))


def _is_hidden(name: str) -> bool:
    return any(part.startswith(HIDDEN) or part == "__MACOSX" for part in name.split("/"))
