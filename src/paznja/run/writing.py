"""Writing a run: `RunWriter` exists only while it holds the run's lock, and nobody else writes, cuts back or removes in the folder.

JSON lines are appended and flushed whole; every other file is written beside itself, flushed to disk and renamed, so that a reader never
sees half a file and a power cut leaves the previous one. A checkpoint is a new folder, and becomes the valid one by the renaming of one
small file.
"""

from __future__ import annotations

import errno
import itertools
import os
import platform
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import filelock

from paznja.config import Settings, Stretch
from paznja.disk import flush_folder, link_or_copy, remove, remove_folder, remove_known, rename, write_atomically
from paznja.errors import RunError
from paznja.run import layout
from paznja.run.layout import (
    CHECKPOINT,
    IDS,
    LOGS,
    LOGS_BY_ITERATION,
    POSITION,
    PROGRESS,
    RUN,
    SURPRISE,
    TABLE,
    WEIGHTS,
    check_free,
    checkpoint_name,
    is_checkpoint_file,
)
from paznja.run.lines import MetricsLine, ProgressLine, SampleLine, SurpriseLine, to_line
from paznja.run.reading import Run
from paznja.run.records import Answer, CheckpointRecord, NowRecord, RunRecord, read_now
from paznja.run.requests import waiting
from paznja.table import markdown_table

NUM_CHECKPOINTS_KEPT = 2

NOW_SECONDS = 1.0
"""At least this many seconds pass between two writings of `now.json`, unless something else has begun or a request is answered."""

_PHASE_SECONDS = 0.1  # the same for a change of what the training is doing
_NUM_ANSWERS_KEPT = 20


