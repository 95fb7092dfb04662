"""From places on disk to a folder that is ready to train on: the list of books, the tokenizer and the ids, cached by content.

The second time, only the fingerprints of the same files are read. The cache has a size limit; what was
used longest ago is removed first.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import psutil

from paznja.config import ReadingConfig
from paznja.corpus.book import Book, Unreadable
from paznja.corpus.corpus import Corpus, read_corpus
from paznja.corpus.faults import LOG, is_log
from paznja.corpus.finding import file_fingerprints, find_files
from paznja.corpus.ledger import check_rules
from paznja.corpus.pieces import pieces
from paznja.corpus.shelf import refuse
from paznja.corpus.store import READING_VERSION, Store, is_kept, is_store_file
from paznja.disk import remove_known, write_atomically, writing_to
from paznja.errors import CacheInUse, RunError, TrainingFailed
from paznja.run import BookRecord
from paznja.run.records import BooksRecord, read_books
from paznja.sharing import gate, is_sharing_file, is_used_by_others, remove_gate, used
from paznja.table import counted
from paznja.tokenizers import learn_tokenizer

PREPARING_VERSION = 2
"""The version of what the cache holds; raised whenever the same files give other data than before."""

CACHE_BYTES = 2_000_000_000
"""The cache is kept below this size."""

BOOKS = "books"
"""The folder in the cache with the books that were read, one entry per file."""

_CLOCKS_DIFFER = 10.0
"""Seconds by which a process's creation time, counted from the machine's start, may differ from the disk's clock."""

_TAG = "CACHEDIR.TAG"
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886e3d96b0\n# Made by paznja: what is in this folder can be made again from the books.\n"
"""Backup programs skip a folder with this file (https://bford.info/cachedir/); it also tells that paznja made the folder."""

_NAME = re.compile(r"[0-9a-f]{32}")
_LEFT_OVER = re.compile(r"\.[0-9a-f]{32}\.(\d+)\.new")
_PASSING = re.compile(r"\.passing\.(\d+)\.[0-9a-f]{8}\.new")
_FILE = re.compile(r"(corpus\.bin|(corpus|tokenizer|prepared)\.json)|\.(corpus|tokenizer|prepared)\.json\.\d+\.part")

_REMARKS_SHOWN = 10


@dataclass(frozen=True)
class Prepared:
    """A folder with `corpus.json`, `tokenizer.json` and `corpus.bin`, and what is known about it."""

    folder: Path
    books: tuple[BookRecord, ...]
    unreadable: tuple[Unreadable, ...]
    fingerprint: str
    """A hash of the files' contents, of what is held out, and of how the files were read."""
    script: str
    """The script of most of the text: "cyrillic", "latin" or "other"."""
    remarks: tuple[str, ...]
    """What the owner should know about how the books were treated, in whole sentences."""
    cached: bool
    """Whether it was in the cache already."""

    @property
    def training_characters(self) -> int:
        return sum(book.characters for book in self.books if not book.held_out)

    @property
    def held_out_characters(self) -> int:
        return sum(book.characters for book in self.books if book.held_out)


def default_cache() -> Path:
    """The user's cache folder for prepared books."""
    return Path(platformdirs.user_cache_dir("paznja")) / "prepared"


def prepare(
    places: Iterable[Path],
    *,
    held_out: Iterable[Path] | None = None,
    tokenizer: str = "characters",
    config: ReadingConfig | None = None,
    cache: Path | None = None,
    strict: bool = False,
    on_read: Callable[[int, int, Path], None] | None = None,
) -> Prepared:
    """Read the books at these places, or find them in the cache; calls `on_read(done, total, file)` after each file.

    Raises NoBooks if there is nothing, or too little, to learn from or, if `strict`, if a file cannot be read; TrainingFailed
    if the cache cannot be written to.
    """
    places = [Path(place) for place in places]
    held_out = None if held_out is None else [Path(place) for place in held_out]
    cache = cache or default_cache()
    config = config or ReadingConfig()
    check_rules(config.without)
    files = describe_files(places, held_out)
    fingerprint = _fingerprint(files, tokenizer, config, chosen=held_out is not None)
    folder = cache / fingerprint
    making = cache / f".{fingerprint}.{os.getpid()}.new"
    with using(cache):
        prepared = _found(folder)
        if prepared is not None:
            if strict:
                refuse(prepared.unreadable)
            return prepared
        try:
            with writing_to(cache, "--cache"):
                store = store_in(cache)
                corpus = read_corpus(places, held_out=held_out, config=config, store=store, strict=strict, on_read=on_read)
                passing = [[bad.path.name, bad.reason] for bad in corpus.unreadable if bad.passing]
                if passing:  # under another name, so that these files are tried again next time
                    fingerprint = _hash([fingerprint, passing])
                    folder = cache / fingerprint
                remove_known(making, _is_file)
                making.mkdir(mode=0o700)
                _write(making, corpus, tokenizer, fingerprint, files)
                _put_in_place(making, folder)
        finally:
            remove_known(making, _is_file)
        trim_cache(cache, CACHE_BYTES, keep=folder)
        return _read(folder, cached=False)


