"""A file that is a zip inside (EPUB, DOCX, ODT, FB2.ZIP, an archive of books), opened so that it cannot do harm.

Nothing is written to the disk, and nothing is unpacked before the sizes that the archive declares have been checked.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any

from paznja.corpus.readers.markup import parse_xml
from paznja.errors import UnreadableBook

MOST_UNPACKED_BYTES = 2**30
"""The largest size that the whole archive may unpack to, pictures included."""
MOST_TEXT_BYTES = 100 * 2**20
"""The largest size that the members that are read as text may unpack to together: a hundred thick novels."""
MOST_RATIO = 200
"""How many times larger than the file its contents may be once they exceed `FREE_BYTES`; for text it is seldom over 10."""
FREE_BYTES = 8 * 2**20

_DAMAGES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, IndexError, MemoryError)
_DAMAGED = "is damaged or cut short (its zip archive cannot be unpacked); copy or download it again"


class Zipped:
    """An open zip archive; every failure is an `UnreadableBook` with a reason."""

    def __init__(self, data: bytes, kind: str) -> None:
        """Check the list of members, without unpacking anything.

        `kind`: what the file should be, with its article, for error messages: "an EPUB". UnreadableBook if the data is not a zip archive,
        is damaged, or would unpack to far more than a book.
        """
        if not is_zip(data):
            raise UnreadableBook(f"is not {kind} (it is not a zip file), whatever its name says")
        self.kind = kind
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
            self.members = self._archive.infolist()
        except (*_DAMAGES, NotImplementedError):
            raise UnreadableBook(_DAMAGED) from None
        self.names = frozenset(member.filename for member in self.members)
        # The declared sizes can be trusted: zipfile never unpacks more of a member than its header declares.
        unpacked = sum(member.file_size for member in self.members)
        if unpacked > MOST_UNPACKED_BYTES or (unpacked > FREE_BYTES and unpacked > MOST_RATIO * len(data)):
            raise UnreadableBook(f"unpacks to {unpacked / 2**20:,.0f} MB, far more than a book: it may be a zip bomb, so it was left alone")

    def is_locked(self, name: str) -> bool:
        """Whether the member is encrypted with a password."""
        return name in self.names and bool(self._archive.getinfo(name).flag_bits & 1)

    def refuse_too_much_text(self, names: Iterable[str]) -> None:
        """Refuse text that is larger than a book can be. UnreadableBook if these members together unpack to more than `MOST_TEXT_BYTES`."""
        if sum(self._archive.getinfo(name).file_size for name in names if name in self.names) > MOST_TEXT_BYTES:
            raise UnreadableBook(f"is too large: its pages unpack to over {MOST_TEXT_BYTES // 2**20} MB of text")

    def read(self, name: str) -> bytes:
        """A member's bytes."""
        try:
            return self._archive.read(name)
        except KeyError:
            raise UnreadableBook(f"is incomplete: its page {name} is missing; copy or download it again") from None
        except NotImplementedError:
            raise UnreadableBook(
                "is packed in a way that paznja does not know; unpack it and pack it again as an ordinary zip file"
            ) from None
        except RuntimeError:
            raise UnreadableBook("is protected by a password, so its text cannot be read; use a copy without one") from None
        except _DAMAGES:
            raise UnreadableBook(_DAMAGED) from None

    def xml(self, name: str) -> Any:
        """The root element of a member."""
        try:
            return parse_xml(self.read(name), advice="get another copy")
        except UnreadableBook as error:
            if str(error).startswith(("is not well-formed", "is a binary", "is too large")):
                raise UnreadableBook(f"is a damaged {self.kind.partition(' ')[2]}: {name} {error}") from None
            raise


def is_zip(data: bytes) -> bool:
    """Whether the data begins as a zip archive does."""
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06"))
