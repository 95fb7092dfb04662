"""The race: bits per character on held-out books against seconds, for several learners under the same clock.

    python benchmarks/learning.py BOOKS [--seconds 20,60,200,600] [--seeds 3] [--runners auto/learned,...] [--nanogpt DIR]

BOOKS is a folder of books, a single book, or the word `stories` for those that come with paznja. Every twelfth file from the
sixth on, in the order of the paths, is held out, as in `shelf.py`; with fewer than six files, paznja itself chooses.

Every learner has a separate run for every number of seconds and every seed; for each number and each seed, the learners run one
after the other. A run's clock starts before its process does and stops when its weights are there. It includes importing,
reading the prepared books, counting, compiling, training and saving. It excludes what is done in the same way for all:
preparing the books once beforehand, and, afterwards, scoring all of the held-out books and writing 2,500 characters. The
seconds that a run really took are in the table.

The learners: PRESET/MEMORY is `paznja.train` with this preset and memory (none, or what `--memory` knows); alone/MEMORY is the
memory without a network, which takes its own time, once per seed. With `--nanogpt DIR`, a checkout of karpathy/nanoGPT takes part, with
its README's recipe for a CPU and as many iterations as fit; and, if 200 s is one of the numbers, with the recipe's own 2,000 as well.
Only its seed is changed. It keeps the weights that were best on a little held-out text.

The share of real words is that of the words of four letters and more that a learner writes after the prompt at temperature 0.8:
those that occur in any of the books, held-out ones included. The share of `torch.mm` is the operations per second of the median
iteration (six per weight and token, and the attention, as `ModelConfig.operations` counts them) divided by the better of two measurements
of `torch.mm` at 1024 square, right before and right after. Characters per second are those seen, divided by all the seconds on the clock.

Results go to a file, one line per run, as they come. What is there is not run again, so a race can be interrupted, continued and
extended; `--report` only shows what is there. All figures are medians over the seeds, with the lowest and the highest in brackets.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import click
from common import count_of, every_twelfth, machine, megabytes, table
from learners import Shelf, fresh, learners_of, said, take_turn, write_words

from paznja.table import one_line

Result = dict[str, Any]

SHOWN = 400
"""The length of a sample in the report, in characters."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""The colours of the curves: Okabe and Ito's, which people who do not see all colours can tell apart."""


def prepare_shelf(places: tuple[Path, ...], held_out: tuple[Path, ...] | None, cache: Path | None) -> Shelf:
    """In a fresh process: prepare the books, or find them in the cache."""
    from paznja.preparing import prepare

    prepared = prepare(places, held_out=held_out, cache=cache)
    learnt = sum(not book.held_out for book in prepared.books)
    about = (
        f"{learnt} books, {prepared.training_characters:,} characters, to learn from; "
        f"{len(prepared.books) - learnt} books, {prepared.held_out_characters:,} characters, held out"
    )
    return Shelf(places, held_out, prepared.folder, prepared.fingerprint, prepared.script, about)