@contextmanager
def using(cache: Path | None) -> Iterator[None]:
    """Until this ends, no other process removes anything from the cache. Needed as long as what `prepare` returned is used.

    TrainingFailed if the cache cannot be written to.
    """
    cache = cache or default_cache()
    with ExitStack() as stack:
        with writing_to(cache, "--cache"):
            made_here = not cache.exists() or _is_made_here(cache)
            _make_private(cache)
            stack.enter_context(used(cache))
            if made_here and not _is_made_here(cache):  # another process cleared it at this moment, and locking made it again
                cache.chmod(0o700)
                _tag(cache)
        yield


def describe_files(places: Iterable[Path], held_out: Iterable[Path] | None) -> list[list[str]]:
    """[name, SHA-256, "held out" or ""] of every file that would be read, in order; NoBooks if a place does not exist."""
    apart = find_files(list(held_out or ()))
    apart_paths = {path.resolve() for path in apart}
    files = {path.resolve(): path for path in [*find_files(list(places)), *apart]}
    described = [(path.name, sha256, path.resolve() in apart_paths) for path, sha256 in file_fingerprints(files.values())]
    return [[name, sha256, "held out" if is_apart else ""] for name, sha256, is_apart in sorted(described)]


def store_in(cache: Path) -> Store:
    """The store in which the cache keeps the books that were read."""
    _make_private(cache)
    folder = cache / BOOKS
    folder.mkdir(mode=0o700, exist_ok=True)
    return Store(folder, log=None if is_passing(cache) else cache / LOG)


def _fingerprint(files: list[list[str]], tokenizer: str, config: ReadingConfig, *, chosen: bool) -> str:
    """A name for what `prepare` returns, from the files' contents and names; it does not depend on where they are."""
    whole = [PREPARING_VERSION, READING_VERSION, tokenizer, config.script, sorted(config.without), chosen, files]
    return _hash(whole)


