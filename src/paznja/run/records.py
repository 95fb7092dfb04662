"""Every record that a run's folder holds: its fields, its version, and how an older version becomes this one.

Only this module, and `lines.py` for the logs, knows the keys of a run's files. A field that a later version adds gets a default
here, so that older runs stay readable; a change of meaning gets a new version number, and a function that turns the older record
into the new one.
"""

from __future__ import annotations

import json
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from paznja.config import Settings, Stretch
from paznja.config.setting import of_kind, plain
from paznja.errors import RunError
from paznja.run.layout import CHECKPOINT_FOLDER, LOGS

RUN_FORMAT = 2
"""The version of `run.toml`, and with it of the whole folder. 1: one budget, among the settings; 2: a list of stretches."""
BOOKS_FORMAT = 1
"""The version of `corpus.json`."""
CHECKPOINT_FORMAT = 2
"""The version of `checkpoint` and `position.json`. 1: one flat list of fields; 2: each part of the training has its own."""

Record = TypeVar("Record")


# --- run.toml -------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShelfRecord:
    """What a run knows about where its books are and how they were read: [corpus] in `run.toml`."""

    places: tuple[str, ...] = ()
    """Where the books were; empty if the run does not keep their text."""
    kept: bool = True
    """Whether the run keeps the books' text, as ids."""
    fingerprint: str = ""
    script: str = "other"
    """The script of most of the text: "cyrillic", "latin" or "other"."""
    training_characters: int = 0
    held_out_characters: int = 0
    unreadable: tuple[str, ...] = ()
    """The files that could not be read, with the reasons."""
    held_out: tuple[str, ...] | None = None
    """The files that a person chose to hold out; None if they were chosen automatically."""


@dataclass(frozen=True)
class RunRecord:
    """What a run is: `run.toml`."""

    settings: Settings
    """Every setting: those that were asked for (`Settings.asked`) and those that were picked."""
    stretches: tuple[Stretch, ...]
    """Every stretch of training that the run was given, oldest first."""
    corpus: ShelfRecord = ShelfRecord()
    created: str = ""
    """When, in ISO 8601."""
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str | int] = field(default_factory=dict)

    def to_toml(self) -> bytes:
        """The content of `run.toml`."""
        import tomli_w

        about = {"format": RUN_FORMAT, "created": self.created, "versions": dict(self.versions), "machine": dict(self.machine)}
        corpus, stretches = plain(asdict(self.corpus)), [plain(asdict(stretch)) for stretch in self.stretches]
        return tomli_w.dumps({**about, "corpus": corpus, "settings": self.settings.to_dict(), "stretches": stretches}).encode()


def read_run(path: Path) -> RunRecord:
    """What this `run.toml` says; RunError if it is missing, damaged, or of a version that this program does not know."""
    try:
        about = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path.parent} is not a run: it has no {path.name}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path} is damaged ({error}).") from None
    if about.get("format") == 1:
        about = _run_from_1(about)
    if about.get("format") != RUN_FORMAT:
        raise RunError(
            f"{path.parent} is of format {about.get('format')!r}, and this version of paznja knows "
            f"format {RUN_FORMAT}: use the version that made it."
        )
    for name in ("settings", "corpus"):
        if not isinstance(about.get(name), dict):
            raise RunError(f"{path} is damaged: it has no section [{name}]. Copy the whole run folder.")
    stretches = about.get("stretches")
    if not isinstance(stretches, list) or not stretches:
        raise RunError(f"{path} is damaged: it has no section [[stretches]]. Copy the whole run folder.")
    read = tuple(_read(Stretch, stretch, path) for stretch in stretches)
    if any(stretch.minutes is None and stretch.iterations is None for stretch in read):
        raise RunError(f"{path} is damaged: a stretch has neither minutes nor iterations. Copy the whole run folder.")
    return RunRecord(
        settings=Settings.from_dict(about["settings"]),
        stretches=read,
        corpus=_read(ShelfRecord, about["corpus"], path),
        created=str(about.get("created", "")),
        versions=_mapping(about.get("versions")),
        machine=_mapping(about.get("machine")),
    )


def _run_from_1(about: dict[str, Any]) -> dict[str, Any]:
    """The first version had the latest stretch among the settings of the training."""
    settings = about.get("settings")
    training = settings.get("training") if isinstance(settings, dict) else None
    if not isinstance(settings, dict) or not isinstance(training, dict):
        return {**about, "format": 2, "stretches": [{}]}
    names = [one.name for one in fields(Stretch)]
    stretch = {name: training[name] for name in names if name in training}
    rest = {name: value for name, value in training.items() if name not in names}
    return {**about, "format": 2, "settings": {**settings, "training": rest}, "stretches": [stretch]}


# --- corpus.json ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BookRecord:
    """One book of the run's corpus, as `corpus.json` keeps it."""

    title: str
    author: str
    file: str
    """The file's name, without its folder."""
    part: str
    """Empty for a whole book; "beginning" or "end" if a single book was cut to have something held out."""
    sha256: str
    characters: int
    tokens: int
    """How many ids of `corpus.bin` are this book's."""
    held_out: bool

    @property
    def name(self) -> str:
        """Title and author as a person would say them."""
        return self.title + (f" ({self.author})" if self.author else "")


@dataclass(frozen=True)
class BooksRecord:
    """The books of a run or of a prepared shelf: `corpus.json`."""

    books: tuple[BookRecord, ...]
    fingerprint: str = ""
    files: tuple[tuple[str, str, str], ...] = ()
    """(name, SHA-256, "held out" or "") of every file that the books were read from."""

    def to_json(self) -> bytes:
        """The content of `corpus.json`."""
        files = [list(file) for file in self.files]
        books = [asdict(book) for book in self.books]
        return to_json({"format": BOOKS_FORMAT, "fingerprint": self.fingerprint, "files": files, "books": books})