def race(shelf: Shelf, runners: str, nanogpt: Path | None, budgets: Sequence[float], seeds: int, results: Path) -> None:
    """Run whatever is not among the results yet, and add it to them."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        learners = learners_of(runners, nanogpt, work / "nanogpt")
        done = read_results(results)
        if any(result["books"] != shelf.fingerprint for result in done):
            raise SystemExit(
                f"{results} holds a race on other books, or on the same ones held out differently: name another file with --results"
            )
        wanted = [
            (learner, budget, seed)
            for budget in (None, *budgets)
            for seed in range(1, seeds + 1)
            for learner in learners
            if budget in learner.turns(budgets)
        ]
        have = {(result["learner"], result["budget"], result["seed"]) for result in done}
        missing = [turn for turn in wanted if (turn[0].name, *turn[1:]) not in have]
        if not missing:
            return
        results.parent.mkdir(parents=True, exist_ok=True)
        results.touch()  # if it cannot be written to, it is better to know now than after the first run
        about = {"books": shelf.fingerprint, "about": shelf.about, "machine": fresh(machine)}
        fresh(write_words, shelf, work / "words.txt")
        for number, (learner, budget, seed) in enumerate(missing, 1):
            with tempfile.TemporaryDirectory(dir=work) as place:
                result = take_turn(learner, shelf, work / "words.txt", Path(place), budget, seed)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**about, **result}, ensure_ascii=False) + "\n")
            click.echo(f"{number} of {len(missing)}: {result['bits_per_character']:.3f} bits per character", err=True)


def read_results(path: Path) -> list[Result]:
    """The lines of the file so far; SystemExit, with a sentence, if one is not a result."""
    results: list[Result] = []
    if path.is_file():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                results.append(json.loads(line))
            except ValueError:
                raise SystemExit(f"line {number} of {path} is no whole result: delete it, and its run is run again") from None
    return results


# --- the report -----------------------------------------------------------------------------------------------------------------------


def grouped(results: Sequence[Result]) -> dict[tuple[str, float | None], list[Result]]:
    """The runs with all seeds, for each learner and number of seconds: learners in their order in the file, numbers in rising order."""
    learners = list(dict.fromkeys(result["learner"] for result in results))
    keys = sorted({(result["learner"], result["budget"]) for result in results}, key=lambda key: (learners.index(key[0]), key[1] or 0))
    return {key: sorted((r for r in results if (r["learner"], r["budget"]) == key), key=lambda r: r["seed"]) for key in keys}


def middle(runs: Sequence[Result], name: str) -> float | None:
    """The median over the runs that have this figure."""
    values = [run[name] for run in runs if run[name] is not None]
    return median(values) if values else None


def with_spread(runs: Sequence[Result], name: str) -> str:
    """The median, and the lowest and the highest if there are several."""
    values = [run[name] for run in runs]
    spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
    return f"{median(values):.3f}{spread}"


def curves(results: Sequence[Result]) -> str:
    """Bits per character: one row per learner, one column per number of seconds."""
    groups = grouped(results)
    budgets = sorted({budget for _, budget in groups}, key=lambda budget: budget or float("inf"))

    def cell(learner: str, budget: float | None) -> str:
        runs = groups.get((learner, budget))
        took = f", {middle(runs, 'seconds'):.1f} s" if runs and budget is None else ""
        return with_spread(runs, "bits_per_character") + took if runs else "-"

    rows = [[learner, *(cell(learner, budget) for budget in budgets)] for learner in dict.fromkeys(learner for learner, _ in groups)]
    return table(["bits per character", *map(said, budgets)], rows)


HEADER = [
    "learner",
    "asked for",
    "took",
    "bits per character",
    "real words",
    "iterations",
    "characters/s",
    "share of `torch.mm`",
    "peak memory",
    "parameters",
    "runs",
]


def figures(results: Sequence[Result]) -> str:
    """All figures: one row per learner and number of seconds."""
    rows: list[list[str]] = []
    for (learner, budget), runs in grouped(results).items():
        words, speed, share = (middle(runs, name) for name in ("real_words", "characters_per_second", "share_of_peak"))
        rows.append(
            [
                learner,
                said(budget),
                f"{middle(runs, 'seconds'):.1f} s",
                with_spread(runs, "bits_per_character"),
                "-" if words is None else f"{words:.0%}",
                f"{middle(runs, 'iterations'):,.0f}",
                "-" if speed is None else count_of(speed),
                "-" if share is None else f"{share:.0%}",
                megabytes(middle(runs, "memory_bytes") or 0),
                f"{middle(runs, 'parameters'):,.0f}",
                str(len(runs)),
            ]
        )
    return table(HEADER, rows)


def samples(results: Sequence[Result]) -> str:
    """What each learner writes with its first seed."""
    first = [(key, runs[0]) for key, runs in grouped(results).items()]
    return "\n\n".join(
        f"**{learner}, {said(budget)}**\n\n> {one_line(run['prompt'] + run['text'][:SHOWN]).replace('<', '&lt;')} ..."
        for (learner, budget), run in first
    )


def draw(results: Sequence[Result], target: Path) -> None:
    """Bits per character against the seconds that a run really took, as an SVG; the bars reach from the lowest to the highest seed."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "paznja", "font.family": "sans-serif"}):
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.add_subplot()
        groups = grouped(results)
        for number, learner in enumerate(dict.fromkeys(learner for learner, _ in groups)):
            runs = [runs for (name, _), runs in groups.items() if name == learner]
            seconds = [median(run["seconds"] for run in seeds) for seeds in runs]
            bits = [[run["bits_per_character"] for run in seeds] for seeds in runs]
            away = [[median(b) - min(b) for b in bits], [max(b) - median(b) for b in bits]]
            colour = COLOURS[number % len(COLOURS)]
            axes.errorbar(seconds, list(map(median, bits)), yerr=away, marker="o", markersize=5, capsize=3, color=colour, label=learner)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(sorted(budget for budget in {budget for _, budget in groups} if budget is not None)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g} s"))
        axes.set_xlabel("from the start of the process to its weights")
        axes.set_ylabel("bits per character on held-out books")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, format="svg", metadata={"Date": None})


