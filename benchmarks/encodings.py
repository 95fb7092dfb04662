"""Encodings: how often old code pages, YUSCII and mojibake are read right, compared with other libraries, and how long it takes.

    pip install chardet charset-normalizer ftfy
    python benchmarks/encodings.py BOOKS

Pieces of the books are drawn at random, in either script, encoded in a code page without the characters that it lacks, and
read again by paznja and by each library that is installed. A piece is right only if every character is. The sentences in four
languages other than Serbian are in this file. Mojibake is made by reading UTF-8 in a code page, once or twice in a row; it is
right if the whole piece comes back, and ftfy is asked to mend only encodings. Every second book was counted for the table of
letter pairs in `yuscii.py`; pieces come only from the others. Times are processor time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import click
from common import machine, table, time_of

from paznja.corpus.corpus import read_books
from paznja.corpus.encodings.code_pages import CODE_PAGES, recognise
from paznja.corpus.encodings.encoding import decode
from paznja.corpus.encodings.mojibake import mend_mojibake
from paznja.corpus.encodings.yuscii import from_yuscii
from paznja.corpus.ledger import Ledger
from paznja.corpus.scripts.script import script_of
from paznja.corpus.scripts.transliteration import to_latin

CYRILLIC = ("cp1251", "iso8859-5", "cp855", "mac_cyrillic")
LATIN = ("cp1250", "iso8859-2", "cp852", "mac_croatian")
MISREAD = ("cp1250", "cp1251", "cp1252", "iso8859-2", "iso8859-5", "cp852")
LETTERS, SIGNS = "ŽŠĐĆČžšđćč", "@[\\]^`{|}~"
OTHERS = {
    "Starý muž seděl u okna a díval se, jak si děti hrají na dvoře. Příští den přišel déšť.": ("cp1250", "iso8859-2", "cp852"),
    "Stary człowiek siedział przy oknie i patrzył, jak dzieci bawią się. Później przyszła noc.": ("cp1250", "iso8859-2", "cp852"),
    "Старик сидел у окна и смотрел, как дети играют во дворе. Прошёл ещё один день.": ("cp1251", "koi8-r", "iso8859-5", "cp866"),
    "Der alte Mann saß am Fenster und hörte den Kindern zu. Schön wäre es, dachte er.": ("cp1252",),
}

Recogniser = Callable[[bytes], str | None]


def recognisers() -> dict[str, Recogniser]:
    """Paznja's recogniser, and those of the libraries that are installed."""
    found: dict[str, Recogniser] = {"paznja": recognise}
    if find_spec("chardet"):
        import chardet  # pyright: ignore[reportMissingImports]

        found["chardet"] = lambda data: chardet.detect(data)["encoding"]
    if find_spec("charset_normalizer"):
        import charset_normalizer

        found["charset-normalizer"] = lambda data: getattr(charset_normalizer.from_bytes(data).best(), "encoding", None)
    return found


def pieces(texts: list[str], length: int, number: int, chance: random.Random) -> list[str]:
    """This many pieces of this length, from anywhere in the texts."""
    drawn = []
    for _ in range(number):
        text = chance.choice(texts)
        start = chance.randrange(len(text) - length)
        drawn.append(text[start : start + length])
    return drawn


def is_right(recogniser: Recogniser, data: bytes, encoding: str) -> bool:
    """Whether the bytes are read as what they mean in this encoding."""
    found = recogniser(data)
    try:
        return found is not None and data.decode(found) == data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return False


def code_page_table(cyrillic: list[str], lengths: list[int], number: int, chance: random.Random) -> str:
    """The percentage of pieces in each code page that each recogniser read right."""
    contenders = recognisers()
    latin = [to_latin(text) for text in cyrillic]
    rows = []
    for encoding in (*CYRILLIC, *LATIN):
        for length in lengths:
            texts = cyrillic if encoding in CYRILLIC else latin
            encoded = [piece.encode(encoding, errors="ignore") for piece in pieces(texts, length, number, chance)]
            encoded = [data for data in encoded if not data.isascii()]
            rows.append([f"{CODE_PAGES[encoding]}, Serbian", f"{length:,}", *scores(contenders, [(data, encoding) for data in encoded])])
    others = [(text.encode(encoding), encoding) for text, encodings in OTHERS.items() for encoding in encodings]
    capitals = [(text.upper(), encodings) for text, encodings in OTHERS.items()]
    in_capitals = [(text.encode(encoding), encoding) for text, encodings in capitals for encoding in encodings]
    rows.append(["Czech, Polish, Russian, German", "a sentence", *scores(contenders, others)])
    rows.append(["The same in capitals", "a sentence", *scores(contenders, in_capitals)])
    return table(["", "characters", *contenders], rows)


