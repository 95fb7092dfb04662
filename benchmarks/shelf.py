"""The shelf: a whole run of `paznja train` on a shelf of books, from the command line, as the README shows it.

    python benchmarks/shelf.py BOOKS [--minutes 10] [--out DIR] [-- --preset pocket ...]

Every twelfth book, from the sixth on, in the order of the paths, is held out: `sorted(files)[5::12]`. Prints the exact
command, the figures and the whole table of samples (`samples.md`). What follows `--` is passed on to `paznja train`.

Bits per character are on all the held-out books, with the best weights: as the run itself scored them at its end, or, if that
would have taken too much of its time, from `paznja evaluate --json` afterwards. Characters per second are those seen in training,
divided by all the time that counts as training, with its sampling, scoring and saving. Peak memory is given three times: the
trainer's own figure in `metrics.jsonl`; what the operating system counted for the largest single process until its end; and the
largest sum over all of the run's processes, looked at twice a second (several read the books), without what they share.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import click
from common import PAZNJA, every_twelfth, machine, megabytes, memory_of_all, peak_of, table

from paznja.run import Run, free_name
from paznja.table import duration


def run_command(arguments: list[str]) -> tuple[float, int, int]:
    """Run `paznja` with its output on standard error; returns seconds, and peak bytes of the largest process and of all together."""
    start = time.perf_counter()
    process = subprocess.Popen([*PAZNJA, *arguments], stdout=sys.stderr.fileno())
    peak_of_all = 0
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        peak_of_all = max(peak_of_all, memory_of_all(process.pid))
        time.sleep(0.5)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):  # 3: done, but some files could not be read
        raise SystemExit(f"the run ended with code {process.returncode}")
    peak = peak_of(usage)
    return seconds, peak, max(peak, peak_of_all)


def bits_of_all_held_out(run: Run) -> tuple[float, str]:
    """Bits per character on all of the held-out books, and who scored them."""
    scored = [line["held_out_whole"] for line in run.metrics() if line["held_out_whole"] is not None]
    if scored:  # the best weights are those that scored best
        return min(scored), "scored by the run"
    evaluate = [*PAZNJA, "evaluate", run.name, "--out", str(run.path.parent), "--json"]
    output = subprocess.run(evaluate, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output)["bits_per_character"], "by `paznja evaluate --json`"


@click.command(help=__doc__)
@click.argument("books", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.option("--minutes", default=10.0, show_default=True, help="How long to train.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="The folder that the run goes to.")
def main(books: Path, options: tuple[str, ...], minutes: float, out: Path) -> None:
    held_out = every_twelfth(books)
    if not held_out:
        raise SystemExit(f"{books} has too few books: every twelfth from the sixth on is to be held out, so it takes 6 or more")
    about = machine()
    name = free_name(out, "shelf") if (out / "shelf").exists() else "shelf"
    arguments = ["train", str(books), "--minutes", f"{minutes:g}", "--name", name, "--out", str(out), *options]
    for file in held_out:
        arguments += ["--held-out", str(file)]
    whole, peak, peak_of_all = run_command(arguments)
    run = Run.open(name, out)
    last, records = run.checkpoint(), run.books()
    assert last is not None
    seen = last.parts["meter"]["characters_seen"]
    bits, scored_by = bits_of_all_held_out(run)
    training = [book for book in records if not book.held_out]
    print(f"## The shelf\n\n{about}\n\n    {shlex.join(['paznja', *arguments])}\n")
    figures = [
        ("training", f"{len(training)} books, {sum(book.characters for book in training):,} characters"),
        ("held out", f"{len(held_out)} books, {sum(book.characters for book in records if book.held_out):,} characters"),
        (f"bits per character on all held-out books, {scored_by}", f"{bits:.3f}"),
        *(
            (f"bits per character on {what}, at the end", f"{line[name]:.3f}")
            for line in run.metrics()[-1:]
            for name, what in (("held_out", "the fixed part of them"), ("training", "a part of the training books"))
        ),
        ("iterations", f"{last.iteration:,}"),
        ("characters seen", f"{seen:,}"),
        ("characters a second of training", f"{seen / last.seconds:,.0f}"),
        ("time that counts as training", duration(last.seconds)),
        ("time of the whole command", duration(whole)),
        *(("peak memory, by metrics.jsonl", megabytes(line["peak_memory_bytes"])) for line in run.metrics()[-1:]),
        ("peak memory of the largest process, by the operating system", megabytes(peak)),
        ("peak memory of all its processes together", megabytes(peak_of_all)),
    ]
    print(table(["figure", ""], figures))
    print(f"\n{(run.path / 'samples.md').read_text(encoding='utf-8')}", end="")


if __name__ == "__main__":
    main()