def report(results: Sequence[Result], plot: Path) -> None:
    """Print the tables and the samples, and draw the plot."""
    draw(results, plot)
    print("## Learning\n")
    for about in dict.fromkeys(result["machine"] for result in results):
        print(f"{about}\n")
    print(f"{results[0]['about']}. Medians over the seeds, and between brackets the least and the most. The plot is in {plot}.\n")
    print(curves(results), end="\n\n")
    print(figures(results), end="\n\n")
    print(samples(results))


def numbers(context: click.Context, parameter: click.Parameter, text: str) -> list[float]:
    """Seconds separated by commas; returns each once, in rising order."""
    try:
        seconds = sorted({float(part) for part in text.split(",")})
    except ValueError:
        seconds = [0.0]
    if not 0 < seconds[0] <= seconds[-1] < float("inf"):
        raise click.BadParameter(f"{text!r} are not numbers of seconds with commas between them, like 20,60,200")
    return seconds


@click.command(help=__doc__)
@click.argument("books", required=False)
@click.option("--seconds", default="20,60,200,600", show_default=True, callback=numbers, help="How long to learn.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="How many runs of each: seeds 1, 2, 3, ...")
@click.option(
    "--runners", default="auto/learned,auto/counted", show_default=True, help="PRESET/MEMORY or alone/MEMORY, with commas between them."
)
@click.option("--nanogpt", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A checkout of karpathy/nanoGPT.")
@click.option(
    "--results", type=click.Path(dir_okay=False, path_type=Path), default="learning.jsonl", show_default=True, help="The file of results."
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="The picture's file; by default beside the results, as .svg.")
@click.option("--report", "only_report", is_flag=True, help="Run nothing; show what is there.")
@click.option(
    "--cache", type=click.Path(path_type=Path), envvar="PAZNJA_CACHE", help="The folder for prepared books; the user's by default."
)
def main(
    books: str | None,
    seconds: list[float],
    seeds: int,
    runners: str,
    nanogpt: Path | None,
    results: Path,
    plot: Path | None,
    only_report: bool,
    cache: Path | None,
) -> None:
    from paznja.corpus import stories

    if not only_report:
        if books is None:
            raise click.UsageError("say which BOOKS to race on: a folder, a file, or the word stories")
        with ExitStack() as opened:
            place = opened.enter_context(stories.folder()) if books == "stories" else Path(books)
            shelf = fresh(prepare_shelf, (place,), tuple(every_twelfth(place)) or None, cache)
            race(shelf, runners, nanogpt, seconds, seeds, results)
    found = read_results(results)
    if not found:
        raise SystemExit(f"{results} has no results yet: leave --report out, or say where they are with --results")
    report(found, plot or results.with_suffix(".svg"))


if __name__ == "__main__":
    main()
