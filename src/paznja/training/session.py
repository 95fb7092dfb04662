"""A training from beginning to end: reading the books, picking the settings left open, making or finding the run's folder, training.

Torch is imported only after the books are read, so that a wrong path is reported at once.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import shlex
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paznja.config import DEFAULT_PROMPTS, Settings, with_budget
from paznja.corpus.book import Unreadable
from paznja.corpus.finding import passed_over
from paznja.disk import is_disk_full, link_or_copy, writing_to
from paznja.errors import BooksChanged, NameTaken, NoBooks, RunError, TrainingFailed
from paznja.generation import fit_prompt
from paznja.model.names import qwen3_config
from paznja.openmp import wait_briefly
from paznja.preparing import Prepared, describe_files, passing_cache, prepare, using
from paznja.run import QWEN3_CONFIG, BookRecord, Run, check_free, free_name
from paznja.table import some_of
from paznja.tokenizers import load_tokenizer
from paznja.training.events import Finished, Saved, Stopping

if TYPE_CHECKING:
    from paznja.training.dial import Chosen
    from paznja.training.estimate import Estimate

Tell = Callable[[Any], None]
"""Called with everything that happens: `Reading` and `Planned` from this module, then the trainer's events."""

_HOPELESS = 2
"""A training is refused if the estimate, which is rough, is more than this many times the machine's memory."""


@dataclass(frozen=True)
class Reading:
    """While books are read; reported after each file."""

    done: int
    total: int
    path: Path


@dataclass(frozen=True)
class Planned:
    """Before the first iteration: what will be trained, on what, and about how fast."""

    run: Run
    settings: Settings
    books: tuple[BookRecord, ...]
    unreadable: tuple[Unreadable, ...]
    remarks: tuple[str, ...]
    """What the user should know about the books, and can ask for again: files of kinds that are not read, books that are there twice."""
    warnings: tuple[str, ...]
    """What is said only now: a prompt that was converted, books that changed, a checkpoint that was damaged."""
    dialled: tuple[str, ...]
    """What the minutes will bring, and what the dial chose for them; empty if it chose nothing."""
    enough: bool
    """Whether the run ends before its minutes are over, because by then the books have taught all they can."""
    cached: bool
    """Whether the books had been read before, by an earlier run."""
    from_iteration: int
    """The iteration from which the run goes on; 0 for a new run."""
    parameters: int
    memory_bytes: int
    """About how much memory the whole process will have at its largest."""
    available_bytes: int
    """How much memory the process can have, including what it has already."""
    matmul_peak: float
    """Floating-point operations per second of a matrix product on this machine, measured just now."""
    seconds_per_iteration: float
    """Measured just now; if an iteration takes over a second, or on a GPU, calculated from `matmul_peak` and the share usually reached."""
    iterations: int | None
    """About how many iterations fit into a budget of minutes; None for a budget of iterations."""


def begin(
    places: list[Path],
    settings: Settings,
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
            on_read=lambda *seen: tell(Reading(*seen)),
        )
        settings, warnings, chosen = _complete(settings, prepared)
        remarks = [*passed_over(places), *prepared.remarks]
        about = _about(settings, prepared, places, held_out, with_corpus=with_corpus)
        with writing_to(out, "--out"):
            run = _create(out, name, places, about, prepared.folder, with_corpus=with_corpus)
            if settings.model.memory == "none":  # Qwen3 has no place for a memory, so only then can others load the folder
                run.write_file(QWEN3_CONFIG, json.dumps(qwen3_config(settings.model), indent=1).encode())
        needed.close()  # the run has all that it needs now
        corpus = None if with_corpus else prepared.folder / "corpus.bin"
        _train(run, settings, tell, prepared=prepared, corpus=corpus, remarks=remarks, warnings=warnings, chosen=chosen, stop=stop)
    return run


