"""A run is a folder, and this is the folder: its layout, reading, writing and locking. Knows no torch.

JSON lines are appended and flushed whole; every other file is written beside itself, flushed to disk and renamed, so that
a reader never sees half a file and a power cut leaves the previous one. A checkpoint is a new folder and becomes the valid
one by the renaming of one small file.
`docs/design.md` lists every file.
"""

from __future__ import annotations

import difflib
import errno
import json
import os
import re
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import tomli_w
from numpy.typing import NDArray

from paznja.config import Settings
from paznja.disk import flush_folder, link_or_copy, write_atomically
from paznja.errors import RunError, WrongUse
from paznja.table import markdown_table

FORMAT = 1
"""Of the whole folder; a reader refuses any other."""

NUM_CHECKPOINTS_KEPT = 2

WEIGHTS = "model.safetensors"
MEMORY = "memory.safetensors"
"""What was counted in the books, where the run has a counted memory."""

LOGS = ("metrics.jsonl", "samples.jsonl")

COMMANDS = ("stop", "pause", "go-on", "sample")
"""What a living trainer can be asked for through the folder: stop and save, wait, go on, write a row of the table now."""


@dataclass(frozen=True)
class BookRecord:
    """One book of the run's corpus, as `corpus.json` keeps it."""

    title: str
    author: str
    file: str
    """The file's name, without its folder."""
    part: str
    """Empty for a whole book; "beginning" or "end" where a single book was cut to have something held out."""
    sha256: str
    characters: int
    tokens: int
    """How many ids of `corpus.bin` are this book's."""
    held_out: bool

    @property
    def name(self) -> str:
        """Title and author as a person would say them."""
        return self.title + (f" ({self.author})" if self.author else "")