class RunWriter:
    """A run's folder, held against every other training: a context manager that gives it back at the end."""

    def __init__(self, run: Run, lock: filelock.BaseFileLock) -> None:
        """Call `create` or `open` instead: they take the lock."""
        self.run = run
        self._path, self._lock = run.path, lock
        self._now = NowRecord("preparing", os.getpid(), platform.node())
        self._is_watched = not _is_strangers(self._path / layout.NOW)
        self._shown: tuple[str, float] = ("", float("-inf"))
        self._show_now()

    @classmethod
    def create(cls, out: Path, name: str, record: RunRecord, prepared: Path, *, with_corpus: bool = True) -> RunWriter:
        """Make the folder `out/name` with `run.toml`, the tokenizer and the books as ids, from the folder of prepared data.

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
        lock: filelock.BaseFileLock | None = None
        try:
            lock = _locked(path)
            for file in (layout.BOOKS, layout.TOKENIZER):
                shutil.copyfile(prepared / file, path / file)
            for file in LOGS:
                (path / file).touch()
            if with_corpus:
                link_or_copy(prepared / IDS, path / IDS)
            # What makes the folder a run, so it comes last: a crash before it leaves no half run that looks like a whole one.
            write_atomically(path / RUN, record.to_toml())
            return cls(Run(path), lock)
        except BaseException:
            if lock is not None:
                lock.release()
            with suppress(OSError):
                remove_known(path, layout.is_own_file)
            raise

    @classmethod
    def open(cls, run: Run, *, patience: float = 0.5) -> RunWriter:
        """Take the lock of this run; RunError if another training has it. The operating system frees the lock of a process that died.

        `patience`: seconds to wait for the lock.
        """
        return cls(run, _locked(run.path, patience))

    def close(self) -> None:
        """Give the folder back."""
        with suppress(OSError):
            if self._is_watched:
                remove(self._path / layout.NOW)
        self._lock.release()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # --- what the training is doing -------------------------------------------------------------------------------------------------

    def show(self, phase: str, **progress: Any) -> None:
        """Let everybody see what the training is doing: one of `records.PHASES`, and fields of `NowRecord` that have changed."""
        self._now = replace(self._now, phase=phase, **progress)
        last, when = self._shown
        if time.monotonic() - when >= (NOW_SECONDS if phase == last else _PHASE_SECONDS):
            self._show_now()

    def requests(self) -> list[tuple[int, str]]:
        """What the training is asked for: (number, request), in the order in which they were sent. They stay until they are answered."""
        self.show(self._now.phase)  # a training that waits has nothing else to show it for
        return waiting(self.run)

    def answer(self, number: int, request: str, iteration: int) -> None:
        """Say that this request was obeyed, and remove it."""
        answers = (*self._now.answers, Answer(number, request, iteration))[-_NUM_ANSWERS_KEPT:]
        self._now = replace(self._now, answers=answers)
        self._show_now()
        remove(self._path / layout.REQUESTS / f"{number:08d}-{request}")

    def _show_now(self) -> None:
        self._shown = (self._now.phase, time.monotonic())
        if not self._is_watched:
            return
        with suppress(OSError):  # nobody's training ends because it cannot be watched
            write_atomically(self._path / layout.NOW, self._now.to_json(), durable=False, sleep=lambda _seconds: None)

    # --- logs -----------------------------------------------------------------------------------------------------------------------

    def append_metrics(self, line: MetricsLine) -> None:
        """Add an evaluation."""
        _append_line(self._path / layout.METRICS, line)

    def append_progress(self, line: ProgressLine) -> None:
        """Add a line about how training goes."""
        _append_line(self._path / PROGRESS, line)

    def thin_progress(self) -> int:
        """Leave out every second line about the progress, but not the first and the newest; returns how many are left."""
        lines = self.run.progress()
        lines = [*lines[:1], *lines[1:][::-2][::-1]]
        self._write_lines(PROGRESS, lines)
        return len(lines)

    def _write_lines(self, file: str, lines: Iterable[Mapping[str, Any]]) -> None:
        write_atomically(self._path / file, b"".join(map(to_line, lines)))

    def append_surprise(self, line: SurpriseLine) -> None:
        """Add a line about the held-out paragraph."""
        _append_line(self._path / SURPRISE, line)

    def append_sample(self, line: SampleLine) -> None:
        """Add a sample; if it is a row of the table, `samples.md` is written again."""
        _append_line(self._path / layout.SAMPLES, line)
        if line["row"]:
            self._write_table()

    def _write_table(self) -> None:
        write_atomically(self._path / TABLE, markdown_table(self.run.samples(rows_only=True)).encode())

    # --- files ----------------------------------------------------------------------------------------------------------------------

    def write_file(self, name: str, content: bytes) -> None:
        """A whole file under one of the names in `layout`, all or nothing."""
        assert layout.is_own_file(name)
        write_atomically(self._path / name, content)

    def forget_ids(self) -> None:
        """Remove the books' ids, if an earlier version was killed while it had them in the folder of a run that does not keep them."""
        remove(self._path / IDS)

    def write_checkpoint(
        self, iteration: int, seconds: float, parts: Mapping[str, Mapping[str, Any]], files: Mapping[str, bytes], *, finished: bool
    ) -> None:
        """A new checkpoint folder with these files; then it becomes the valid one; then all but the last two go.

        `parts`: the `state_dict` of every part of the training.
        """
        name = checkpoint_name(iteration)
        folder, making = self._path / name, self._path / f".{name}.new"
        sizes = {file: _flushed_size(self._path / file) for file in LOGS}
        content = CheckpointRecord(name, iteration, seconds, finished, sizes, parts).to_json()
        current = self.run.checkpoint()
        if not (folder.is_dir() and current and current.folder == name):
            # Written beside and renamed: a folder with a checkpoint's name is whole.
            remove_known(making, is_checkpoint_file)
            making.mkdir()
            try:
                for file, its_content in files.items():
                    write_atomically(making / file, its_content)
                write_atomically(making / POSITION, content)
                if os.path.lexists(folder):  # a damaged one, which nobody goes on from
                    rename(folder, _free(self._path, f"{name}.damaged"))
                rename(making, folder)
                flush_folder(self._path)
            except BaseException:
                remove_known(making, is_checkpoint_file)
                raise
        else:
            write_atomically(folder / POSITION, content)
        write_atomically(self._path / CHECKPOINT, content)
        self._remove_older_checkpoints(iteration)

    def _remove_older_checkpoints(self, iteration: int) -> None:
        for empty in self.run.checkpoint_folders():  # a training that was killed while it removed one left it
            with suppress(OSError):
                remove_folder(empty)
        older = [checkpoint.folder for checkpoint in self.run.checkpoints() if checkpoint.iteration < iteration]
        for old in older[NUM_CHECKPOINTS_KEPT - 1 :]:
            with suppress(OSError):
                for file in (WEIGHTS, layout.OPTIMIZER):  # before its record, which says what it is as long as anything of it is there
                    remove(self._path / old / file)
                remove_known(self._path / old, lambda name: name == POSITION)

    def use_settings(self, settings: Settings) -> None:
        """Let the run's record say that it goes on with these settings."""
        write_atomically(self._path / RUN, replace(self.run.record(), settings=settings).to_toml())

    def begin_stretch(self, stretch: Stretch) -> None:
        """Give the run another stretch of training, and take the mark of being finished away.

        A stretch in which nothing was learnt is replaced.
        """
        record = self.run.record()
        earlier = tuple(one for one in record.stretches if one.from_iteration < stretch.from_iteration)
        write_atomically(self._path / RUN, replace(record, stretches=(*earlier, stretch)).to_toml())
        checkpoint = self.run.checkpoint()
        if checkpoint is not None:
            content = replace(checkpoint, finished=False).to_json()
            write_atomically(self._path / checkpoint.folder / POSITION, content)
            write_atomically(self._path / CHECKPOINT, content)

    # --- going back -----------------------------------------------------------------------------------------------------------------

    def cut_back(self, checkpoint: CheckpointRecord | None) -> str:
        """Undo what was logged after the checkpoint that training goes on from, so that it is written again; returns a remark, or "".

        If that is not the newest one, the logs are first copied into a folder `before-N`; without any checkpoint, the logs and the weights
        are moved there. What a killed training left half done is removed, and so are the requests that it did not obey.
        """
        newest = self.run.checkpoint()
        there = [self._path / file for file in (*LOGS, *LOGS_BY_ITERATION, WEIGHTS)]
        kept = [path.name for path in there if path.is_file() and path.stat().st_size]
        remark = ""
        if checkpoint is None and kept:
            before = _free(self._path, "before", 1)
            before.mkdir()
            for file in kept:
                rename(self._path / file, before / file)
            remark = f"There is no checkpoint to go on from, so it begins anew; what it had so far is in {before}."
        elif checkpoint is not None and newest is not None and checkpoint.iteration < newest.iteration:
            before = _free(self._path, "before", 1)
            before.mkdir()
            for file in (*LOGS, *LOGS_BY_ITERATION):
                if file in kept:
                    shutil.copyfile(self._path / file, before / file)
            remark = f"What was logged after iteration {checkpoint.iteration:,} is kept in {before}."
        for file in LOGS:
            path = self._path / file
            path.touch()
            # A power cut may have taken lines from before the checkpoint too, and left half of one.
            content = path.read_bytes()[: checkpoint.sizes[file] if checkpoint else 0]
            os.truncate(path, content.rfind(b"\n") + 1)
        for file, lines in zip(LOGS_BY_ITERATION, (self.run.progress(), self.run.surprise()), strict=True):
            if checkpoint is not None and (self._path / file).is_file():
                self._write_lines(file, [line for line in lines if line["iteration"] <= checkpoint.iteration])
        if checkpoint is not None and (checkpoint != newest or not (self._path / CHECKPOINT).is_file()):
            write_atomically(self._path / CHECKPOINT, checkpoint.to_json())
        for left_over in list(self._path.iterdir()):
            if layout.PART.fullmatch(left_over.name) and left_over.is_file():
                remove(left_over)
            elif layout.MAKING.fullmatch(left_over.name):
                remove_known(left_over, is_checkpoint_file)
        for number, request in waiting(self.run):
            remove(self._path / layout.REQUESTS / f"{number:08d}-{request}")
        self._write_table()
        return remark


