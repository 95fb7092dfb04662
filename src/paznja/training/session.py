"""A training from beginning to end: reading the books, picking the settings left open, making or finding the run's folder, training.

Torch is imported only after the books are read, so that a wrong path is reported at once.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paznja.cache import passing_cache, using
from paznja.config import Settings, Stretch, adjust, new_stretch
from paznja.corpus.finding import passed_over
from paznja.disk import writing_to
from paznja.errors import NameTaken, RunError
from paznja.model.names import qwen3_config
from paznja.openmp import wait_briefly
from paznja.prepared import Prepared
from paznja.preparing import prepare
from paznja.run import Run, RunRecord, check_free, free_name
from paznja.run.layout import IDS, QWEN3_CONFIG, TOKENIZER
from paznja.run.records import ShelfRecord
from paznja.run.writing import RunWriter
from paznja.tokenizers import load_tokenizer
from paznja.training.events import Finished, Saved
from paznja.training.plan import Reading
from paznja.training.sharing_out import start, to_go_on, world_of
from paznja.world.launching import is_launched, launch
from paznja.world.starting import Started

if TYPE_CHECKING:
    from paznja.training.dial import Chosen
    from paznja.world.distributed import Launched

_SILENT = 10.0  # seconds after which the processes that torchrun has started hear from process 0 while it reads

Tell = Callable[[Any], None]
"""Called with everything that happens: `Reading` and `Planned` from `paznja.training.plan`, then the loop's events."""


def begin(
    places: list[Path],
    settings: Settings,
    stretch: Stretch,
    out: Path,
    name: str | None,
    held_out: list[Path] | None,
    tell: Tell,
    *,
    with_corpus: bool = True,
    cache: Path | None = None,
    strict: bool = False,
    stop: Callable[[], bool] | None = None,
) -> Run:
    """Read the books, make the run's folder `out/name`, train; returns the run. Raises the errors of `paznja.train`."""
    wait_briefly()
    if name is not None:
        check_free(out, name)
    with ExitStack() as stack, ExitStack() as needed:
        launched = stack.enter_context(start(settings.training)) if is_launched() else None
        if with_corpus:
            needed.enter_context(using(cache))
        else:
            cache = stack.enter_context(passing_cache(cache))
        prepared = prepare(
            places,
            held_out=held_out,
            tokenizer=settings.tokenizer,
            config=settings.reading,
            cache=cache,
            strict=strict,
            on_read=_reading(tell, launched),
        )
        started = launched or stack.enter_context(start(settings.training))
        from paznja.training.choosing import complete

        settings, stretch, warnings, chosen = complete(settings, stretch, prepared, started)
        record = _record(settings, stretch, prepared, places, held_out, with_corpus=with_corpus)
        with writing_to(out, "--out"):
            writer = stack.enter_context(_create(out, name, places, record, prepared.folder, with_corpus=with_corpus))
            if settings.model.memory == "none":  # Qwen3 has no place for a memory, so only then can others load the folder
                writer.write_file(QWEN3_CONFIG, json.dumps(qwen3_config(settings.model), indent=1).encode())
        needed.close()  # the run has all that it needs now
        remarks = [*passed_over(places), *prepared.remarks]
        ids = None if with_corpus else prepared.folder / IDS
        _train(
            writer,
            settings,
            stretch,
            tell,
            started,
            prepared=prepared,
            ids=ids,
            remarks=remarks,
            warnings=warnings,
            chosen=chosen,
            stop=stop,
        )
    return writer.run