class Run:
    """One run's folder. `Run.create` makes one, `Run.open` finds one; what is written here is all that anybody else sees."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    # --- making and finding ---------------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, out: Path, name: str, about: Mapping[str, Any], prepared: Path, *, with_corpus: bool = True) -> Run:
        """A new folder `out/name` with `run.toml`, the tokenizer and the books as ids, from the folder of prepared data.

        WrongUse for a name that cannot be a folder's or is in use (the message names the next free one).
        """
        check_free(out, name)
        path = out / name
        # Made under another name first: a crash in here leaves no half run behind that looks like a whole one.
        making = out / f".{name}.{os.getpid()}.new"
        making.mkdir(parents=True)
        try:
            for file in ("corpus.json", "tokenizer.json"):
                shutil.copyfile(prepared / file, making / file)
            if with_corpus:
                link_or_copy(prepared / "corpus.bin", making / "corpus.bin")
            write_atomically(making / "run.toml", tomli_w.dumps({"format": FORMAT, **about}).encode())
            for file in LOGS:
                (making / file).touch()
            os.replace(making, path)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        return cls(path)

    @classmethod
    def open(cls, where: str | Path, out: Path = Path("runs")) -> Run:
        """The run of this name below `out`, or in the folder `where`; RunError, with the nearest names, if there is none."""
        for path in (out / where, Path(where)):
            if _is_run(path):
                run = cls(path)
                run.about()
                return run
        names = [run.name for run in all_runs(out)]
        near = difflib.get_close_matches(str(where), names, n=3, cutoff=0.4)
        hint = f" Did you mean {' or '.join(near)}?" if near else f" There are: {', '.join(names)}." if names else " There are none yet."
        shown = str(where) if len(str(where)) <= 200 else f"{str(where)[:200]}..."
        raise RunError(f"There is no run {shown!r} in {out}/.{hint}")

    # --- what it says of itself -----------------------------------------------------------------------------------------------------

    def about(self) -> dict[str, Any]:
        """`run.toml`: every setting, resolved; versions; device; the corpus's fingerprint. RunError for a format of another version."""
        try:
            about = tomllib.loads((self.path / "run.toml").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"{self.path} is not a run: it has no run.toml.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RunError(f"{self.path / 'run.toml'} is damaged ({error}).") from None
        if about.get("format") != FORMAT:
            raise RunError(
                f"{self.path} is of format {about.get('format')!r}, and this version of paznja knows "
                f"format {FORMAT}: use the version that made it."
            )
        return about

    def settings(self) -> Settings:
        """The settings in `run.toml`."""
        return Settings.from_dict(self._section("settings"))

    def corpus(self) -> dict[str, Any]:
        """What `run.toml` says of the books: where they were, their script, what was held out."""
        return self._section("corpus")

    def _section(self, name: str) -> dict[str, Any]:
        section = self.about().get(name)
        if not isinstance(section, dict):
            raise RunError(f"{self.path / 'run.toml'} is damaged: it has no section [{name}]. Copy the whole run folder.")
        return section

    def books(self) -> list[BookRecord]:
        """Every book, training first, in the order of `corpus.bin`."""
        return read_books_json(self.path / "corpus.json")

    def files(self) -> list[list[str]]:
        """[name, SHA-256, "held out" or ""] of every file that the books were read from."""
        return _read_corpus_json(self.path / "corpus.json").get("files", [])

    def metrics(self) -> list[dict[str, Any]]:
        """The evaluations so far, oldest first."""
        return list(_read_lines(self.path / "metrics.jsonl"))

    def samples(self, *, rows_only: bool = False) -> list[dict[str, Any]]:
        """The samples so far, oldest first; those of the table alone where asked."""
        return [sample for sample in _read_lines(self.path / "samples.jsonl") if sample["row"] or not rows_only]

    def position(self) -> dict[str, Any] | None:
        """What the file `checkpoint` says: {"checkpoint": its folder, "iteration", "seconds", "finished", ...}; None before the first."""
        try:
            position = json.loads((self.path / "checkpoint").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise RunError(f"{self.path / 'checkpoint'} is damaged ({error}).") from None
        if not isinstance(position, dict):
            raise RunError(f"{self.path / 'checkpoint'} is damaged: it should name the last checkpoint.")
        if position.get("format") != FORMAT:
            raise RunError(f"{self.path / 'checkpoint'} was written by another version of paznja: use that one to go on.")
        return position

    def state(self) -> str:
        """ "training" while a trainer has the folder, else "finished" or "stopped" (it can be resumed)."""
        if self.is_locked():
            return "training"
        position = self.position()
        return "finished" if position and position["finished"] else "stopped"

    # --- the books as ids -----------------------------------------------------------------------------------------------------------

    def training_ids(self) -> NDArray[np.uint16]:
        """The training books' ids one after the other, memory-mapped. RunError if `corpus.bin` is missing or cut short."""
        books = self.books()
        return self._ids(books)[: sum(book.tokens for book in books if not book.held_out)]

    def held_out_ids(self) -> list[NDArray[np.uint16]]:
        """The held-out books' ids, a book each, in the order of `books`. RunError as above."""
        books = self.books()
        ids = self._ids(books)
        ends = np.cumsum([book.tokens for book in books])
        return [ids[end - book.tokens : end] for book, end in zip(books, ends, strict=True) if book.held_out]

    def _ids(self, books: list[BookRecord]) -> NDArray[np.uint16]:
        path = self.path / "corpus.bin"
        if not path.is_file():
            raise RunError(f"{path} is missing: this run is without its books' text, so the books have to be named again.")
        wanted = sum(book.tokens for book in books)
        if path.stat().st_size != 2 * wanted:
            raise RunError(f"{path} is damaged: it should be {2 * wanted:,} bytes long and is {path.stat().st_size:,}.")
        return np.memmap(path, dtype=np.uint16, mode="r")

    # --- writing --------------------------------------------------------------------------------------------------------------------

    def append_metrics(self, line: Mapping[str, Any]) -> None:
        """Add an evaluation."""
        _append_line(self.path / "metrics.jsonl", line)

    def append_sample(self, line: Mapping[str, Any]) -> None:
        """Add a sample; where it is a row of the table, `samples.md` is written anew."""
        _append_line(self.path / "samples.jsonl", line)
        if line["row"]:
            self.write_table()

    def write_table(self) -> None:
        """`samples.md`, the table of the rows so far."""
        write_atomically(self.path / "samples.md", markdown_table(self.samples(rows_only=True)).encode())

    def write_file(self, name: str, content: bytes) -> None:
        """A whole file, all or nothing."""
        write_atomically(self.path / name, content)

    def write_checkpoint(self, position: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """A new checkpoint folder with these files; then it becomes the valid one; then all but the last two go.

        `position` needs "iteration", "seconds" and "finished".
        """
        name = f"checkpoint-{position['iteration']:08d}"
        folder = self.path / name
        # Written beside and renamed: a half-written folder never carries a checkpoint's name.
        making = self.path / f".{name}.new"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        try:
            for file, content in files.items():
                write_atomically(making / file, content)
            current = self.position()
            if folder.exists() and not (current and current["checkpoint"] == name):
                shutil.rmtree(folder)
            if not folder.exists():
                os.replace(making, folder)
                flush_folder(self.path)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        sizes = {file: _flushed_size(self.path / file) for file in LOGS}
        whole = {"format": FORMAT, "checkpoint": name, **position, "sizes": sizes}
        content = json.dumps(whole, ensure_ascii=False, indent=1).encode()
        write_atomically(folder / "position.json", content)
        write_atomically(self.path / "checkpoint", content)
        older = sorted(path for path in self.path.glob("checkpoint-*") if path.name != name)
        for path in older[: max(0, len(older) - NUM_CHECKPOINTS_KEPT + 1)]:
            shutil.rmtree(path, ignore_errors=True)

    def read_checkpoint(self, file: str) -> bytes:
        """A file of the valid checkpoint; RunError if there is no checkpoint or the file is missing."""
        position = self.position()
        if position is None:
            raise RunError(f"{self.path} has no checkpoint yet.")
        try:
            return (self.path / position["checkpoint"] / file).read_bytes()
        except FileNotFoundError as error:
            raise RunError(f"{error.filename} is missing: the checkpoint cannot be used. Copy the whole run folder.") from None

    def extend(self, about: Mapping[str, Any]) -> None:
        """Write `run.toml` anew, for another stretch of training, and take the mark of being finished away."""
        write_atomically(self.path / "run.toml", tomli_w.dumps({**about, "format": FORMAT}).encode())
        position = self.position()
        if position is not None:
            content = json.dumps({**position, "finished": False}, ensure_ascii=False, indent=1).encode()
            write_atomically(self.path / "checkpoint", content)

    def read_weights(self, *, latest: bool = False) -> bytes:
        """The best weights, or the newest checkpoint's, as safetensors; RunError if there are none yet."""
        if latest:
            return self.read_checkpoint(WEIGHTS)
        try:
            return (self.path / WEIGHTS).read_bytes()
        except FileNotFoundError:
            hint = " Those of its checkpoint can be had with --latest." if self.position() else ""
            when = "the first row of its table, or with its first checkpoint where nothing is scored"
            raise RunError(f"The run {self.name!r} has no weights yet: they come with {when}.{hint}") from None

    def cut_back(self) -> None:
        """Undo what was logged after the valid checkpoint (all of it, if there is none), so that resuming writes it again.

        What a killed trainer left half done goes too. The caller holds the lock.
        """
        position = self.position()
        for file in LOGS:
            path = self.path / file
            path.touch()
            # A power cut may have taken lines from before the checkpoint too, and left half of one.
            kept = path.read_bytes()[: position["sizes"][file] if position else 0]
            os.truncate(path, kept.rfind(b"\n") + 1)
        for left_over in self.path.glob(".*.part"):
            left_over.unlink()
        never_valid = [path for path in self.path.glob("checkpoint-*") if not position or path.name > position["checkpoint"]]
        for folder in [*never_valid, *self.path.glob(".*.new")]:
            shutil.rmtree(folder, ignore_errors=True)
        self.write_table()

    # --- living with others ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def locked(self, *, patience: float = 0.5) -> Iterator[None]:
        """Keep every other trainer out; RunError if one is in. The operating system frees the lock of a process that died.

        `patience`: seconds to wait, for whoever asks for the state has the lock for a moment.
        """
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=patience, poll_interval=0.01)
        except filelock.Timeout:
            raise RunError(f"Another paznja is training in {self.path} right now; wait for it, or stop it with Ctrl-C.") from None
        try:
            yield
        finally:
            lock.release()

    def is_locked(self) -> bool:
        """Whether a trainer has the folder."""
        try:
            with self.locked(patience=0):
                return False
        except RunError:
            return True
        except OSError:  # a folder that may only be read has no trainer
            return False

    def send(self, command: str) -> None:
        """Ask the living trainer for one of `COMMANDS`; it is taken at its next iteration. WrongUse for any other."""
        if command not in COMMANDS:
            raise WrongUse(f"There is no command {command!r}; there are {', '.join(COMMANDS)}.")
        folder = self.path / "commands"
        folder.mkdir(exist_ok=True)
        write_atomically(folder / command, b"")

    def take_commands(self) -> list[str]:
        """The requests since the last time, removed from the folder."""
        taken: list[str] = []
        for command in COMMANDS:
            path = self.path / "commands" / command
            if path.exists():
                path.unlink(missing_ok=True)
                taken.append(command)
        return taken

    def remove(self) -> None:
        """Delete the folder with all that is in it; RunError while a trainer has it."""
        if self.is_locked():
            raise RunError(f"{self.path} is being trained right now; stop it first.")
        shutil.rmtree(self.path)


def all_runs(out: Path) -> list[Run]:
    """Every run below `out`, oldest first."""
    if not out.is_dir():
        return []
    found = [path for path in out.iterdir() if not path.name.startswith(".") and (path / "run.toml").is_file()]
    return [Run(path) for path in sorted(found, key=lambda path: ((path / "run.toml").stat().st_mtime, path.name))]


def _is_run(path: Path) -> bool:
    try:
        return (path / "run.toml").is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # what no folder can be called is no run
            return False
        raise


def check_name(name: str) -> None:
    """WrongUse unless a run can be called so."""
    if not name or name.startswith((".", "-")) or re.search(r'[/\\:*?"<>|\x00-\x1f\ud800-\udfff]', name) or len(name.encode()) > 200:
        shown = name if len(name) <= 200 else f"{name[:200]}..."
        raise WrongUse(f"A run cannot be called {shown!r}: use letters, digits, spaces, - and _, beginning with none of . and -.")


def check_free(out: Path, name: str) -> None:
    """WrongUse, naming the next free one, unless a new run below `out` can be called so."""
    check_name(name)
    if (out / name).exists():
        raise WrongUse(f"The name {name!r} is in use: there is a folder {out / name}. The next free one is {free_name(out, name)!r}.")


def free_name(out: Path, wanted: str, first: int = 2) -> str:
    """`wanted`-2, -3, ... (or from another number on): the first that no folder below `out` has."""
    number = first
    while (out / f"{wanted}-{number}").exists():
        number += 1
    return f"{wanted}-{number}"


def write_books_json(path: Path, books: Iterable[BookRecord], **more: Any) -> None:
    """`corpus.json`: the books, and whatever else is to be remembered with them."""
    content = {"format": FORMAT, **more, "books": [asdict(book) for book in books]}
    write_atomically(path, json.dumps(content, ensure_ascii=False, indent=1).encode())


def read_books_json(path: Path) -> list[BookRecord]:
    """The books of a `corpus.json`; RunError if it is missing, damaged or of another version."""
    try:
        return [BookRecord(**book) for book in _read_corpus_json(path)["books"]]
    except (KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}).") from None


def _read_corpus_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise RunError(f"{path} was written by another version of paznja: use that one.")
        return content
    except FileNotFoundError:
        raise RunError(f"{path} is missing. Copy the whole run folder.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}).") from None


def _flushed_size(path: Path) -> int:
    """The file's size, once all of it is on disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def _append_line(path: Path, line: Mapping[str, Any]) -> None:
    content = (json.dumps(line, ensure_ascii=False) + "\n").encode()
    with open(path, "ab", buffering=0) as file:
        before = file.tell()
        if file.write(content) != len(content):
            # A disk that filled up in the middle of the line: take the half back.
            file.truncate(before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines; a last one that is still being written is left for next time."""
    if not path.is_file():
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)
