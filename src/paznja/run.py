"""A run is a folder, and this is the folder: its layout, reading, writing and locking. Knows no torch.

JSON lines are appended and flushed whole; every other file is written beside itself, flushed to disk and renamed, so that
a reader never sees half a file and a power cut leaves the previous one. A checkpoint is a new folder and becomes the valid
one by the renaming of one small file.
`docs/design.md` lists every file.
"""

from __future__ import annotations

import difflib
import errno
import itertools
import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import tomli_w
from numpy.typing import NDArray

from paznja.config import Settings
from paznja.disk import flush_folder, link_or_copy, remove_known, write_atomically
from paznja.errors import NameTaken, RunError, WrongUse
from paznja.table import markdown_table

FORMAT = 1
"""Of the whole folder; a reader refuses any other."""

NUM_CHECKPOINTS_KEPT = 2

WEIGHTS = "model.safetensors"
MEMORY = "memory.safetensors"
"""What was counted in the books, where the run has a counted memory."""

QWEN3_CONFIG = "config.json"
"""The network's shape as other programs read it, where it has no memory."""

LOGS = ("metrics.jsonl", "samples.jsonl")

PROGRESS = "progress.jsonl"
"""How training goes, every few seconds. Thinned as it grows, so no size of it is remembered as for the other logs."""

COMMANDS = ("stop", "pause", "go-on", "sample")
"""What a living trainer can be asked for through the folder: stop and save, wait, go on, write a row of the table now."""