def go_on(
    run: Run,
    minutes: float | None,
    iterations: int | None,
    books: list[Path] | None,
    tell: Tell,
    *,
    cache: Path | None = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Go on from the last checkpoint, to the end of the run's budget or for this much more. Raises the errors of `paznja.resume`."""
    wait_briefly()
    from paznja.training.machine import check_device

    about, settings = run.about(), run.settings()
    if minutes is None and iterations is None and run.state() == "finished":
        raise RunError(f"The run {run.name!r} is finished. To train it further, give --minutes or --iterations.")
    check_device(settings.training.device)
    with ExitStack() as stack:
        if not about["corpus"].get("kept", True):
            cache = stack.enter_context(passing_cache(cache))
        corpus, warnings = _corpus_to_resume(run, books, cache, tell, stack)
        extended: dict[str, Any] | None = None
        if minutes is not None or iterations is not None:
            from paznja.training.checkpoint import newest_usable

            position = newest_usable(run)[0] or {"iteration": 0, "seconds": 0.0}
            settings = replace(settings, training=replace(settings.training, minutes=None, iterations=None))
            settings = with_budget(settings, minutes, iterations)
            begun = {"from_iteration": position["iteration"], "from_seconds": position["seconds"]}
            settings = replace(settings, training=replace(settings.training, **begun))
            extended = {**about, "settings": settings.to_dict()}
        _train(run, settings, tell, corpus=corpus, extended=extended, warnings=warnings, stop=stop)


def _create(out: Path, name: str | None, places: list[Path], about: dict[str, Any], prepared: Path, *, with_corpus: bool) -> Run:
    """Make a run with this name, or with one that is free; if another training takes that at the same moment, with the next one."""
    while True:
        try:
            return Run.create(out, name or _default_name(out, places), about, prepared, with_corpus=with_corpus)
        except NameTaken:
            if name is not None:
                raise


def _default_name(out: Path, places: list[Path]) -> str:
    """The name of the first place, the date and a number: Books-2026-11-22-1."""
    stem = "".join(c for c in (places[0].resolve().stem or "run") if c.isalnum() or c in " -_")[:60].strip(" -")
    return free_name(out, f"{stem or 'run'}-{datetime.date.today().isoformat()}", first=1)


def _complete(settings: Settings, prepared: Prepared) -> tuple[Settings, list[str], tuple[Chosen, float] | None]:
    """Pick the settings that were left open; returns the settings, remarks on the prompts, and what the dial chose for how many minutes."""
    from paznja.training.batches import check_enough
    from paznja.training.machine import resolve

    tokenizer = load_tokenizer(prepared.folder / "tokenizer.json")
    prompts = settings.sampling.prompts or (DEFAULT_PROMPTS.get(prepared.script, DEFAULT_PROMPTS["latin"]),)
    fitted = [fit_prompt(prompt, prepared.script, tokenizer) for prompt in prompts]
    complete = replace(
        settings,
        model=replace(settings.model, vocabulary=tokenizer.size),
        training=resolve(settings.training, settings.model),
        sampling=replace(settings.sampling, prompts=tuple(prompt for prompt, _ in fitted)),
    )
    check_enough(sum(book.tokens for book in prepared.books if not book.held_out), settings.model.context)
    chosen = _dialled(complete, prepared)
    complete = complete if chosen is None else chosen[0].settings
    _check_memory(complete)
    return complete, [remark for _, remarks in fitted for remark in remarks], chosen


def _dialled(settings: Settings, prepared: Prepared) -> tuple[Chosen, float] | None:
    """For the preset "auto" with a budget of minutes on a CPU: the network that learns most in that time, and the minutes."""
    from paznja.training.dial import choose
    from paznja.training.pace import measure_pace

    minutes = settings.training.minutes
    if settings.preset != "auto" or minutes is None or settings.training.device != "cpu":
        return None
    return choose(settings, 60 * minutes, measure_pace(settings), prepared.training_characters), minutes


def _check_memory(settings: Settings) -> None:
    """Raise TrainingFailed if this machine has far too little memory: training would swap, or be killed without a message."""
    import psutil

    from paznja.training.estimate import memory_needed

    there = psutil.virtual_memory().total + psutil.swap_memory().total
    if settings.training.device != "cuda" and memory_needed(settings) > _HOPELESS * there:
        raise _out_of_memory(settings)


def _about(settings: Settings, prepared: Prepared, places: list[Path], held_out: list[Path] | None, *, with_corpus: bool) -> dict[str, Any]:
    """What `run.toml` holds."""
    import platform

    import torch

    from paznja.training.machine import describe

    corpus: dict[str, Any] = {
        # A run that does not keep its books does not say where they are either.
        "places": [str(place.absolute()) for place in places] if with_corpus else [],
        "kept": with_corpus,
        "fingerprint": prepared.fingerprint,
        "script": prepared.script,
        "training_characters": prepared.training_characters,
        "held_out_characters": prepared.held_out_characters,
        "unreadable": [f"{bad.path if with_corpus else bad.path.name}: {bad.reason}" for bad in prepared.unreadable],
    }
    if held_out is not None:
        corpus["held_out"] = [str(place.absolute()) if with_corpus else place.name for place in held_out]
    return {
        "created": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": {"paznja": importlib.metadata.version("paznja"), "torch": torch.__version__, "python": platform.python_version()},
        "machine": describe(settings.training),
        "corpus": corpus,
        "settings": settings.to_dict(),
    }


def _corpus_to_resume(
    run: Run, books: list[Path] | None, cache: Path | None, tell: Tell, stack: ExitStack
) -> tuple[Path | None, list[str]]:
    """The file with the ids, if not in the run's folder, and warnings about books that changed. The file stays while `stack` is open.

    BooksChanged if they are not the same and the run does not have their text, or `books` were named.
    """
    corpus, stored = run.corpus(), run.files()
    places = books if books is not None else [Path(place) for place in corpus["places"]]
    named = corpus.get("held_out")
    held_out = None if named is None else [Path(place) for place in named]
    # A trainer that was killed may have left a text that should not have been kept.
    kept = corpus.get("kept", True) and (run.path / "corpus.bin").is_file()
    if not places:
        raise RunError(f"{run.name!r} was kept without its books' text and does not know where they are: name them with --books.")
    if books is None and not all(place.exists() for place in [*places, *(held_out or [])]):
        if kept:
            return None, []
        raise RunError(
            f"The books are not at {places[0]} any more, and this run was kept without their text: say with --books where they are."
        )
    if books is not None and held_out is not None:
        # The held-out files were named by their paths; in their new place they are found by their file names.
        names = {name for name, _, use in stored if use}
        held_out = [path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*"))) if path.name in names]
    try:
        now = describe_files(places, held_out)
    except NoBooks as error:
        if kept and books is None:
            return None, [f"{error}; it goes on with the books that it began with."]
        raise BooksChanged(str(error)) from None
    if now != stored:
        before, after = ({(name, sha256) for name, sha256, _ in files} for files in (stored, now))
        names = sorted({name for name, _ in before ^ after})
        shown = some_of(names)
        if kept and books is None:
            where = ", ".join(map(str, places))
            return None, [f"The books in {where} have changed ({shown}); it goes on with those that it began with."]
        raise BooksChanged(
            f"The books are not those that {run.name!r} began with (changed, new or missing: {shown or 'what is held out'}). "
            "Put them back as they were, or begin a new run with paznja train."
        )
    if kept:
        return None, []
    stack.enter_context(using(cache))
    prepared = prepare(
        places,
        held_out=held_out,
        tokenizer=run.settings().tokenizer,
        config=run.settings().reading,
        cache=cache,
        on_read=lambda *seen: tell(Reading(*seen)),
    )
    if list(prepared.books) != run.books():
        raise BooksChanged(f"This version of paznja reads the books of {run.name!r} differently; go on with the version that began it.")
    return prepared.folder / "corpus.bin", []


def _train(
    run: Run,
    settings: Settings,
    tell: Tell,
    *,
    prepared: Prepared | None = None,
    corpus: Path | None = None,
    extended: dict[str, Any] | None = None,
    remarks: Sequence[str] = (),
    warnings: Sequence[str] = (),
    chosen: tuple[Chosen, float] | None = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Train under the run's lock and report everything; a lack of memory and a full disk become sentences."""
    import torch

    from paznja.training.estimate import estimate
    from paznja.training.trainer import Trainer

    tokenizer = load_tokenizer(run.path / "tokenizer.json")
    try:
        with run.locked(), _borrowed(run, corpus), _interruptible(tell) as interrupted:
            expected = estimate(settings, run, tokenizer)
            trainer = Trainer(run, settings, tokenizer, stop=lambda: interrupted.is_set() or (stop is not None and stop()))
            trainer.prepare_folder()
            if extended is not None:
                run.extend(extended)
            tell(_plan(run, settings, expected, prepared, remarks, [*warnings, *trainer.remarks], chosen))
            for event in trainer.events():
                try:
                    tell(event)
                except Exception:
                    if not isinstance(event, Finished | Saved):
                        trainer.save_if_sound()
                    raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _out_of_memory(settings) from error
    except RuntimeError as error:
        if "not enough memory" in str(error) or "allocate memory" in str(error):
            raise _out_of_memory(settings) from error
        raise
    except OSError as error:
        if not (run.path / "run.toml").exists():
            raise TrainingFailed(
                f"The folder {run.path} was moved or deleted while the run was being trained, and training stopped."
            ) from error
        if is_disk_full(error):
            kept = run.position() is not None
            go_on = f"The last good checkpoint is kept: make room, then {shlex.join(['paznja', 'resume', run.name])}."
            anew = "Nothing was saved yet: make room, or begin a new run on another disk with --out."
            raise TrainingFailed(f"The disk with {run.path} is full. {go_on if kept else anew}") from error
        if isinstance(error, PermissionError):
            raise TrainingFailed(f"{run.path} may not be written to: change its permissions, or copy it to a folder of yours.") from error
        raise


def _out_of_memory(settings: Settings) -> TrainingFailed:
    return TrainingFailed(
        f"There was not enough memory. Lower --batch (now {settings.training.batch}) or --context (now {settings.model.context}), "
        "or close other programs; a new run with half of either needs about half as much."
    )


def _plan(
    run: Run,
    settings: Settings,
    expected: Estimate,
    prepared: Prepared | None,
    remarks: Sequence[str],
    warnings: Sequence[str],
    chosen: tuple[Chosen, float] | None,
) -> Planned:
    import psutil

    from paznja.training.dial import in_words

    position = run.position()
    minutes = settings.training.minutes
    return Planned(
        run=run,
        settings=settings,
        books=tuple(run.books()),
        unreadable=prepared.unreadable if prepared else (),
        remarks=tuple(remarks),
        warnings=tuple(warnings),
        dialled=() if chosen is None else in_words(*chosen),
        enough=chosen is not None and chosen[0].enough,
        cached=prepared.cached if prepared else True,
        from_iteration=position["iteration"] if position else 0,
        parameters=settings.model.num_parameters(),
        memory_bytes=expected.memory_bytes,
        available_bytes=psutil.virtual_memory().available + psutil.Process().memory_info().rss,
        matmul_peak=expected.matmul_peak,
        seconds_per_iteration=expected.seconds_per_iteration,
        iterations=None if minutes is None else round(expected.iterations(minutes)),
    )


@contextmanager
def _borrowed(run: Run, corpus: Path | None) -> Iterator[None]:
    """If the run does not keep its books' text, put the ids into its folder while it trains, and no longer."""
    if corpus is None:
        yield
        return
    (run.path / "corpus.bin").unlink(missing_ok=True)
    link_or_copy(corpus, run.path / "corpus.bin")
    try:
        yield
    finally:
        (run.path / "corpus.bin").unlink(missing_ok=True)


@contextmanager
def _interruptible(tell: Tell) -> Iterator[threading.Event]:
    """An event that Ctrl-C sets (or SIGTERM, or SIGHUP from a closed window), which reports `Stopping`; a second Ctrl-C interrupts at once.

    Works only in the main thread, where signals arrive.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    over = False

    def acknowledge() -> None:
        asked.wait()
        if not over:
            with suppress(OSError):  # the terminal was closed
                tell(Stopping())

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    # The handler itself must not report: it may have interrupted the screen in the middle of drawing.
    listener = threading.Thread(target=acknowledge, daemon=True)
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # a closed window, unless nohup was asked for
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    listener.start()
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        over = not asked.is_set()
        asked.set()
        listener.join()
