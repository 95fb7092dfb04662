"""What stands for a letter that the output's encoding lacks, so that text stays readable in an old console or a redirected file."""

from __future__ import annotations

import codecs
import io
import unicodedata
from functools import partial

_PLAIN = dict.fromkeys("„“”«»", '"') | dict.fromkeys("‚‘’", "'") | dict.fromkeys("—–", "-")
_PLAIN |= {"đ": "dj", "Đ": "Dj", "█": "#", "␣": "_", "⏎": "/"}


def stay_readable(stream: io.TextIOWrapper) -> None:
    """Let the stream write Latin letters for Cyrillic ones, and plain letters for those with marks; only else a question mark."""
    name = f"paznja-{stream.encoding}"
    codecs.register_error(name, partial(_stand_in, stream.encoding))
    stream.reconfigure(errors=name)


def _stand_in(encoding: str, error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    from paznja.corpus.scripts.transliteration import to_latin  # which takes its time, and most never need

    return "".join(_written(character, encoding) for character in to_latin(error.object[error.start : error.end])), error.end


def _written(character: str, encoding: str) -> str:
    if unicodedata.combining(character):
        return ""
    plain = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    written = (it for it in (character, _PLAIN.get(character, ""), plain) if it and _has(encoding, it))
    return next(written, "?")


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
