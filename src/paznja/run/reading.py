"""Reading a run: `Run` opens its folder and says what is in it. It creates, locks and removes nothing, and can be asked at any time.

Files are replaced whole while it reads, so it never sees half of one.
"""

from __future__ import annotations

import difflib
import errno
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING

from paznja.config import Settings
from paznja.errors import RunError
from paznja.processes import is_running
from paznja.run import layout, lines, records
from paznja.run.layout import CHECKPOINT_FOLDER, WEIGHTS
from paznja.run.lines import MetricsLine, ProgressLine, SampleLine, SurpriseLine
from paznja.run.records import BookRecord, CheckpointRecord, NowRecord, RunRecord, ShelfRecord

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SILENT = 60.0
"""If a training on another machine has written nothing for this many seconds, it is taken for dead."""


class Run:
    """One run's folder, as everybody but its training sees it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @classmethod
    def named(cls, name: str, out: Path = Path("runs")) -> Run | None:
        """The run with this name in the folder `out`; None if there is none. Never follows a path out of `out`."""
        is_name = name not in ("", ".", "..") and name == Path(name).name
        return cls(out / name) if is_name and _is_run(out / name) else None

    @classmethod
    def open(cls, where: str | Path, out: Path = Path("runs")) -> Run:
        """The run with this name in `out`, or in the folder `where`; RunError, with the nearest names, if there is none."""
        run = cls.named(str(where), out)
        if run is None and _is_run(Path(where)):
            path = Path(where)
            run = cls(path if path.name not in ("", "..") else path.resolve())
        if run is not None:
            run.record()
            return run
        names = [run.name for run in all_runs(out)]
        near = difflib.get_close_matches(str(where), names, n=3, cutoff=0.4)
        hint = f" Did you mean {' or '.join(near)}?" if near else f" There are: {', '.join(names)}." if names else " There are none yet."
        shown = str(where) if len(str(where)) <= 200 else f"{str(where)[:200]}..."
        raise RunError(f"There is no run {shown!r} in {out}/.{hint}")

    # --- what it is -----------------------------------------------------------------------------------------------------------------

    def record(self) -> RunRecord:
        """What `run.toml` says; RunError if it is missing, damaged, or of a version that this program does not know."""
        return records.read_run(self.path / layout.RUN)

    def settings(self) -> Settings:
        """Every setting, with those that were picked automatically. RunError as for `record`."""
        return self.record().settings

    def corpus(self) -> ShelfRecord:
        """What the run knows about where its books are and how they were read. RunError as for `record`."""
        return self.record().corpus

    def books(self) -> tuple[BookRecord, ...]:
        """Every book, training first, in the order of `corpus.bin`. RunError if `corpus.json` is missing or damaged."""
        return records.read_books(self.path / layout.BOOKS).books

    def files(self) -> tuple[tuple[str, str, str], ...]:
        """(name, SHA-256, "held out" or "") of every file that the books were read from. RunError as for `books`."""
        return records.read_books(self.path / layout.BOOKS).files

    # --- how it goes ----------------------------------------------------------------------------------------------------------------

    def state(self) -> str:
        """ "training", or "paused", while a training has the folder.

        Otherwise "finished", "stopped" (it can be resumed), or "damaged" if its `run.toml` cannot be understood.
        """
        now = self.now()
        if now is not None:
            return "paused" if now.phase == "paused" else "training"
        try:
            self.record()
        except RunError:
            return "damaged"
        checkpoint = self.checkpoint()
        return "finished" if checkpoint and checkpoint.finished else "stopped"

    def now(self) -> NowRecord | None:
        """What the living training is doing; None if there is none."""
        path = self.path / layout.NOW
        now = records.read_now(path)
        if now is None:
            return None
        if now.host == platform.node():
            return now if is_running(now.process, path) else None
        try:
            return now if time.time() - path.stat().st_mtime < _SILENT else None
        except FileNotFoundError:
            return None

    def metrics(self) -> list[MetricsLine]:
        """The evaluations so far, oldest first."""
        return lines.read_metrics(self.path / layout.METRICS)

    def progress(self) -> list[ProgressLine]:
        """How training went, a line every few seconds, oldest first; empty for a run of an older version."""
        return lines.read_progress(self.path / layout.PROGRESS)

    def surprise(self) -> list[SurpriseLine]:
        """How surprising the run's held-out paragraph was at every row, oldest first; empty for a run that keeps no text."""
        return lines.read_surprise(self.path / layout.SURPRISE)

    def samples(self, *, rows_only: bool = False) -> list[SampleLine]:
        """The samples so far, oldest first; with `rows_only`, those of the table."""
        return [sample for sample in lines.read_samples(self.path / layout.SAMPLES) if sample["row"] or not rows_only]

    # --- checkpoints and weights ----------------------------------------------------------------------------------------------------

    def checkpoint(self) -> CheckpointRecord | None:
        """The newest checkpoint; None before the first. RunError if it is damaged, and no older one can be understood.

        The file `checkpoint` says which one it is or, if that is missing or damaged, the folders themselves.
        """
        try:
            checkpoint = records.read_checkpoint(self.path / layout.CHECKPOINT)
        except RunError:
            found = self.checkpoints()
            if not found:
                raise
            return found[0]
        return checkpoint or next(iter(self.checkpoints()), None)

    def checkpoints(self) -> list[CheckpointRecord]:
        """All checkpoints whose records can be understood, the newest first."""
        found: dict[str, CheckpointRecord] = {}
        for folder in self.checkpoint_folders():
            try:
                checkpoint = records.read_checkpoint(folder / layout.POSITION)
            except RunError:
                continue
            if checkpoint is not None and checkpoint.folder == folder.name:
                found[folder.name] = checkpoint
        try:
            latest = records.read_checkpoint(self.path / layout.CHECKPOINT)
        except RunError:
            latest = None
        if latest is not None and (self.path / latest.folder).is_dir():
            found[latest.folder] = latest
        return sorted(found.values(), key=lambda checkpoint: -checkpoint.iteration)

    def checkpoint_folders(self) -> list[Path]:
        """Every folder with a checkpoint's exact name, whatever is in it."""
        return sorted(path for path in self.path.glob("checkpoint-*") if CHECKPOINT_FOLDER.fullmatch(path.name) and path.is_dir())

    def read_checkpoint(self, file: str, checkpoint: CheckpointRecord | None = None) -> bytes:
        """A file of this checkpoint, or of the newest; RunError if there is no checkpoint or the file is missing."""
        checkpoint = checkpoint or self.checkpoint()
        if checkpoint is None:
            raise RunError(f"{self.path} has no checkpoint yet.")
        path = self.path / checkpoint.folder / file
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise RunError(f"{path} is missing: the checkpoint cannot be used. Copy the whole run folder.") from None
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error.strerror}): copy the whole run folder.") from None

    def read_weights(self, *, latest: bool = False) -> bytes:
        """The best weights, or with `latest` the newest checkpoint's, as safetensors; RunError if there are none yet.

        Before anything is scored, there are only the checkpoint's.
        """
        if latest:
            return self.read_checkpoint(WEIGHTS)
        try:
            return (self.path / WEIGHTS).read_bytes()
        except FileNotFoundError:
            if self.checkpoint() is not None:
                return self.read_checkpoint(WEIGHTS)
            when = "the first row of its table that is measured, or with its first checkpoint"
            raise RunError(f"The run {self.name!r} has no weights yet: they come with {when}.") from None

    # --- the books as ids -----------------------------------------------------------------------------------------------------------

    def training_ids(self, file: Path | None = None) -> NDArray[np.uint16]:
        """The training books' ids one after the other, memory-mapped from `corpus.bin`, or from another file with the same.

        RunError if it is missing or cut short.
        """
        books = self.books()
        return self._ids(books, file)[: sum(book.tokens for book in books if not book.held_out)]

    def held_out_ids(self, file: Path | None = None) -> list[NDArray[np.uint16]]:
        """The held-out books' ids, a book each, in the order of `books`. The file and RunError as for `training_ids`."""
        import numpy as np

        books = self.books()
        ids = self._ids(books, file)
        ends = np.cumsum([book.tokens for book in books])
        return [ids[end - book.tokens : end] for book, end in zip(books, ends, strict=True) if book.held_out]

    def _ids(self, books: tuple[BookRecord, ...], file: Path | None) -> NDArray[np.uint16]:
        import numpy as np

        path = file or self.path / layout.IDS
        if not path.is_file():
            raise RunError(f"{path} is missing: this run is without its books' text, so the books have to be named again.")
        wanted = sum(book.tokens for book in books)
        if path.stat().st_size != 2 * wanted:
            raise RunError(f"{path} is damaged: it should be {2 * wanted:,} bytes long and is {path.stat().st_size:,}.")
        return np.memmap(path, dtype=np.uint16, mode="r")


def all_runs(out: Path) -> list[Run]:
    """Every run in the folder `out`, oldest first."""
    if not out.is_dir():
        return []
    found = [path for path in out.iterdir() if not path.name.startswith(".") and (path / layout.RUN).is_file()]
    return [Run(path) for path in sorted(found, key=lambda path: ((path / layout.RUN).stat().st_mtime, path.name))]


def _is_run(path: Path) -> bool:
    try:
        return (path / layout.RUN).is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # no folder can have this name
            return False
        raise
    except ValueError:  # a zero byte
        return False
