"""Generation: characters per second at batch 1, and the seconds from the command to its first character.

    python benchmarks/generation.py [--nanogpt DIR]

Random weights in the shapes of the presets, a prompt of 12 characters, and as many characters after it as fill the context
several times over, at temperature 0.8. The contenders:

- paznja: `paznja.generation` on its `Decoder` (a cache of keys and values), decoding to text as it goes;
- loop: the same network in PyTorch (`Transformer`) without a cache: it computes the whole context again for every character;
- nanoGPT: `GPT.generate` of the checkout DIR (github.com/karpathy/nanoGPT), imported from there, at the same layers, heads,
  width, context and vocabulary, without biases, which is its faster kind.

First, each writes for half a second with a full context, three times in turns, with 1 thread and with 2, in processes that
differ in nothing else; the faster of the two is used for it from then on. Then they write their texts in turns, one context's
length at a time (12 of them; 4 of `blog`). Characters per second and ratios are medians over the turns.

The first character is timed from the start of `paznja generate`, without a shell, to the first byte that it prints, on a run
of one iteration of each preset on the stories that come with paznja, in turns; `paznja --help` is timed to its end.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from statistics import median
from typing import Any

import click
from common import PAZNJA, PROMPT, Worker, count_of, machine, median_ratio, nanogpt_module, table, take_turns, time_of

from paznja.config import PRESETS, ModelConfig

THREADS = (1, 2)
TRIALS = 3
TURNS = {"pocket": 12, "blog": 4, "tiny": 12}
"""How many times the context's length each contender writes by default."""
TEMPERATURE = 0.8


class Writers:
    """Every contender in one shape, in a process of its own, whose environment limits NumPy's threads."""

    def __init__(self, config: ModelConfig, tokenizer_json: str, threads: int, nanogpt: Path | None) -> None:
        import torch

        from paznja.model.transformer import Transformer
        from paznja.tokenizers.characters import CharacterTokenizer

        torch.set_num_threads(threads)
        torch.manual_seed(1)
        tokenizer = CharacterTokenizer.from_json(tokenizer_json)
        model = Transformer(config).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.02)
        self.writers: dict[str, Ours | Loop] = {"paznja": Ours(model, tokenizer), "loop": Loop(model, tokenizer)}
        if nanogpt is not None:
            self.writers["nanoGPT"] = NanoGPT(nanogpt, config, tokenizer)

    def parameters(self) -> dict[str, int]:
        """The number of parameters of each contender."""
        return {name: writer.parameters for name, writer in self.writers.items()}

    def begin(self, name: str, prompt: str) -> None:
        """Begin a new text."""
        self.writers[name].begin(prompt)

    def write(self, name: str, characters: int) -> float:
        """Write this many more characters; returns the seconds."""
        start = time.perf_counter()
        self.writers[name].write(characters)
        return time.perf_counter() - start

    def trial(self, name: str, prompt: str, seconds: float) -> float:
        """Characters per second after this prompt, measured for about this many seconds; at least three characters."""
        self.begin(name, prompt)
        self.write(name, 1)
        written, start = 0, time.perf_counter()
        while written < 3 or time.perf_counter() < start + seconds:
            self.write(name, 1)
            written += 1
        return written / (time.perf_counter() - start)


class Ours:
    """`paznja.generation`."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        from paznja.model.decoder import Decoder

        self.parameters = model.num_parameters()
        self.decoder = Decoder(model.config, {name: tensor.numpy() for name, tensor in model.state_for_export().items()})
        self.tokenizer = tokenizer

    def begin(self, prompt: str) -> None:
        from paznja.generation import Choice, generate

        self.text = generate(self.decoder, self.tokenizer, prompt, sys.maxsize, Choice(TEMPERATURE))

    def write(self, characters: int) -> None:
        for _ in range(characters):
            next(self.text)


class Loop:
    """The network that trains, without a cache."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.parameters = model.num_parameters()
        self.model, self.tokenizer = model, tokenizer

    def begin(self, prompt: str) -> None:
        import torch

        self.ids_BT = torch.tensor([[self.tokenizer.newline, *self.tokenizer.encode(prompt).tolist()]])

    def write(self, characters: int) -> None:
        import torch

        with torch.inference_mode():
            for _ in range(characters):
                logits_BV = self.model(self.ids_BT[:, -self.model.config.context :])[:, -1]
                p_BV = torch.softmax(logits_BV[:, : self.tokenizer.num_writable] / TEMPERATURE, dim=1)
                self.ids_BT = torch.cat((self.ids_BT, torch.multinomial(p_BV, 1)), dim=1)


class NanoGPT(Loop):
    """nanoGPT's own network and `generate`, from a checkout."""

    def __init__(self, checkout: Path, config: ModelConfig, tokenizer: Any) -> None:
        with redirect_stdout(sys.stderr):  # it prints
            theirs = nanogpt_module(checkout)
            sizes = {"n_layer": config.layers, "n_head": config.heads, "n_embd": config.width}
            self.model = theirs.GPT(
                theirs.GPTConfig(block_size=config.context, vocab_size=config.vocabulary, dropout=0.0, bias=False, **sizes)
            ).eval()
        self.parameters = sum(parameter.numel() for parameter in self.model.parameters())
        self.tokenizer = tokenizer

    def write(self, characters: int) -> None:
        self.ids_BT = self.model.generate(self.ids_BT, characters, temperature=TEMPERATURE)