def go_on(
    run: Run,
    minutes: float | None,
    iterations: int | None,
    books: list[Path] | None,
    tell: Tell,
    *,
    processes: int | None = None,
    cache: Path | None = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Go on from the last checkpoint, to the end of the run's budget or for this much more. Raises the errors of `paznja.resume`.

    `processes`: another number of processes than the run had.
    """
    wait_briefly()
    from paznja.machine import check_device
    from paznja.training.books_again import ids_to_resume
    from paznja.training.failures import failing_in_words

    record = run.record()
    settings = adjust(record.settings, processes=processes) if processes else record.settings
    if minutes is None and iterations is None and run.state() == "finished":
        raise RunError(f"The run {run.name!r} is finished. To train it further, give --minutes or --iterations.")
    check_device(settings.training.device)
    with ExitStack() as stack:
        with failing_in_words(run, settings):
            writer = stack.enter_context(RunWriter.open(run))
        started = stack.enter_context(start(settings.training))
        settings = to_go_on(record.settings, processes, started)
        if settings != record.settings:
            writer.use_settings(settings)
        if not record.corpus.kept:
            cache = stack.enter_context(passing_cache(cache))

        on_read = _reading(tell, started)

        def shown(*seen: Any) -> None:
            writer.show("reading")
            on_read(*seen)

        ids, warnings = ids_to_resume(run, books, cache, shown, stack)
        stretch, new = record.stretches[-1], minutes is not None or iterations is not None
        if new:
            from paznja.training.checkpointer import newest_usable

            checkpoint = newest_usable(run)[0]
            stretch = new_stretch(minutes, iterations)
            if checkpoint is not None:
                stretch = replace(stretch, from_iteration=checkpoint.iteration, from_seconds=checkpoint.seconds)
        _train(writer, settings, stretch, tell, started, new=new, ids=ids, warnings=warnings, stop=stop)


def _create(out: Path, name: str | None, places: list[Path], record: RunRecord, prepared: Path, *, with_corpus: bool) -> RunWriter:
    """Make a run with this name, or with one that is free; if another training takes that at the same moment, with the next one."""
    while True:
        try:
            return RunWriter.create(out, name or _default_name(out, places), record, prepared, with_corpus=with_corpus)
        except NameTaken:
            if name is not None:
                raise


def _default_name(out: Path, places: list[Path]) -> str:
    """The name of the first place, the date and a number: Books-2026-11-22-1."""
    stem = "".join(c for c in (places[0].resolve().stem or "run") if c.isalnum() or c in " -_")[:60].strip(" -")
    return free_name(out, f"{stem or 'run'}-{datetime.date.today().isoformat()}", first=1)


def _reading(tell: Tell, started: Started | Launched | None) -> Callable[[int, int, Path], None]:
    """Called after each file that is read. The processes that torchrun has started hear that process 0 is still there."""
    heard = time.monotonic()

    def on_read(done: int, total: int, path: Path) -> None:
        nonlocal heard
        tell(Reading(done, total, path))
        if started is not None and started.size > 1 and not isinstance(started, Started) and time.monotonic() - heard > _SILENT:
            started.world(started.size).tell({"do": "wait"})
            heard = time.monotonic()

    return on_read


def _record(
    settings: Settings, stretch: Stretch, prepared: Prepared, places: list[Path], held_out: list[Path] | None, *, with_corpus: bool
) -> RunRecord:
    import platform

    import torch

    from paznja.machine import describe

    named = [str(place.absolute()) if with_corpus else place.name for place in held_out or ()]
    corpus = ShelfRecord(
        # A run that does not keep its books does not say where they are either.
        places=tuple(str(place.absolute()) for place in places) if with_corpus else (),
        kept=with_corpus,
        fingerprint=prepared.fingerprint,
        script=prepared.script,
        training_characters=prepared.training_characters,
        held_out_characters=prepared.held_out_characters,
        unreadable=tuple(f"{bad.path if with_corpus else bad.path.name}: {bad.reason}" for bad in prepared.unreadable),
        held_out=None if held_out is None else tuple(named),
    )
    return RunRecord(
        settings=settings,
        stretches=(stretch,),
        corpus=corpus,
        created=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        versions={"paznja": importlib.metadata.version("paznja"), "torch": torch.__version__, "python": platform.python_version()},
        machine=describe(settings.training) | ({"launch": launch()} if launch() else {}),
    )


def _train(
    writer: RunWriter,
    settings: Settings,
    stretch: Stretch,
    tell: Tell,
    started: Started | Launched,
    *,
    prepared: Prepared | None = None,
    ids: Path | None = None,
    new: bool = False,
    remarks: Sequence[str] = (),
    warnings: Sequence[str] = (),
    chosen: Chosen | None = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Train and report everything; a lack of memory and a full disk become sentences.

    `started`: the processes that can train with this one. `new`: whether the run gets this stretch only now. `ids`: the
    file with the books' ids, if the run does not keep it.
    """
    from paznja.training.estimate import estimate
    from paznja.training.failures import failing_in_words
    from paznja.training.interrupting import interruptible
    from paznja.training.loop import train
    from paznja.training.parts import assemble, begin_from
    from paznja.training.phases import show
    from paznja.training.plan import plan_of

    run = writer.run
    tokenizer = load_tokenizer(run.path / TOKENIZER, settings.tokenizer)
    with failing_in_words(run, settings), interruptible(tell) as interrupted:
        writer.show("preparing")
        if ids is not None:
            writer.forget_ids()
        started.keep(settings.training.processes)
        world = world_of(settings, started)
        expected = estimate(settings, run, tokenizer, world, ids)
        about: dict[str, Any] = {"run": str(run.path.absolute()), "settings": settings.to_dict()}
        about["ids"] = None if ids is None else str(ids.absolute())
        if not world.shares_memory:
            books = run.corpus()
            about["books"] = {"files": run.files(), "places": books.places, "held_out": books.held_out}
        world.tell({"do": "train", **about})

        def stop_asked() -> bool:
            return interrupted.is_set() or (stop is not None and stop())

        parts = assemble(writer, settings, stretch, tokenizer, world=world, ids=ids, stop=stop_asked)
        checkpoint, damage = begin_from(parts, writer)
        cut = writer.cut_back(checkpoint)
        if new:
            writer.begin_stretch(stretch)
        told = [*warnings, *damage, *([cut] if cut else [])]
        tell(plan_of(run, settings, stretch, expected, prepared, remarks, told, chosen))
        with closing(train(parts)) as training:
            for event in training:
                show(event, writer)
                try:
                    tell(event)
                except Exception:
                    training.close()  # so that no process waits for something else than saving
                    if not isinstance(event, Finished | Saved):
                        parts.checkpointer.save_if_sound()
                    raise