def remove_run(run: Run) -> list[Path]:
    """Delete all that is the program's own, and the folder if nothing else is in it; returns what stays.

    RunError while a training has it.
    """
    try:
        lock = _locked(run.path, patience=0.0)
    except RunError:
        raise RunError(f"{run.path} is being trained right now; stop it first.") from None
    try:
        for path in list(run.path.iterdir()):
            is_known = layout.is_known_in(path.name)
            if is_known is not None:
                remove_known(path, is_known)
        # What makes it a run goes last, so that a removal that was cut off can be done again.
        kept = {RUN, layout.LOCK, *({layout.NOW} if _is_strangers(run.path / layout.NOW) else ())}
        remove_known(run.path, lambda name: name not in kept and layout.is_own_file(name))
        remove(run.path / RUN)
    finally:
        lock.release()
    remove_known(run.path, lambda name: name == layout.LOCK)
    return sorted(run.path.iterdir()) if run.path.is_dir() else []


def _locked(path: Path, patience: float = 0.5) -> filelock.BaseFileLock:
    lock = filelock.FileLock(path / layout.LOCK)
    try:
        lock.acquire(timeout=patience, poll_interval=0.01)
    except filelock.Timeout:
        raise RunError(f"Another paznja is training in {path} right now; wait for it, or stop it with Ctrl-C.") from None
    return lock


def _is_strangers(now: Path) -> bool:
    """Whether this file, in a run of a version that did not know its name, is not the program's."""
    if not now.is_file():
        return os.path.lexists(now)
    empty = not now.read_bytes().strip(b"\0")  # a power cut can leave that
    return not empty and read_now(now) is None


def _flushed_size(path: Path) -> int:
    """The file's size, once all of it is on disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def _append_line(path: Path, line: Mapping[str, Any]) -> None:
    content = to_line(line)
    with open(path, "ab", buffering=0) as file:
        before = file.tell()
        if file.write(content) != len(content):
            # The disk filled up in the middle of the line: take the half back.
            file.truncate(before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _free(folder: Path, name: str, first: int = 0) -> Path:
    """`name` in the folder, or with the first number behind it that nothing there has."""
    names = (folder / (f"{name}-{number}" if number else name) for number in itertools.count(first))
    return next(path for path in names if not os.path.lexists(path))