_PROGRESS_FIELDS = ("iteration", "seconds", "training_bits", "characters_seen", "characters_per_second")
_CHECKPOINT = re.compile(r"checkpoint-\d{8,}")
_CHECKPOINT_FILES = frozenset({WEIGHTS, "optimizer.safetensors", "position.json"})
_PART = re.compile(r"\.(?:run\.toml|samples\.md|progress\.jsonl|checkpoint|config\.json|position\.json|\w+\.safetensors)\.\d+\.part")
_MAKING = re.compile(r"\.checkpoint-\d{8,}\.new")
_REQUEST = re.compile(r"(\d{8,})-(stop|pause|go-on|sample)")
_DAMAGED = re.compile(r"checkpoint-\d{8,}\.damaged(?:-\d+)?")
_BEFORE = re.compile(r"before-\d+")
_LOCK = ".lock"
_FILES = frozenset(
    {"run.toml", "corpus.json", "corpus.bin", "tokenizer.json", *LOGS, PROGRESS, "samples.md", WEIGHTS, MEMORY, "checkpoint", QWEN3_CONFIG}
)


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

        WrongUse for a name that cannot be a folder's, NameTaken for one that is in use (the message names the next free one).
        """
        check_free(out, name)
        path = out / name
        out.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir()  # the name is this process's from here on
        except FileExistsError:
            check_free(out, name)
            raise
        try:
            for file in ("corpus.json", "tokenizer.json"):
                shutil.copyfile(prepared / file, path / file)
            for file in LOGS:
                (path / file).touch()
            if with_corpus:
                link_or_copy(prepared / "corpus.bin", path / "corpus.bin")
            # What makes the folder a run, so it comes last: a crash before it leaves no half run that looks like a whole one.
            write_atomically(path / "run.toml", tomli_w.dumps({"format": FORMAT, **about}).encode())
        except BaseException:
            with suppress(OSError):
                remove_known(path, _is_own_file)
            raise
        return cls(path)

    @classmethod
    def open(cls, where: str | Path, out: Path = Path("runs")) -> Run:
        """The run of this name below `out`, or in the folder `where`; RunError, with the nearest names, if there is none."""
        for path in (out / where, Path(where)):
            if _is_run(path):
                run = cls(path if path.name not in ("", "..") else path.resolve())
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
        return list(_read_lines(self.path / "metrics.jsonl", ("iteration",)))

    def progress(self) -> list[dict[str, Any]]:
        """How training went, a line every few seconds, oldest first; empty for a run of an older version."""
        lines = _read_lines(self.path / PROGRESS, _PROGRESS_FIELDS)
        return [line for line in lines if all(isinstance(line[field], int | float) for field in _PROGRESS_FIELDS)]

    def samples(self, *, rows_only: bool = False) -> list[dict[str, Any]]:
        """The samples so far, oldest first; those of the table alone where asked."""
        lines = _read_lines(self.path / "samples.jsonl", ("iteration", "seconds", "prompt", "text", "row"))
        return [sample for sample in lines if sample["row"] or not rows_only]

    def position(self) -> dict[str, Any] | None:
        """Of the newest checkpoint: {"checkpoint": its folder, "iteration", "seconds", "finished", ...}; None before the first.

        That is what the file `checkpoint` says; where it is missing or damaged, what the newest of the folders says.
        """
        try:
            position = _read_position(self.path / "checkpoint")
        except RunError:
            found = self.checkpoints()
            if not found:
                raise
            return found[0]
        return position or next(iter(self.checkpoints()), None)

    def checkpoints(self) -> list[dict[str, Any]]:
        """The positions of all checkpoints that say of themselves what they are, the newest first."""
        found: dict[str, dict[str, Any]] = {}
        for folder in self.checkpoint_folders():
            try:
                position = _read_position(folder / "position.json")
            except RunError:
                continue
            if position is not None and position["checkpoint"] == folder.name:
                found[folder.name] = position
        try:
            latest = _read_position(self.path / "checkpoint")
        except RunError:
            latest = None
        if latest is not None and (self.path / latest["checkpoint"]).is_dir():
            found[latest["checkpoint"]] = latest
        return sorted(found.values(), key=lambda position: -position["iteration"])

    def checkpoint_folders(self) -> list[Path]:
        """Every folder of a checkpoint's exact name, whatever is in it."""
        return sorted(path for path in self.path.glob("checkpoint-*") if _CHECKPOINT.fullmatch(path.name) and path.is_dir())

    def state(self) -> str:
        """ "training" while a trainer has the folder, else "finished" or "stopped" (it can be resumed); "damaged" without its run.toml."""
        if self.is_locked():
            return "training"
        try:
            self.about()
        except RunError:
            return "damaged"
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

    def append_progress(self, line: Mapping[str, Any]) -> None:
        """Add a line about how training goes."""
        _append_line(self.path / PROGRESS, line)

    def thin_progress(self) -> int:
        """Leave every second line about the progress out, but not the first and the newest; how many are left."""
        lines = self.progress()
        lines = [*lines[:1], *lines[1:][::-2][::-1]]
        self._write_progress(lines)
        return len(lines)

    def _write_progress(self, lines: Iterable[Mapping[str, Any]]) -> None:
        write_atomically(self.path / PROGRESS, "".join(_line(line) for line in lines).encode())

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
        folder, making = self.path / name, self.path / f".{name}.new"
        sizes = {file: _flushed_size(self.path / file) for file in LOGS}
        content = _json({"format": FORMAT, "checkpoint": name, **position, "sizes": sizes})
        current = self.position()
        if not (folder.is_dir() and current and current["checkpoint"] == name):
            # Written beside and renamed: a folder with a checkpoint's name is whole.
            _remove_making(making)
            making.mkdir()
            try:
                for file, its_content in files.items():
                    write_atomically(making / file, its_content)
                write_atomically(making / "position.json", content)
                if os.path.lexists(folder):  # a damaged one, which nobody goes on from
                    os.replace(folder, _free(self.path, f"{name}.damaged"))
                os.replace(making, folder)
                flush_folder(self.path)
            except BaseException:
                _remove_making(making)
                raise
        else:
            write_atomically(folder / "position.json", content)
        write_atomically(self.path / "checkpoint", content)
        for empty in self.checkpoint_folders():  # what a trainer that was killed while it removed one left
            with suppress(OSError):
                empty.rmdir()
        older = [it["checkpoint"] for it in self.checkpoints() if it["iteration"] < position["iteration"]]
        for old in older[NUM_CHECKPOINTS_KEPT - 1 :]:
            with suppress(OSError):
                for file in _CHECKPOINT_FILES - {"position.json"}:  # which says what it is as long as anything of it is there
                    (self.path / old / file).unlink(missing_ok=True)
                remove_known(self.path / old, _CHECKPOINT_FILES.__contains__)

    def read_checkpoint(self, file: str, position: Mapping[str, Any] | None = None) -> bytes:
        """A file of this checkpoint, or of the newest; RunError if there is no checkpoint or the file is missing."""
        position = self.position() if position is None else position
        if position is None:
            raise RunError(f"{self.path} has no checkpoint yet.")
        path = self.path / position["checkpoint"] / file
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise RunError(f"{path} is missing: the checkpoint cannot be used. Copy the whole run folder.") from None
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error.strerror}): copy the whole run folder.") from None

    def extend(self, about: Mapping[str, Any]) -> None:
        """Write `run.toml` anew, for another stretch of training, and take the mark of being finished away."""
        write_atomically(self.path / "run.toml", tomli_w.dumps({**about, "format": FORMAT}).encode())
        position = self.position()
        if position is not None:
            content = _json({**position, "finished": False})
            write_atomically(self.path / position["checkpoint"] / "position.json", content)
            write_atomically(self.path / "checkpoint", content)

    def read_weights(self, *, latest: bool = False) -> bytes:
        """The best weights, or the newest checkpoint's, as safetensors; RunError if there are none yet.

        Where nothing was scored yet, the checkpoint's are all there is.
        """
        if latest:
            return self.read_checkpoint(WEIGHTS)
        try:
            return (self.path / WEIGHTS).read_bytes()
        except FileNotFoundError:
            if self.position() is not None:
                return self.read_checkpoint(WEIGHTS)
            when = "the first row of its table that is measured, or with its first checkpoint"
            raise RunError(f"The run {self.name!r} has no weights yet: they come with {when}.") from None

    def cut_back(self, position: Mapping[str, Any] | None) -> str:
        """Undo what was logged after the checkpoint that training goes on from, so that it is written again; gives a remark, or "".

        Where that is not the newest one the logs are copied into a folder `before-N` first, and without any checkpoint what there was,
        the weights too, is moved there. What a killed trainer left half done goes. The caller holds the lock.
        """
        newest = self.position()
        kept = [file for file in (*LOGS, PROGRESS, WEIGHTS) if os.path.isfile(self.path / file) and os.path.getsize(self.path / file)]
        remark = ""
        if position is None and kept:
            before = _free(self.path, "before", 1)
            before.mkdir()
            for file in kept:
                os.replace(self.path / file, before / file)
            remark = f"There is no checkpoint to go on from, so it begins anew; what it had so far is in {before}."
        elif position is not None and newest is not None and position["iteration"] < newest["iteration"]:
            before = _free(self.path, "before", 1)
            before.mkdir()
            for file in (*LOGS, PROGRESS):
                if file in kept:
                    shutil.copyfile(self.path / file, before / file)
            remark = f"What was logged after iteration {position['iteration']:,} is kept in {before}."
        for file in LOGS:
            path = self.path / file
            path.touch()
            # A power cut may have taken lines from before the checkpoint too, and left half of one.
            content = path.read_bytes()[: position["sizes"][file] if position else 0]
            os.truncate(path, content.rfind(b"\n") + 1)
        if position is not None and (self.path / PROGRESS).is_file():
            self._write_progress(line for line in self.progress() if line["iteration"] <= position["iteration"])
        if (position is not None and position != newest) or (position is not None and not (self.path / "checkpoint").is_file()):
            write_atomically(self.path / "checkpoint", _json(position))
        for left_over in list(self.path.iterdir()):
            if _PART.fullmatch(left_over.name) and left_over.is_file():
                left_over.unlink()
            elif _MAKING.fullmatch(left_over.name):
                _remove_making(left_over)
        self.write_table()
        return remark

    # --- living with others ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def locked(self, *, patience: float = 0.5) -> Iterator[None]:
        """Keep every other trainer out; RunError if one is in. The operating system frees the lock of a process that died.

        `patience`: seconds to wait, for whoever asks for the state has the lock for a moment.
        """
        lock = filelock.FileLock(self.path / _LOCK)
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
        number = max((int(name[1]) for name in map(_REQUEST.fullmatch, os.listdir(folder)) if name), default=0)
        while True:
            number += 1
            if any(folder.glob(f"{number:08d}-*")):
                continue
            with suppress(FileExistsError):
                os.close(os.open(folder / f"{number:08d}-{command}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                return

    def take_commands(self) -> list[str]:
        """The requests since the last time, in the order in which they were sent; removed from the folder."""
        try:
            names = os.listdir(self.path / "commands")
        except FileNotFoundError:
            return []
        taken = sorted((int(match[1]), match[2], match[0]) for match in map(_REQUEST.fullmatch, names) if match)
        for _, _, name in taken:
            (self.path / "commands" / name).unlink(missing_ok=True)
        return [command for _, command, _ in taken]

    def remove(self) -> list[Path]:
        """Delete all that is the program's own, and the folder if nothing else is in it; gives what stays.

        RunError while a trainer has it.
        """
        try:
            with self.locked(patience=0):
                for path in list(self.path.iterdir()):
                    is_known = _is_known_in(path.name)
                    if is_known is not None:
                        remove_known(path, is_known)
                # What makes it a run goes last, so that a removal that was cut off can be done again.
                remove_known(self.path, lambda name: name not in ("run.toml", _LOCK) and _is_own_file(name))
                (self.path / "run.toml").unlink(missing_ok=True)
        except RunError:
            raise RunError(f"{self.path} is being trained right now; stop it first.") from None
        remove_known(self.path, _is_own_file)
        return sorted(self.path.iterdir()) if self.path.is_dir() else []


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
    """NameTaken, naming the next free one, or WrongUse, unless a new run below `out` can be called so."""
    check_name(name)
    if os.path.lexists(out / name):
        raise NameTaken(f"The name {name!r} is in use: there is a folder {out / name}. The next free one is {free_name(out, name)!r}.")


def free_name(out: Path, wanted: str, first: int = 2) -> str:
    """`wanted`-2, -3, ... (or from another number on): the first that no folder below `out` has."""
    number = first
    while os.path.lexists(out / f"{wanted}-{number}"):
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


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _append_line(path: Path, line: Mapping[str, Any]) -> None:
    content = _line(line).encode()
    with open(path, "ab", buffering=0) as file:
        before = file.tell()
        if file.write(content) != len(content):
            # A disk that filled up in the middle of the line: take the half back.
            file.truncate(before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _read_lines(path: Path, needed: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The whole lines that have what is needed; a last one that is still being written is left for next time, a damaged one left out."""
    needed = frozenset(needed)
    if not path.is_file():
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.endswith("\n"):
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict) and needed <= record.keys():
                yield record


def _read_position(path: Path) -> dict[str, Any] | None:
    """What the file `checkpoint`, or the copy of it in a folder, says; None if it is missing, RunError if it is damaged."""
    try:
        position = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}).") from None
    if not isinstance(position, dict):
        raise RunError(f"{path} is damaged: it should name the last checkpoint.")
    if position.get("format") != FORMAT:
        raise RunError(f"{path} was written by another version of paznja: use that one to go on.")
    kinds = {"checkpoint": str, "iteration": int, "seconds": (int, float), "finished": bool, "sizes": dict}
    wrong = [name for name, kind in kinds.items() if not isinstance(position.get(name), kind)]
    if wrong or not _CHECKPOINT.fullmatch(position["checkpoint"]) or not position["sizes"].keys() >= set(LOGS):
        raise RunError(f"{path} is damaged: {', '.join(wrong) or 'a field'} is not what it should be.")
    return position


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def _free(folder: Path, name: str, first: int = 0) -> Path:
    """`name` in the folder, or with the first number behind it that nothing there has."""
    numbers = itertools.count(first)
    names = (folder / (f"{name}-{number}" if number else name) for number in numbers)
    return next(path for path in names if not os.path.lexists(path))


def _remove_making(making: Path) -> None:
    """A folder in which a checkpoint was being made."""
    remove_known(making, _is_checkpoint_file)


def _is_checkpoint_file(name: str) -> bool:
    return name in _CHECKPOINT_FILES or _PART.fullmatch(name) is not None


def _is_own_file(name: str) -> bool:
    """Whether a file of this name in a run's folder is the program's."""
    return name in _FILES or name == _LOCK or _PART.fullmatch(name) is not None


def _is_known_in(folder: str) -> Callable[[str], bool] | None:
    """Which files are the program's in a folder of this name within a run's; None where the folder itself is not."""
    if folder == "commands":
        return lambda name: _REQUEST.fullmatch(name) is not None
    if _BEFORE.fullmatch(folder):
        return lambda name: name in _FILES
    if any(pattern.fullmatch(folder) for pattern in (_CHECKPOINT, _DAMAGED, _MAKING)):
        return _is_checkpoint_file
    return None
