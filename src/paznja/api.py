"""The public Python API: `train`, `resume`, `open_run`, and what an opened run can do.

import paznja
run = paznja.train("Books/", minutes=10)
print(run.generate("Ово је мост "))
run.next("убица је ")
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paznja import config
from paznja.config import customise, new_stretch
from paznja.errors import WrongUse
from paznja.generation import Choice, expected, fit_prompt, generate
from paznja.loading import load_decoder, reading_of
from paznja.memory.compiling import check_numba
from paznja.run import Run, all_runs
from paznja.run.lines import MetricsLine
from paznja.table import markdown_table
from paznja.tokenizers import Tokenizer
from paznja.world.launching import is_launched, rank

if TYPE_CHECKING:
    from paznja.corpus.corpus import Corpus
    from paznja.corpus.shelf import OnRead
    from paznja.evaluation.books import Evaluation
    from paznja.model.decoder import Decoder
    from paznja.model.transformer import Transformer
    from paznja.training.events import Event
    from paznja.training.plan import Planned, Reading

MAX_COUNT = 1000
"""The most texts that are written at once, because all of them are in memory together."""

Places = str | Path | Sequence[str | Path]


OnEvent = Callable[["Event | Reading | Planned"], None]
"""Called with everything that happens: see `paznja.training.events` and `paznja.training.plan`."""


class TrainedRun:
    """An opened run, finished or still training: it writes, says what it expects, and can be evaluated. It needs only its folder."""

    def __init__(self, run: Run, *, latest: bool = False) -> None:
        """`latest`: use the newest checkpoint's weights instead of the best ones."""
        self.run = run
        self._latest = latest
        self._loaded: tuple[Decoder, Tokenizer] | None = None

    def __repr__(self) -> str:
        return f"<paznja run {self.name!r}, {self.state}>"

    @property
    def name(self) -> str:
        """The run's name."""
        return self.run.name

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.run.path

    @property
    def state(self) -> str:
        """ "training" or "paused" while it is being trained; otherwise "finished" or "stopped"."""
        return self.run.state()

    @property
    def table(self) -> str:
        """The table of samples so far, as Markdown."""
        return markdown_table(self.run.samples(rows_only=True))

    @property
    def metrics(self) -> list[MetricsLine]:
        """Every evaluation so far, as in `metrics.jsonl`."""
        return self.run.metrics()

    @property
    def history(self) -> list[dict[str, Any]]:
        """How training went, in order of iteration, as flat values: every line of `progress.jsonl` and every evaluation.

        Each has iteration, seconds, training, held_out, characters_seen, characters_per_second. `training` is on the latest batches,
        smoothed or, in an evaluation, on a fixed part of the training books. What was not measured is None.
        """
        progress = [{**line, "training": line["training_bits"]} for line in self.run.progress()]
        scored = [{**line, "characters_per_second": None} for line in self.run.metrics()]
        names = ("iteration", "seconds", "training", "held_out", "characters_seen", "characters_per_second")
        lines = [{name: _finite(line.get(name)) for name in names} for line in [*progress, *scored]]
        placed = [line for line in lines if line["iteration"] is not None and line["seconds"] is not None]
        return sorted(placed, key=lambda line: line["iteration"])

    @property
    def model(self) -> Transformer:
        """The network as a torch module, on the CPU, with the run's weights, read again each time. RunError if there are none yet."""
        from paznja.loading import load_model

        return load_model(self.run, latest=self._latest)

    @property
    def script(self) -> str:
        """The script that the model learnt: "cyrillic", "latin" or "other"."""
        return self.run.corpus().script

    @property
    def first_prompt(self) -> str:
        """The first of the prompts that the run's samples continue."""
        prompts = self.run.settings().sampling.prompts
        return prompts[0] if prompts else config.DEFAULT_PROMPTS.get(self.script, config.DEFAULT_PROMPTS["latin"])

    def fit_prompt(self, prompt: str) -> tuple[str, list[str]]:
        """The prompt in the model's script, and remarks on it."""
        return fit_prompt(prompt, self.script, self._load()[1])

    def stream(
        self,
        prompt: str,
        length: int = 400,
        *,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        seed: int = 1,
        count: int = 1,
    ) -> Iterator[list[str]]:
        """`generate`, step by step: yields what was added to each of the `count` texts. The prompt should fit (`fit_prompt`)."""
        if length < 1 or count < 1:
            raise WrongUse("--length and --count must be 1 or more.")
        if length > config.MAX_LENGTH or count > MAX_COUNT:
            raise WrongUse(f"--length must be at most {config.MAX_LENGTH:,} and --count at most {MAX_COUNT:,}.")
        if not 0 <= seed <= config.MAX_SEED:
            raise WrongUse(f"--seed must be from 0 to {config.MAX_SEED}, and {seed} is not.")
        choice = Choice(temperature, top_k, top_p, min_p)
        return generate(*self._load(), prompt, length, choice, seed=seed, count=count)

    def generate(self, prompt: str, length: int = 400, **choice: Any) -> str:
        """The prompt, in the model's script, continued by `length` characters; `choice` as in `stream`."""
        prompt, _ = self.fit_prompt(prompt)
        return prompt + "".join(grown[0] for grown in self.stream(prompt, length, **choice))

    def next(self, prompt: str, top: int = 10) -> list[tuple[str, float]]:
        """The `top` characters that the model expects most after the prompt, with their probabilities."""
        decoder, tokenizer = self._load()
        return expected(decoder, tokenizer, self.fit_prompt(prompt)[0])[:top]

    def evaluate(self, books: Places | None = None, *, on_scored: Callable[[int, int], None] | None = None) -> Evaluation:
        """Bits per character on these books, or on the run's own held-out ones; calls `on_scored(done, total)`, in tokens.

        Books that the run learnt from, recognised by their files' SHA-256, are scored too and marked `learnt`.
        Raises NoBooks if nothing could be read.
        """
        from paznja.evaluation.books import evaluate_books, evaluate_held_out

        if books is None:
            return evaluate_held_out(self.run, latest=self._latest, on_scored=on_scored)
        from paznja.corpus.corpus import read_books

        found, unreadable = read_books(_paths(books), config=reading_of(self.run))
        return evaluate_books(self.run, found, unreadable, latest=self._latest, on_scored=on_scored)

    def _load(self) -> tuple[Decoder, Tokenizer]:
        if self._loaded is None:
            self._loaded = load_decoder(self.run, latest=self._latest)
        return self._loaded