def scores(contenders: dict[str, Recogniser], encoded: list[tuple[bytes, str]]) -> list[str]:
    """For each contender: the share of pieces that it read right, and the time per piece."""
    cells = []
    for recogniser in contenders.values():
        start = time.process_time()
        right = sum(is_right(recogniser, data, encoding) for data, encoding in encoded)
        cells.append(f"{100 * right / len(encoded):.0f} % ({time_of((time.process_time() - start) / len(encoded))})")
    return cells


def yuscii_table(cyrillic: list[str], lengths: list[int], number: int, chance: random.Random) -> str:
    """The percentages of pieces in YUSCII that were read right, left as ASCII, or read as something else."""
    to_signs = str.maketrans(LETTERS, SIGNS)
    from_signs = str.maketrans(SIGNS, LETTERS)
    rows = []
    for length in lengths:
        outcomes = {"right": 0, "left": 0, "wrong": 0}
        for piece in pieces(cyrillic, length, number, chance):
            signs = to_latin(piece).translate(to_signs).encode("ascii", errors="ignore").decode()
            read = from_yuscii(signs)
            outcomes["left" if read is None else "right" if read == signs.translate(from_signs) else "wrong"] += 1
        rows.append([f"{length:,} characters", *(f"{100 * count / number:.0f} %" for count in outcomes.values())])
    return table(["YUSCII, Latin", "right", "left as ASCII", "wrong"], rows)


def misread(text: str, encoding: str) -> str:
    """The text as UTF-8, read in this code page by mistake; an undefined byte becomes a control character."""
    return "".join(bytes([byte]).decode(encoding, errors="ignore") or chr(byte) for byte in text.encode())


def mojibake_table(cyrillic: list[str], number: int, chance: random.Random) -> str:
    """The percentage of pieces of mojibake that come back whole."""
    menders: dict[str, Callable[[str], str]] = {"paznja": lambda text: mend_mojibake(text, Ledger())}
    if find_spec("ftfy"):
        import ftfy  # pyright: ignore[reportMissingImports]

        menders["ftfy"] = ftfy.fix_encoding
    rows = []
    for encoding in MISREAD:
        for times in (1, 2):
            drawn = pieces(cyrillic, 2_000, number, chance)
            cells = []
            for mender in menders.values():
                for script in (str, to_latin):
                    right = 0
                    for piece in drawn:
                        text = spoilt = script(piece)
                        for _ in range(times):
                            spoilt = misread(spoilt, encoding)
                        right += mender(spoilt) == text
                    cells.append(f"{100 * right / number:.0f} %")
            rows.append([f"UTF-8 read in {CODE_PAGES[encoding]}{' twice' if times > 1 else ''}", *cells])
    return table(["", *(f"{name}, {script}" for name in menders for script in ("Cyrillic", "Latin"))], rows)


@click.command(help=__doc__)
@click.argument("books", type=click.Path(exists=True, path_type=Path))
@click.option("--pieces", "number", default=100, show_default=True, help="Of every kind.")
@click.option("--seed", default=4, show_default=True)
def main(books: Path, number: int, seed: int) -> None:
    chance = random.Random(seed)
    shelf = [book.text for book in read_books([books])[0][1::2]]
    cyrillic = [text for text in shelf if script_of(text) == "cyrillic" and len(text) > 10_000]
    click.echo(machine() + "\n")
    click.echo(code_page_table(cyrillic, [40, 200, 1_000, 10_000], number, chance) + "\n")
    click.echo(yuscii_table(cyrillic, [100, 200, 1_000, 10_000], number, chance) + "\n")
    click.echo(mojibake_table(cyrillic, max(number // 10, 1), chance) + "\n")
    changed = 0
    seconds = megabytes = 0.0
    for text in shelf:
        for clean in (text, to_latin(text)):
            data = clean.encode()
            start = time.process_time()
            changed += decode(data, Ledger()) != clean
            seconds += time.process_time() - start
            megabytes += len(data) / 1e6
    click.echo(f"UTF-8: {changed} of {2 * len(shelf)} texts changed, {seconds / megabytes * 1e3:.1f} ms a megabyte.")


if __name__ == "__main__":
    main()
