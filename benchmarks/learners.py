"""The learners in the race of `learning.py`. Each learns in a fresh process; another one scores it and lets it write.

The clock of a learner starts just before its process does and stops when its weights are there. It includes starting Python
and its libraries, reading the prepared ids, counting, compiling, training and saving. It excludes preparing the books
beforehand, a rehearsal of a few iterations that shows how long a learner needs to get ready, scoring and writing.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, fields
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any, Protocol

import click
from common import PROMPT, Worker, nanogpt_module, peak_of

from paznja import config
from paznja.errors import PaznjaError

TEMPERATURE = 0.8
LENGTH = 2_500
"""How many characters a learner writes after learning."""

SHORTEST_WORD = 4
"""The fewest letters of a word that counts; nearly any three letters are a word."""

LEAST = 1.0
"""Seconds for learning even if getting ready has taken all of the time; the report shows how long it really took."""

REHEARSAL = 30.0
"""The most seconds that a rehearsal takes; they have to be enough for counting a memory."""

NEVER = 2**40
"""The iteration of the only row in the table: the race has no time for samples."""

ALONE = "alone"
"""Used instead of a preset for a memory without a network."""


@dataclass(frozen=True)
class Shelf:
    """What all learners learn from and are scored on, prepared beforehand."""

    places: tuple[Path, ...]
    held_out: tuple[Path, ...] | None
    """The files to score on; None if the program chooses."""
    folder: Path
    """The prepared data."""
    fingerprint: str
    script: str
    about: str
    """How many books and characters, in one line."""


@dataclass(frozen=True)
class Learnt:
    """How a learner's training went."""

    seconds: float
    """The seconds on the clock."""
    iterations: int
    characters_seen: int
    iteration_seconds: float | None
    """Median time from one iteration to the next; None if there were too few."""
    operations: int
    """Floating-point operations of an iteration, counted as `ModelConfig.operations` does."""
    parameters: int
    memory_bytes: int
    """The peak memory of its processes, in bytes."""
    getting_ready: float = 0.0
    """How many of the seconds came before the first iteration and after the last."""


class Learner(Protocol):
    """One that takes part in the race."""

    name: str

    def turns(self, budgets: Sequence[float]) -> Sequence[float | None]:
        """The race's budgets, in seconds, that it uses; None is a turn in which it takes its own time."""
        ...

    def learn(self, shelf: Shelf, folder: Path, budget: float | None, seed: int) -> Learnt:
        """Learn for `budget` seconds, or for its own time if that is None; leaves what was learnt in the empty folder."""
        ...

    def judge(self, shelf: Shelf, folder: Path, seed: int) -> tuple[float, str, str]:
        """Bits per character on the held-out books; the prompt; and the `LENGTH` characters that follow it."""
        ...