def train(
    books: Places,
    *,
    minutes: float | None = None,
    iterations: int | None = None,
    preset: str = "auto",
    name: str | None = None,
    out: str | Path = "runs",
    prompts: str | Sequence[str] = (),
    sample_at: int | Sequence[int] = (),
    held_out: Places | None = None,
    with_corpus: bool = True,
    cache: str | Path | None = None,
    strict: bool = False,
    on_event: OnEvent | None = None,
    stop: Callable[[], bool] | None = None,
    **changes: Any,
) -> TrainedRun:
    """Train on these files and folders, for 10 minutes unless another budget is given, into the folder `out/name`.

    `held_out`: files to measure on; otherwise they are chosen automatically. `with_corpus=False` keeps the books' text out of the run
    folder. `strict`: refuse to begin if a file cannot be read. `changes`: single settings, by their names in
    `paznja.config` (script, without, batch, context, layers, width, learning_rate, seed, device, threads, checkpoint_seconds, ...).
    `on_event` is called with everything that happens. `stop` is called after every iteration; if it returns True, training
    saves and returns, as after Ctrl-C.

    Raises WrongUse, NoBooks, TrainingFailed; see `paznja.errors`.
    """
    if isinstance(changes.get("without"), str):
        changes["without"] = (changes["without"],)
    settings = customise(
        config.preset(preset),
        sample_at=((sample_at,) if isinstance(sample_at, int) else tuple(sample_at)) or None,
        prompts=((prompts,) if isinstance(prompts, str) else tuple(prompts)) or None,
        **changes,
    )
    check_numba(settings.model)
    cache = None if cache is None else Path(cache)
    apart = None if held_out is None else _paths(held_out)
    if is_launched():
        from paznja.training.launched import earlier_run, take_part

        if rank() > 0:
            return TrainedRun(take_part(settings.training.network_seconds, _paths(books), apart, cache))
        earlier = earlier_run(Path(out), name)
        if earlier is not None:
            return resume(earlier, cache=cache, on_event=on_event, stop=stop)
    from paznja.training import session

    run = session.begin(
        _paths(books),
        settings,
        new_stretch(minutes, iterations),
        Path(out),
        name,
        apart,
        on_event or _ignore,
        with_corpus=with_corpus,
        cache=cache,
        strict=strict,
        stop=stop,
    )
    return TrainedRun(run)