def read_books(path: Path) -> BooksRecord:
    """What this `corpus.json` says; RunError if it is missing, damaged or of another version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != BOOKS_FORMAT:
            raise RunError(f"{path} was written by another version of paznja: use that one.")
        books = tuple(_read(BookRecord, book, path) for book in content["books"])
        files = tuple((str(name), str(sha256), str(use)) for name, sha256, use in content.get("files", []))
        return BooksRecord(books, str(content.get("fingerprint", "")), files)
    except FileNotFoundError:
        raise RunError(f"{path} is missing. Copy the whole run folder.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged ({error}).") from None


# --- checkpoint, position.json --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CheckpointRecord:
    """A checkpoint without its tensors: the file `checkpoint`, and `position.json` in the checkpoint's folder."""

    folder: str
    """The name of the folder with the tensors."""
    iteration: int
    seconds: float
    """Seconds of training so far."""
    finished: bool
    """Whether the budget was spent."""
    sizes: Mapping[str, int]
    """Bytes of each of the `LOGS` at that moment."""
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The `state_dict` of every part of the training, by the part's name."""

    def to_json(self) -> bytes:
        """The content of both files."""
        whole = asdict(self)
        return to_json({"format": CHECKPOINT_FORMAT, "checkpoint": whole.pop("folder"), **whole})


def read_checkpoint(path: Path) -> CheckpointRecord | None:
    """What the file `checkpoint`, or the copy of it in a folder, says; None if it is missing, RunError if it is damaged."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}).") from None
    if not isinstance(plain, dict):
        raise RunError(f"{path} is damaged: it should name the last checkpoint.")
    if plain.get("format") == 1:
        plain = _checkpoint_from_1(plain)
    if plain.get("format") != CHECKPOINT_FORMAT:
        raise RunError(f"{path} was written by another version of paznja: use that one to go on.")
    record = _read(CheckpointRecord, {**plain, "folder": plain.get("checkpoint")}, path)
    whole = all(isinstance(record.sizes.get(file), int) for file in LOGS) and all(isinstance(part, dict) for part in record.parts.values())
    if not CHECKPOINT_FOLDER.fullmatch(record.folder) or not whole:
        raise RunError(f"{path} is damaged: a field is not what it should be.")
    return record


PARTS_OF_1 = {
    "batches": ("windows_drawn",),
    "meter": ("characters_seen", "training_bits"),
    "evaluator": ("best_held_out", "evaluated_at", "scoring_speed", "scoring_seconds"),
    "sampler": ("row_at", "sampled_between", "sampled_last", "sampling_seconds"),
}
"""Which part of the training each field of the first version belongs to."""


def _checkpoint_from_1(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The first version had the fields of all parts side by side, and the first of its runs lack some."""
    parts = {part: {name: plain[name] for name in names if name in plain} for part, names in PARTS_OF_1.items()}
    common = {name: plain[name] for name in ("checkpoint", "iteration", "seconds", "finished", "sizes") if name in plain}
    return {"format": 2, **common, "parts": parts}


# --- now.json -------------------------------------------------------------------------------------------------------------------------

PHASES = ("preparing", "reading", "counting", "learning", "scoring", "paused")
"""What a living training can be doing."""


@dataclass(frozen=True)
class Answer:
    """A request that was obeyed."""

    number: int
    request: str
    iteration: int
    """When it was obeyed."""


@dataclass(frozen=True)
class NowRecord:
    """What a living training is doing: `now.json`, which is there only while a training has the folder."""

    phase: str
    """One of `PHASES`."""
    process: int
    """The number of the training's process."""
    host: str
    """The machine it runs on."""
    iteration: int = 0
    seconds: float = 0.0
    """Seconds of training so far."""
    fraction: float = 0.0
    """How much of the budget is spent, from 0 to 1."""
    seconds_left: float | None = None
    training_bits: float | None = None
    """Bits per character on the latest batches, smoothed."""
    characters_per_second: float | None = None
    answers: tuple[Answer, ...] = ()
    """The latest requests that were obeyed, oldest first."""

    def to_json(self) -> bytes:
        """The content of `now.json`."""
        return to_json(asdict(self))


def read_now(path: Path) -> NowRecord | None:
    """What this `now.json` says; None if it is missing or cannot be understood."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        answers = tuple(_read(Answer, answer, path) for answer in plain.pop("answers", ()))
        return replace(_read(NowRecord, plain, path), answers=answers)
    except (OSError, ValueError, AttributeError, TypeError, RunError):
        return None


# --- plain values ---------------------------------------------------------------------------------------------------------------------


def to_json(value: Mapping[str, Any]) -> bytes:
    """The record as JSON for a file."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _read(kind: type[Record], plain: Any, path: Path) -> Record:
    """A dataclass from the values of its fields; keys that it does not have are left out. RunError if a value is of the wrong type."""
    if not isinstance(plain, dict):
        raise RunError(f"{path} is damaged: it should hold a record.")
    kinds = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for name in plain.keys() & kinds.keys():
        try:
            values[name] = of_kind(plain[name], kinds[name])
        except TypeError:
            raise RunError(f"{path} is damaged: {name} is not what it should be.") from None
    try:
        return kind(**values)
    except TypeError as error:
        raise RunError(f"{path} is damaged ({error}).") from None