def fresh(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the function in a fresh process and return its result; a person's mistake ends the program with a sentence."""
    with Worker(partial, _or_a_sentence, function) as worker:
        return worker.call("__call__", *arguments)


def _or_a_sentence(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except PaznjaError as error:
        raise SystemExit(str(error)) from None


# --- paznja ---------------------------------------------------------------------------------------------------------------------------


class Ours:
    """`paznja.train` with a preset and a kind of memory, without samples or scoring during training."""

    def __init__(self, preset: str, memory: str) -> None:
        """SystemExit, with a sentence, if this version does not have the preset or the memory."""
        self.name = preset if memory == "none" else f"{preset}+{memory}"
        self._preset = preset
        known = any(field.name == "memory" for kind in (config.ModelConfig, config.TrainingConfig) for field in fields(kind))
        if not known and memory != "none":
            raise SystemExit(f"this version of paznja has no memory, so {self.name} cannot race; {preset}/none can")
        self._changes: dict[str, Any] = {"memory": memory} if known else {}
        try:
            config.customise(config.preset(preset), **self._changes)
        except PaznjaError as error:
            raise SystemExit(f"{self.name} cannot race: {error}") from None
        self._getting_ready: float | None = None

    def turns(self, budgets: Sequence[float]) -> Sequence[float | None]:
        return budgets

    def learn(self, shelf: Shelf, folder: Path, budget: float | None, seed: int) -> Learnt:
        assert budget is not None
        if self._getting_ready is None:
            self._getting_ready = self._train(shelf, folder / "rehearsal", min(budget, REHEARSAL), None, 0.0, seed).getting_ready
        return self._train(shelf, folder / "run", budget, None, self._getting_ready, seed)

    def _train(self, shelf: Shelf, folder: Path, budget: float | None, iterations: int | None, reserved: float, seed: int) -> Learnt:
        from paznja.disk import link_or_copy

        # A cache of its own that holds only the prepared books: anything else that a run keeps there is made again, on the clock.
        shutil.copytree(
            shelf.folder,
            folder / "cache" / shelf.fingerprint,
            copy_function=lambda source, target: link_or_copy(Path(source), Path(target)),
        )
        asked = (budget, iterations, reserved, seed)
        return fresh(train_ours, time.time(), shelf, folder, self._preset, self._changes, *asked)

    def judge(self, shelf: Shelf, folder: Path, seed: int) -> tuple[float, str, str]:
        return fresh(judge_ours, folder / "run", seed)


class MemoryAlone(Ours):
    """A memory without a network, in its own time: the preset's network has one iteration, with a learning rate that changes nothing."""

    def __init__(self, memory: str) -> None:
        if memory == "none":
            raise SystemExit(f"{ALONE}/none would be nothing at all")
        super().__init__("pocket", memory)
        self.name = f"{memory} alone"
        self._changes["learning_rate"] = 1e-12

    def turns(self, budgets: Sequence[float]) -> Sequence[float | None]:
        return [None]

    def learn(self, shelf: Shelf, folder: Path, budget: float | None, seed: int) -> Learnt:
        return self._train(shelf, folder / "run", None, 1, 0.0, seed)


def train_ours(
    begun: float,
    shelf: Shelf,
    folder: Path,
    preset: str,
    changes: dict[str, Any],
    budget: float | None,
    iterations: int | None,
    reserved: float,
    seed: int,
) -> Learnt:
    """In a fresh process: train into `folder/run` until the budget, counted from `begun`, is spent, or for a number of iterations.

    `reserved` seconds of the budget are kept for getting ready and for the end.
    """
    import paznja
    from paznja.training.events import Progress, Saved

    told: list[tuple[float, Progress]] = []
    peaks: list[int] = []

    def watch(event: object) -> None:
        if isinstance(event, Progress):
            told.append((time.time(), event))
        if isinstance(event, Saved):
            from paznja.machine import peak_memory  # imports torch, which `train` has to load itself

            peaks.append(peak_memory())

    called = time.time()
    minutes = None if budget is None else max(LEAST, begun + budget - called - reserved) / 60
    run = paznja.train(
        shelf.places,
        minutes=minutes,
        iterations=iterations,
        preset=preset,
        name="run",
        out=folder,
        held_out=shelf.held_out,
        cache=folder / "cache",
        sample_at=[NEVER],
        on_event=watch,
        num_between=0,
        length=1,
        scoring="none",
        device="cpu",
        seed=seed,
        **changes,
    )
    ended = time.time()
    if run.state != "finished":
        raise SystemExit("the race was interrupted")
    settings = run.run.settings()
    between = [after.seconds - before.seconds for (_, before), (_, after) in pairwise(told)]
    return Learnt(
        seconds=ended - begun,
        iterations=len(told),
        characters_seen=told[-1][1].characters_seen if told else 0,
        iteration_seconds=median(between) if between else None,
        operations=settings.model.operations() * settings.model.context * settings.training.batch,
        parameters=settings.model.num_parameters(),
        memory_bytes=max(peaks),
        getting_ready=told[0][0] - told[0][1].seconds - called + ended - told[-1][0] if told else 0.0,
    )


def judge_ours(folder: Path, seed: int) -> tuple[float, str, str]:
    """In a fresh process: see `Learner.judge`."""
    import paznja

    run = paznja.open_run(folder / "run")
    prompt, _ = run.fit_prompt(PROMPT)
    text = run.generate(prompt, LENGTH, temperature=TEMPERATURE, seed=seed)
    return run.evaluate().bits_per_character, prompt, text[len(prompt) :]


# --- nanoGPT --------------------------------------------------------------------------------------------------------------------------


SEEDED = """
import runpy, sys, torch
shift, seed = int(sys.argv.pop(1)), torch.manual_seed
torch.manual_seed = lambda number: seed(number + shift)
sys.argv[0] = "train.py"
runpy.run_path("train.py", run_name="__main__")
"""
"""Starts nanoGPT's train.py, whose seed is fixed, with a seed that is higher by the first argument."""


class NanoGPT:
    """github.com/karpathy/nanoGPT from a checkout: its own train.py, with its README's recipe for a CPU.

    At every budget the recipe gets as many iterations as fit: a hundred or so are timed beforehand. It evaluates before the
    first iteration, as it always does, and then about every 250 iterations, as in the recipe; the last time at the end.
    """

    RECIPE: tuple[str, ...] = (
        "config/train_shakespeare_char.py",
        *("--device=cpu", "--compile=False", "--eval_iters=20", "--log_interval=1", "--dropout=0.0"),
        *("--block_size=64", "--batch_size=12", "--n_layer=4", "--n_head=4", "--n_embd=128"),
    )
    CONTEXT, BATCH, LAYERS, WIDTH = 64, 12, 4, 128
    INTERVAL = 250
    """Iterations between two evaluations in the recipe."""
    REHEARSED = 103
    """Not the hundred of its warm-up: a decay that ends with the warm-up is a division by zero."""

    name = "nanoGPT"

    def __init__(self, checkout: Path, data: Path) -> None:
        """`data`: a folder for its copy of the ids."""
        missing = [name for name in ("train.py", "model.py", self.RECIPE[0]) if not (checkout / name).is_file()]
        if missing:
            raise SystemExit(f"{checkout} is no checkout of nanoGPT: it has no {missing[0]}")
        self._checkout, self._data = checkout.resolve(), data

    def turns(self, budgets: Sequence[float]) -> Sequence[float | None]:
        return budgets

    def learn(self, shelf: Shelf, folder: Path, budget: float | None, seed: int) -> Learnt:
        assert budget is not None
        self._prepare(shelf)
        rehearsal = self._train(shelf, folder / "rehearsal", self.REHEARSED, self.REHEARSED + 1, seed)
        first, *others = rehearsal.times
        # It has evaluated once before its first iteration. Saving the network costs next to nothing.
        an_iteration, evaluating = mean(others), max(0.0, first - median(others))
        left = budget - rehearsal.getting_ready - an_iteration - evaluating  # it does one more iteration than it was asked for
        evaluations = max(1, int(left / (self.INTERVAL * an_iteration + evaluating)))
        interval = max(1, int((left / evaluations - evaluating) / an_iteration))
        return self._learnt(shelf, self._train(shelf, folder / "run", interval * evaluations, interval, seed))

    def judge(self, shelf: Shelf, folder: Path, seed: int) -> tuple[float, str, str]:
        return fresh(judge_nanogpt, self._checkout, shelf, folder / "run", seed)

    def _prepare(self, shelf: Shelf) -> None:
        if not self._data.exists():
            fresh(write_for_nanogpt, shelf, self._data)

    def _train(self, shelf: Shelf, folder: Path, iterations: int, interval: int, seed: int) -> NanoGPTsLog:
        """Train for `iterations`, evaluating every `interval`; leaves the checkpoint in the folder."""
        options = [f"--max_iters={iterations}", f"--lr_decay_iters={iterations}", f"--eval_interval={interval}"]
        places = [f"--dataset={self._data.resolve()}", f"--out_dir={folder.resolve()}"]
        command = [sys.executable, "-u", "-c", SEEDED, str(seed - 1), *self.RECIPE, *options, *places]
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=self._checkout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
        assert process.stdout is not None
        log = NanoGPTsLog()
        lines: deque[str] = deque(maxlen=10)
        for line in process.stdout:
            lines.append(line)
            found = re.match(r"iter \d+: .* time ([\d.]+)ms", line)
            if found:
                log.times.append(float(found[1]) / 1e3)
                log.seconds = time.perf_counter() - begun
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode or not log.times:
            raise SystemExit(f"nanoGPT's train.py ended with code {process.returncode}:\n{''.join(lines)}")
        log.memory_bytes = peak_of(usage)
        return log

    def _learnt(self, shelf: Shelf, log: NanoGPTsLog) -> Learnt:
        from paznja.tokenizers import load_tokenizer

        books = [book for book, _ in ids_of_books(shelf.folder) if not book.held_out]
        vocabulary = load_tokenizer(shelf.folder / "tokenizer.json", "characters").size
        # Twelve square matrices per layer, and the head; attention to half of the context, as in `ModelConfig.operations`.
        matrices = 12 * self.LAYERS * self.WIDTH**2 + vocabulary * self.WIDTH
        tokens = self.BATCH * self.CONTEXT
        return Learnt(
            seconds=log.seconds,
            iterations=len(log.times),
            characters_seen=round(len(log.times) * tokens * sum(book.characters for book in books) / sum(book.tokens for book in books)),
            iteration_seconds=median(log.times),
            operations=6 * tokens * (matrices + self.LAYERS * self.WIDTH * self.CONTEXT),
            parameters=matrices + self.CONTEXT * self.WIDTH + (2 * self.LAYERS + 1) * self.WIDTH,
            memory_bytes=log.memory_bytes,
        )


class NanoGPTsRecipe(NanoGPT):
    """The same with the recipe's own 2,000 iterations, however long they take; it takes part if 200 s is one of the budgets."""

    name = "nanoGPT's own 2,000 iterations"
    BUDGET = 200.0
    ITERATIONS = 2_000

    def turns(self, budgets: Sequence[float]) -> Sequence[float | None]:
        return [None] if self.BUDGET in budgets else []

    def learn(self, shelf: Shelf, folder: Path, budget: float | None, seed: int) -> Learnt:
        self._prepare(shelf)
        log = self._train(shelf, folder / "run", self.ITERATIONS, self.INTERVAL, seed)
        return self._learnt(shelf, log)


class NanoGPTsLog:
    """What a run of its train.py printed, and when."""

    def __init__(self) -> None:
        self.times: list[float] = []
        """The seconds of each iteration, including an evaluation before it."""
        self.seconds = 0.0
        """From the start of the process to the last iteration's end."""
        self.memory_bytes = 0

    @property
    def getting_ready(self) -> float:
        """Seconds before the first iteration."""
        return self.seconds - sum(self.times)


def write_for_nanogpt(shelf: Shelf, folder: Path) -> None:
    """In a fresh process: write exactly the same ids in the form that nanoGPT's train.py reads."""
    import numpy as np

    from paznja.tokenizers import load_tokenizer

    folder.mkdir(parents=True)
    for name, held_out in (("train.bin", False), ("val.bin", True)):
        np.concatenate([ids for book, ids in ids_of_books(shelf.folder) if book.held_out is held_out]).tofile(folder / name)
    (folder / "meta.pkl").write_bytes(pickle.dumps({"vocab_size": load_tokenizer(shelf.folder / "tokenizer.json", "characters").size}))


class ScorableNanoGPT:
    """nanoGPT's network for `paznja.evaluation`."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        import torch

        stored = torch.load(folder / "ckpt.pt", map_location="cpu", weights_only=True)
        with redirect_stdout(sys.stderr):  # it prints
            theirs = nanogpt_module(checkout)
            settings = theirs.GPTConfig(**stored["model_args"])
            self.model: Any = theirs.GPT(settings).eval()
        self.model.load_state_dict(stored["model"])
        self.context: int = settings.block_size
        self.device = torch.device("cpu")

    def losses(self, ids_BT: Any, next_ids_BT: Any, evidence: Any = None) -> Any:
        from torch.nn.functional import cross_entropy

        next_ids_BT = next_ids_BT.contiguous()
        logits_BTV, _ = self.model(ids_BT, next_ids_BT)  # without the next ids it returns only the last position's
        return cross_entropy(logits_BTV.flatten(0, 1), next_ids_BT.flatten(), reduction="none").view(ids_BT.shape)


def judge_nanogpt(checkout: Path, shelf: Shelf, folder: Path, seed: int) -> tuple[float, str, str]:
    """In a fresh process: see `Learner.judge`."""
    import torch

    from paznja.evaluation.bits_per_character import bits_of_texts
    from paznja.generation import fit_prompt
    from paznja.machine import num_cores, set_threads
    from paznja.tokenizers import load_tokenizer

    set_threads(num_cores())
    if not (folder / "ckpt.pt").is_file():
        raise SystemExit("nanoGPT's train.py has left no checkpoint: its loss on held-out text never fell")
    tokenizer = load_tokenizer(shelf.folder / "tokenizer.json", "characters")
    scorable = ScorableNanoGPT(checkout, folder)
    held_out = [(book, ids) for book, ids in ids_of_books(shelf.folder) if book.held_out]
    bits = bits_of_texts(scorable, [ids for _, ids in held_out], tokenizer.newline)
    prompt, _ = fit_prompt(PROMPT, shelf.script, tokenizer)
    begin = [tokenizer.newline, *tokenizer.encode(prompt).tolist()]
    torch.manual_seed(seed)
    written = scorable.model.generate(torch.tensor([begin]), LENGTH, temperature=TEMPERATURE)[0].tolist()
    return sum(bits) / sum(book.characters for book, _ in held_out), prompt, tokenizer.decode(written[len(begin) :])


# --- what is common to all ------------------------------------------------------------------------------------------------------------


def learners_of(runners: str, nanogpt: Path | None, data: Path) -> list[Learner]:
    """The learners named by PRESET/MEMORY, separated by commas, and nanoGPT; SystemExit, with a sentence, if one cannot be made."""
    learners: list[Learner] = []
    for runner in runners.split(","):
        preset, _, memory = runner.strip().partition("/")
        learners.append(MemoryAlone(memory or "none") if preset == ALONE else Ours(preset, memory or "none"))
    if nanogpt is not None:
        learners += [NanoGPT(nanogpt, data), NanoGPTsRecipe(nanogpt, data)]
    names = [learner.name for learner in learners]
    if len(set(names)) < len(names):
        raise SystemExit(f"somebody is named twice among the runners: {', '.join(names)}")
    return learners


def take_turn(learner: Learner, shelf: Shelf, words: Path, folder: Path, budget: float | None, seed: int) -> dict[str, Any]:
    """One learner's run with one budget and seed, in an empty folder; returns its line for the results."""
    before = fresh(matmul_speed)
    learnt = learner.learn(shelf, folder, budget, seed)
    peak = max(before, fresh(matmul_speed))
    asked = said(budget)
    click.echo(f"{learner.name}, {asked}, seed {seed}: {learnt.iterations:,} iterations in {learnt.seconds:.1f} s; scoring", err=True)
    bits, prompt, text = learner.judge(shelf, folder, seed)
    return {
        "learner": learner.name,
        "budget": budget,
        "seed": seed,
        "bits_per_character": bits,
        "seconds": learnt.seconds,
        "iterations": learnt.iterations,
        "parameters": learnt.parameters,
        "characters_per_second": learnt.characters_seen / learnt.seconds if learnt.iteration_seconds else None,
        "share_of_peak": learnt.operations / learnt.iteration_seconds / peak if learnt.iteration_seconds else None,
        "peak": peak,
        "memory_bytes": learnt.memory_bytes,
        "real_words": fresh(share_of_real_words, text, words),
        "prompt": prompt,
        "text": text,
    }


def said(budget: float | None) -> str:
    """A learner's turn in words."""
    return "its own time" if budget is None else f"{budget:g} s"


def matmul_speed() -> float:
    """In a fresh process: the operations per second of `torch.mm` at 1024 square, on this machine at this moment."""
    from paznja.machine import matmul_peak, num_cores, set_threads

    set_threads(num_cores())
    return matmul_peak("cpu", seconds=0.5)


def ids_of_books(prepared: Path) -> list[tuple[Any, Any]]:
    """Each book's record and its ids, training books first."""
    import numpy as np

    from paznja.run.records import read_books

    books = read_books(prepared / "corpus.json").books
    ends = np.cumsum([book.tokens for book in books])
    return list(zip(books, np.split(np.memmap(prepared / "corpus.bin", dtype=np.uint16, mode="r"), ends[:-1]), strict=True))


def write_words(shelf: Shelf, target: Path) -> None:
    """In a fresh process: write every word of all the books, held-out ones included, in lower case, one per line."""
    from paznja.tokenizers import load_tokenizer

    tokenizer = load_tokenizer(shelf.folder / "tokenizer.json", "characters")
    words = {word for _, ids in ids_of_books(shelf.folder) for word in words_in(tokenizer.decode(ids.tolist()))}
    target.write_text("\n".join(sorted(words)), encoding="utf-8")


def share_of_real_words(text: str, words: Path) -> float | None:
    """The share of a text's words of four letters and more that are in the file of words; None if it has no such words.

    The last word does not count if the text breaks off in it.
    """
    known = set(words.read_text(encoding="utf-8").split("\n"))
    found = words_in(re.sub(r"\w+$", "", text))
    return sum(word in known for word in found) / len(found) if found else None


def words_in(text: str) -> list[str]:
    """The words of four letters and more, in lower case."""
    return [word for word in re.findall(r"[^\W\d_]+", text.lower()) if len(word) >= SHORTEST_WORD]