def measure_writing(preset: str, tokenizer_json: str, vocabulary: int, nanogpt: Path | None, turns: int, trial: float) -> list[list[str]]:
    """The table's rows for one shape."""
    from dataclasses import replace

    config = replace(PRESETS[preset].model, vocabulary=vocabulary)
    with ExitStack() as opened:
        workers: dict[int, Worker] = {}
        for threads in THREADS:
            environment = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "MKL", "OPENBLAS", "VECLIB")}
            workers[threads] = opened.enter_context(Worker(Writers, config, tokenizer_json, threads, nanogpt, environment=environment))
        parameters = workers[1].call("parameters")
        full = (PROMPT * config.context)[: config.context]

        def trying(name: str, threads: int) -> Callable[[], float]:
            return lambda: workers[threads].call("trial", name, full, trial)

        rates = take_turns({f"{name} {threads}": trying(name, threads) for name in parameters for threads in THREADS}, TRIALS)
        best = {name: max(THREADS, key=lambda threads: median(rates[f"{name} {threads}"])) for name in parameters}
        for name, threads in best.items():
            workers[threads].call("begin", name, PROMPT)

        def writing(name: str) -> Callable[[], float]:
            return lambda: workers[best[name]].call("write", name, config.context)

        times = take_turns({name: writing(name) for name in parameters}, turns)
    shape = f"{preset}: {config.layers} x {config.width}, context {config.context}"
    rows: list[list[str]] = []
    for name, seconds in times.items():
        rate, ratio = config.context / median(seconds), median_ratio(seconds, times["paznja"])
        rows.append([shape, name, f"{parameters[name]:,}", str(best[name]), count_of(rate), f"{ratio:.1f}"])
    return rows


def measure_starting(folder: Path, presets: tuple[str, ...], rounds: int) -> dict[str, list[float]]:
    """Seconds to the first byte of `paznja generate` on a run of each preset, and to the end of `paznja --help`."""
    for preset in presets:
        places = ["--name", preset, "--out", folder, "--cache", folder / "cache"]
        training = [*PAZNJA, "demo", "--preset", preset, "--iterations", "1", *places, "--quiet"]
        subprocess.run(training, check=True, stdout=sys.stderr.fileno())

    def first_byte(*arguments: object) -> float:
        start = time.perf_counter()
        command = [*PAZNJA, *map(str, arguments)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
            assert process.stdout is not None
            if not process.stdout.read(1):
                raise SystemExit(f"{' '.join(command)} printed nothing")
            seconds = time.perf_counter() - start
            process.stdout.read()
        return seconds

    def whole() -> float:
        start = time.perf_counter()
        subprocess.run([*PAZNJA, "--help"], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    def generating(preset: str) -> Callable[[], float]:
        return lambda: first_byte("generate", preset, "--out", folder, "--prompt", PROMPT, "--length", 1)

    contenders = {f"`paznja generate`, {preset}, to the first character": generating(preset) for preset in presets}
    return take_turns({**contenders, "`paznja --help`, to its end": whole}, rounds)


@click.command(help=__doc__)
@click.option("--nanogpt", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A checkout of karpathy/nanoGPT.")
@click.option("--preset", "presets", multiple=True, type=click.Choice(list(TURNS)), help="Shapes; by default pocket and blog.")
@click.option("--turns", type=click.IntRange(1), help="How many contexts' lengths each contender writes.")
@click.option("--trial", default=0.5, show_default=True, help="Seconds in which a number of threads is tried.")
@click.option("--rounds", default=5, show_default=True, help="How often a start is timed.")
def main(nanogpt: Path | None, presets: tuple[str, ...], turns: int | None, trial: float, rounds: int) -> None:
    from paznja.corpus import stories
    from paznja.corpus.corpus import read_books
    from paznja.tokenizers import learn_tokenizer

    about = machine()
    with stories.folder() as folder:
        tokenizer = learn_tokenizer("characters", (book.text for book in read_books([folder])[0]))
    json = tokenizer.to_json()
    rows: list[list[str]] = []
    for preset in presets or ("pocket", "blog"):
        rows += measure_writing(preset, json, tokenizer.size, nanogpt, turns or TURNS[preset], trial)
    print(f"## Generation\n\n{about} Batch 1, float32, random weights, {len(PROMPT)} characters of prompt.\n")
    print(table(["shape", "contender", "parameters", "threads (the better of 1 and 2)", "characters/s", "time to paznja's"], rows))
    with tempfile.TemporaryDirectory() as folder:
        starting = measure_starting(Path(folder), ("tiny", "pocket"), rounds)
    print(f"\nStarting; medians of {rounds}.\n")
    print(table(["command", "time"], [[name, time_of(median(times))] for name, times in starting.items()]))


if __name__ == "__main__":
    main()