def read_shelf(
    books: Places,
    *,
    held_out: Places | None = None,
    script: str = "auto",
    without: str | Sequence[str] = (),
    cache: str | Path | None = None,
    strict: bool = False,
    on_read: OnRead | None = None,
) -> Corpus:
    """The books at these places exactly as `train` would see them, without training: each with its text and what was changed in it.

    `script`, `without`: as in `paznja.config.ReadingConfig`. Raises NoBooks if nothing could be read, WrongUse for an unknown
    script or rule, TrainingFailed if the cache cannot be written to.
    """
    from paznja.cache import default_cache, store_in, using
    from paznja.corpus.corpus import read_corpus
    from paznja.disk import writing_to

    reading = customise(config.preset("auto"), script=script, without=(without,) if isinstance(without, str) else tuple(without)).reading
    apart = None if held_out is None else _paths(held_out)
    cache = default_cache() if cache is None else Path(cache)
    with using(cache), writing_to(cache, "--cache"):
        return read_corpus(_paths(books), held_out=apart, config=reading, store=store_in(cache), least=1, strict=strict, on_read=on_read)


def resume(
    run: str | Path | Run,
    *,
    out: str | Path = "runs",
    minutes: float | None = None,
    iterations: int | None = None,
    processes: int | None = None,
    books: Places | None = None,
    cache: str | Path | None = None,
    on_event: OnEvent | None = None,
    stop: Callable[[], bool] | None = None,
) -> TrainedRun:
    """Go on with a run from its last checkpoint to the end of its budget, or for this many more minutes or iterations.

    `processes`: another number of them than before. `books`: where the books are now, if they were moved. `stop`: as for `train`.

    Raises BooksChanged if they are not those that the run began with, RunError if the run cannot go on.
    """
    run = run if isinstance(run, Run) else Run.open(run, Path(out))
    check_numba(run.settings().model)
    places = None if books is None else _paths(books)
    cache = None if cache is None else Path(cache)
    if rank() > 0:
        from paznja.training.launched import take_part

        return TrainedRun(take_part(run.settings().training.network_seconds, places, None, cache))
    from paznja.training import session

    session.go_on(run, minutes, iterations, places, on_event or _ignore, processes=processes, cache=cache, stop=stop)
    return TrainedRun(run)


def open_run(run: str | Path, *, out: str | Path = "runs", latest: bool = False) -> TrainedRun:
    """The run with this name in `out`, or in this folder; `latest`: use the newest checkpoint's weights instead of the best ones.

    RunError, suggesting the nearest names, if there is none.
    """
    return TrainedRun(Run.open(run, Path(out)), latest=latest)


def runs(out: str | Path = "runs") -> list[TrainedRun]:
    """Every run in this folder, oldest first."""
    return [TrainedRun(run) for run in all_runs(Path(out))]


def _paths(places: Places) -> list[Path]:
    """The paths of the places. The name of a fetched shelf stands for its folder, unless there is a file with that name."""
    paths = [Path(places)] if isinstance(places, str | Path) else [Path(place) for place in places]
    from paznja.corpus.fetching import fetched_folder

    return [path if os.path.exists(path) else fetched_folder(str(path)) or path for path in paths]


def _finite(value: object) -> int | float | None:
    """The value, or None if it is not a finite number: a file that was damaged or written by hand may hold anything."""
    try:
        return value if isinstance(value, int | float) and math.isfinite(value) else None
    except OverflowError:  # an integer of hundreds of digits
        return None


def _ignore(event: object) -> None:
    """Called with every event if there is no `on_event`."""