def _hash(whole: list[Any]) -> str:
    return hashlib.sha256(json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogateescape")).hexdigest()[:32]


@dataclass(frozen=True)
class Entry:
    """A folder in the cache that is recognised, by its name and its contents, as one that paznja made."""

    folder: Path
    is_file: Callable[[str], bool]
    left_over: bool
    """Whether a dead process left it unfinished."""

    @property
    def is_book(self) -> bool:
        return self.is_file is is_store_file

    # Another paznja may remove the same folder at the same moment: then it has no size and need not be removed.

    def size(self) -> int:
        with suppress(FileNotFoundError):
            return sum(path.stat().st_size for path in self.folder.iterdir())
        return 0

    def used(self) -> float:
        with suppress(FileNotFoundError):
            return self.folder.stat().st_mtime
        return 0.0

    def remove(self) -> None:
        """Rename the folder, then remove it; so if this process is killed, no half of it is left under its name."""
        going = self.folder
        with suppress(FileNotFoundError):
            if not self.left_over:
                going = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.new")
                os.replace(self.folder, going)
            remove_known(going, self.is_file)


def cache_entries(cache: Path) -> list[Entry]:
    """The folders in the cache that paznja made, those used longest ago first."""
    found: list[Entry] = []
    for place, is_own, is_file in ((cache, _is_prepared, _is_file), (cache / BOOKS, is_kept, is_store_file)):
        if (place.is_symlink() and place != cache) or not place.is_dir():
            continue
        for folder in place.iterdir():
            if folder.is_symlink() or not folder.is_dir():
                continue
            with suppress(OSError):  # removed meanwhile, or somebody else's folder that may not be opened
                left = _LEFT_OVER.fullmatch(folder.name)
                if left and not _is_alive(int(left[1]), folder) and all(map(is_file, os.listdir(folder))):
                    found.append(Entry(folder, is_file, left_over=True))
                elif _NAME.fullmatch(folder.name) and is_own(folder):
                    found.append(Entry(folder, is_file, left_over=False))
    return sorted(found, key=Entry.used)


def trim_cache(cache: Path, limit: int, keep: Path | None = None) -> None:
    """Remove what was used longest ago until the cache has at most `limit` bytes; `keep` stays, and so does what paznja did not make.

    What killed processes left is removed in any case. Runs keep their own data. Nothing is removed while another process uses the
    cache: that process trims it itself, or the next one does.
    """
    if not cache.is_dir():
        return
    with gate(cache):
        if not is_used_by_others(cache):
            _trim(cache, limit, keep)


def _trim(cache: Path, limit: int, keep: Path | None) -> None:
    """Call it while holding the gate."""
    for folder in passing_left(cache):
        with suppress(CacheInUse):  # used by a process on another machine or in a container, whose number means nothing here
            clear_cache(folder)
    entries = cache_entries(cache)
    size = sum(entry.size() for entry in entries)
    for entry in entries:  # an older version let everybody read them
        if entry.folder.stat().st_mode & 0o077:
            entry.folder.chmod(0o700)
    for entry in sorted(entries, key=lambda entry: not entry.left_over):
        if (size > limit or entry.left_over) and entry.folder != keep:
            size -= entry.size()
            entry.remove()


def clear_cache(cache: Path) -> list[Path]:
    """Remove all that paznja made, and the folder if paznja made it and nothing else is in it; returns what stays.

    Raises CacheInUse, and removes nothing, while another process uses the cache.
    """
    if not cache.is_dir():
        return []
    made_here = _is_made_here(cache)  # before the gate as well, because another process may clear the cache while this one waits
    with gate(cache):
        if is_used_by_others(cache):
            raise CacheInUse(f"Another paznja is using {cache}, and nothing was deleted: wait until it is done, or stop it, and try again.")
        _trim(cache, -1, None)
        if is_log(cache / LOG):
            (cache / LOG).unlink()
        books = cache / BOOKS
        made_here = made_here or _is_made_here(cache)
        if made_here and books.is_dir() and not books.is_symlink() and not any(books.iterdir()):
            books.rmdir()
        emptied = made_here and all(name == _TAG or is_sharing_file(cache / name) for name in os.listdir(cache))
        if emptied:
            (cache / _TAG).unlink(missing_ok=True)
        stays = [path for path in cache.iterdir() if path.name not in (_TAG, BOOKS) and not is_sharing_file(path)]
        stays += books.iterdir() if books.is_dir() else ()
        remove_gate(cache)
    if emptied:
        with suppress(FileNotFoundError):  # another process removed it
            try:
                cache.rmdir()
            except OSError:  # another process began to use it at this moment
                _tag(cache)
    return sorted(stays)


@contextmanager
def passing_cache(cache: Path | None) -> Iterator[Path]:
    """A cache inside the cache, for a training that leaves no text behind; it is removed at the end, even after an error.

    Its name has the number of the process: what a killed process leaves is removed when the cache is next trimmed or cleared.
    """
    cache = cache or default_cache()
    folder = cache / f".passing.{os.getpid()}.{secrets.token_hex(4)}.new"
    with writing_to(cache, "--cache"):
        _make_private(cache)
    try:
        with using(folder):
            yield folder
    finally:
        clear_cache(folder)
        trim_cache(cache, CACHE_BYTES)


def is_passing(folder: Path) -> bool:
    """Whether this is the passing cache of a training, judged by its name and its tag."""
    return _PASSING.fullmatch(folder.name) is not None and folder.is_dir() and not folder.is_symlink() and _is_made_here(folder)


def passing_left(cache: Path) -> list[Path]:
    """The passing caches that killed trainings left in the cache."""
    folders = [folder for folder in cache.iterdir() if is_passing(folder)] if cache.is_dir() else []
    return [folder for folder in folders if not _is_alive(int(folder.name.split(".")[2]), folder)]


def _is_alive(process: int, folder: Path) -> bool:
    """Whether the process that made this folder is running; one that began after the folder's last change is another process."""
    try:
        return psutil.Process(process).create_time() <= folder.stat().st_mtime + _CLOCKS_DIFFER
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
    except psutil.AccessDenied:
        return True


def _make_private(cache: Path) -> None:
    """Make a cache that nobody else on the machine can read, because it has books in it. An existing folder keeps its mode."""
    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.mkdir(mode=0o700, exist_ok=True)
        _tag(cache)


def _tag(cache: Path) -> None:
    write_atomically(cache / _TAG, _TAG_TEXT.encode())


def _is_made_here(cache: Path) -> bool:
    tag = cache / _TAG
    try:
        return not tag.is_symlink() and tag.read_bytes() == _TAG_TEXT.encode()
    except OSError:
        return False


def _is_file(name: str) -> bool:
    """Whether this module would give a file in a prepared shelf's folder this name."""
    return _FILE.fullmatch(name) is not None


def _is_prepared(folder: Path) -> bool:
    """Whether this is a prepared shelf, whole or damaged, judged by the names of its files and the fingerprint in `prepared.json`."""
    names = os.listdir(folder)
    if not names or not all(map(_is_file, names)):
        return False
    try:
        about = json.loads((folder / "prepared.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # damaged, but all its files have names that this module gives
        return "corpus.bin" in names
    except OSError:  # a folder has this name
        return False
    return isinstance(about, dict) and about.get("fingerprint") == folder.name


def _found(folder: Path) -> Prepared | None:
    """What was prepared in this folder; None if nothing was, or if it is damaged or was not made by paznja."""
    try:
        if folder.is_symlink() or not folder.is_dir() or not _is_prepared(folder):
            return None
        prepared = _read(folder, cached=True)
        tokens = sum(book.tokens for book in prepared.books)
        if (folder / "corpus.bin").stat().st_size != 2 * tokens or not (folder / "tokenizer.json").is_file():
            return None
        os.utime(folder)
    except (OSError, ValueError, KeyError, TypeError, RunError):
        return None
    return prepared


def _put_in_place(making: Path, folder: Path) -> None:
    """Rename the folder, unless another process that read the same books was faster: its data are the same, and may be in use."""
    if _found(folder) is not None:
        return
    if os.path.lexists(folder):
        if folder.is_symlink() or not folder.is_dir() or not _is_prepared(folder):
            raise TrainingFailed(f"{folder} is not of paznja's making: move it, or choose another folder with --cache.")
        remove_known(folder, _is_file)
    try:
        os.replace(making, folder)
    except OSError:
        if _found(folder) is None:
            raise


def _write(folder: Path, corpus: Corpus, kind: str, fingerprint: str, files: list[list[str]]) -> None:
    tokenizer = learn_tokenizer(kind, (book.text for book in corpus.training))
    records: list[BookRecord] = []
    with open(folder / "corpus.bin", "wb") as file:
        for books, held_out in ((corpus.training, False), (corpus.held_out, True)):
            for book in books:
                tokens = 0
                for piece in pieces(book.text):
                    ids = tokenizer.encode(piece)
                    ids.tofile(file)
                    tokens += len(ids)
                records.append(_record(book, tokens, held_out))
        file.flush()
        os.fsync(file.fileno())
    write_atomically(folder / "tokenizer.json", tokenizer.to_json().encode())
    described = tuple((name, sha256, use) for name, sha256, use in files)
    write_atomically(folder / "corpus.json", BooksRecord(tuple(records), fingerprint, described).to_json())
    about: dict[str, Any] = {
        "fingerprint": fingerprint,
        "script": _script(corpus),
        "unreadable": [[str(bad.path), bad.reason] for bad in corpus.unreadable],
        "remarks": remarks_on(corpus),
    }
    write_atomically(folder / "prepared.json", json.dumps(about, ensure_ascii=False, indent=1).encode())


def _read(folder: Path, *, cached: bool) -> Prepared:
    about = json.loads((folder / "prepared.json").read_text(encoding="utf-8"))
    return Prepared(
        folder=folder,
        books=read_books(folder / "corpus.json").books,
        unreadable=tuple(Unreadable(Path(path), reason) for path, reason in about["unreadable"]),
        fingerprint=about["fingerprint"],
        script=about["script"],
        remarks=tuple(about["remarks"]),
        cached=cached,
    )


def remarks_on(corpus: Corpus) -> list[str]:
    """What the owner should know about how the books were treated: which ones are left out as repeats, which ones were converted."""
    remarks = [it.sentence() for it in corpus.same[:_REMARKS_SHOWN]]
    if len(corpus.same) > _REMARKS_SHOWN:
        more = len(corpus.same) - _REMARKS_SHOWN
        verb = "is" if more == 1 else "are"
        remarks.append(f"{counted(more, 'more book')} {verb} on the shelf twice and {verb} used once.")
    changed = [book for book in corpus.books if book.converted_from]
    if changed:
        verb = "was" if len(changed) == 1 else "were"
        script = corpus.script.capitalize()
        remarks.append(
            f"{counted(len(changed), 'book')} {verb} converted to {script}, like the others; --script keep leaves them as they are."
        )
    return remarks


def _record(book: Book, tokens: int, held_out: bool) -> BookRecord:
    return BookRecord(book.title, book.author, book.file, book.part, book.sha256, book.characters, tokens, held_out)


def _script(corpus: Corpus) -> str:
    """The script in which most of the characters are written."""
    characters: dict[str, int] = {}
    for book in corpus.training:
        characters[book.script] = characters.get(book.script, 0) + book.characters
    return max(characters, key=lambda script: characters[script])
