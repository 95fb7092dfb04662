"""What the processes that torchrun has started do besides: all but process 0 take part, and a training that fell goes on by itself.

Where they see process 0's run folder, they learn from what is in it. A machine that does not see it prepares the same books itself.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from paznja.cache import using
from paznja.config import Settings
from paznja.errors import BooksChanged, PaznjaError, TrainingFailed
from paznja.preparing import describe_files, prepare
from paznja.run import Run, all_runs
from paznja.run.layout import IDS, RUN
from paznja.table import some_of
from paznja.training.follower import follow
from paznja.training.pace import take_part_in_timing
from paznja.world import Gone, Message
from paznja.world.distributed import Launched
from paznja.world.launching import is_restarted, launch


def earlier_run(out: Path, name: str | None) -> Run | None:
    """The run that this torchrun began before it started its processes again; None if it came to none.

    Only on the host where a process failed does torchrun say that it has started them again, so a run with the right name is enough.
    """
    if name is None and not is_restarted():
        return None
    there = [run for run in reversed(all_runs(out)) if name is None or run.name == name]
    return next((run for run in there if run.state() == "stopped" and run.record().machine.get("launch") == launch()), None)


def take_part(limit: float, places: list[Path] | None, held_out: list[Path] | None, cache: Path | None) -> Run:
    """Do what process 0 says until it ends; returns the run. `limit`: as for `Distributed`; the rest: as for `session.begin`.

    Raises BooksChanged if this machine has to read the books itself, and they are not those of process 0.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):  # process 0 gets them too, and decides
            signal.signal(number, signal.SIG_IGN)
    with Launched(limit) as launched, ExitStack() as stack:
        world = launched.world(launched.size)
        run: Run | None = None
        stack.enter_context(_failing_in_words(launched))
        while (message := world.told())["do"] != "end":
            match message["do"]:
                case "time":
                    settings = Settings.from_dict(message["settings"])
                    launched.world(launched.size, settings.training.device)
                    take_part_in_timing(world, settings, message["iterations"])
                case "train":
                    settings = Settings.from_dict(message["settings"])
                    launched.world(launched.size, settings.training.device)
                    run = Run(Path(message["run"]))
                    if _sees(message):
                        follow(world, run, settings, None if message["ids"] is None else Path(message["ids"]))
                        continue
                    stack.enter_context(using(cache))
                    folder = _prepared_here(message, settings, places, held_out, cache)
                    follow(world, Run(folder), settings, folder / IDS)
                case _:
                    pass  # process 0 is busy, and lets it be known that it is there
        assert run is not None, "process 0 ends without an error only after a training"
        return run


@contextmanager
def _failing_in_words(launched: Launched) -> Iterator[None]:
    """Inside the block, whatever fails is said in a sentence, with the number of the process."""
    try:
        yield
    except (PaznjaError, Gone):
        raise
    except Exception as error:
        what = "not enough memory" if isinstance(error, MemoryError | torch.OutOfMemoryError) else f"{type(error).__name__}: {error}"
        raise TrainingFailed(f"Process {launched.rank + 1} of {launched.size} failed: {what}") from error


def _sees(message: Message) -> bool:
    run = Path(message["run"])
    ids = run / IDS if message["ids"] is None else Path(message["ids"])
    return (run / RUN).is_file() and ids.is_file()


def _prepared_here(
    message: Message, settings: Settings, places: list[Path] | None, held_out: list[Path] | None, cache: Path | None
) -> Path:
    """The folder with the same books, prepared on this machine."""
    books: dict[str, Any] = message["books"]
    places = places or [Path(place) for place in books["places"]]
    held_out = held_out or (None if books["held_out"] is None else [Path(place) for place in books["held_out"]])
    theirs = {(name, sha256, use) for name, sha256, use in books["files"]}
    ours = set(describe_files(places, held_out))
    if ours != theirs:
        names = some_of(sorted({name for name, _, _ in ours ^ theirs}))
        raise BooksChanged(f"The books on this machine are not those of process 0 (changed, new or missing: {names}): copy them.")
    return prepare(places, held_out=held_out, tokenizer=settings.tokenizer, config=settings.reading, cache=cache).folder
