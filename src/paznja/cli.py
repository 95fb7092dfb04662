"""The command line: a function a command. It parses, calls `paznja.api` and shows; no logic lives here.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 done but some files could not be read, 130 interrupted but saved.
"""

from __future__ import annotations

import difflib
import errno
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paznja.completion import SHELLS, VARIABLE, command_names, files_or_fetch, one_of, rule_names, run_names, script, shelf_names
from paznja.config import DEFAULT_MINUTES, MEMORIES, PRESET_HELP, SCORINGS, SCRIPTS
from paznja.disk import is_disk_full
from paznja.errors import PaznjaError, RunError, WrongUse
from paznja.table import counted, file_size

if TYPE_CHECKING:
    from paznja.corpus.book import Unreadable

SOME_UNREADABLE = 3
INTERRUPTED = 130

LONGEST_NAME_SHOWN = 200

WELCOME = """\
paznja trains a small GPT on your own books, on this machine, and lets you watch it learn.

  paznja demo                           two minutes at most on the stories that come with it: try this first
  paznja books ~/Books                  what it makes of your books, before anything is learnt
  paznja train ~/Books                  learn from a folder of your books, 10 minutes
  paznja runs                           what has been trained
  paznja generate NAME "..."            let a trained model write on; without a text, from its own beginning
  paznja next NAME "..."                which characters it expects next
  paznja curve NAME                     how it learnt, as a curve
  paznja evaluate NAME ~/Other          how well it knows books that it never saw
  paznja resume NAME                    go on with a run that was stopped
  paznja help COMMAND                   everything about a command"""

DEVICES = ("auto", "cpu", "cuda", "mps")

DEMO_MINUTES = 2.0

DEMO_ROWS = "1,2,5,10,20,50,100,200,300,500,1000,2000"
"""Closer together than a longer run's, so that there is something to see all the time."""


class Decimal(click.types.FloatParamType):
    """A number with a point or a comma."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        pointed: Any = value.replace(",", ".") if isinstance(value, str) else value
        number = super().convert(pointed, param, ctx)
        if number != number:
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


class Place(click.Path):
    """A file or a folder, there or not yet. An empty one is no place, though Python takes it for the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value) or "\0" in str(value):
            self.fail("it is empty; name a file or a folder." if not str(value) else "no file can be called so.", param, ctx)
        return super().convert(value, param, ctx)


DECIMAL = Decimal()
PLACE = Place(path_type=Path)

out_option = click.option("--out", type=PLACE, default=Path("runs"), show_default=True, help="The folder that the runs are in.")
cache_option = click.option(
    "--cache",
    type=PLACE,
    envvar="PAZNJA_CACHE",
    show_envvar=True,
    help="The folder for prepared books; the user's cache folder otherwise.",
)
verbose_option = click.option("--verbose", is_flag=True, help="Say more before it begins: remarks on the books, the shape of the network.")
quiet_option = click.option("--quiet", is_flag=True, help="Print errors alone.")
latest_option = click.option("--latest", is_flag=True, help="Use the newest checkpoint's weights instead of the best ones.")
minutes_option = click.option("--minutes", type=DECIMAL, help="How long to train, with all the sampling, evaluating and saving.")
iterations_option = click.option("--iterations", type=int, help="How long to train, in iterations.")
script_option = click.option(
    "--script",
    shell_complete=one_of(SCRIPTS),
    help="What Serbian text is brought to: cyrillic; latin; auto, the one that most of the books use; keep leaves it.  [default: auto]",
)
without_option = click.option(
    "--without",
    multiple=True,
    metavar="RULE",
    shell_complete=rule_names,
    help="Switch off a rule of cleaning, by its name; may be given several times.",
)
strict_option = click.option("--strict", is_flag=True, help="Stop at the first file that cannot be read, instead of going on without it.")
held_out_option = click.option("--held-out", multiple=True, type=PLACE, help="Measure on this file; may be given several times.")
name_argument = click.argument("name", shell_complete=run_names)
books_argument = click.argument("books", nargs=-1, required=True, type=PLACE)


class ReaderLeft(Exception):
    """What was printed into wants no more, as with `| head`: an end like any other."""


@contextmanager
def _readers_may_leave() -> Iterator[None]:
    """Click and rich answer a broken pipe with exit code 1; here it is told apart from what fails."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderLeft from None
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):
            raise ReaderLeft from None
        raise


class Commands(click.Group):
    """All the commands."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _readers_may_leave():
            return super().make_context(*args, **extra)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        near = difflib.get_close_matches(args[0], self.commands, n=1)
        if args[0] not in self.commands and near and not ctx.resilient_parsing and not args[0].startswith("-"):
            raise WrongUse(f"There is no command {args[0]!r}. Did you mean {near[0]}? All of them: paznja --help")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _readers_may_leave():
            return super().invoke(ctx)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and leave with its exit code; what a person can act on becomes a sentence."""
    if VARIABLE not in os.environ:  # completion never complains
        _make_printable()
    warnings.filterwarnings("ignore", module="filelock")  # that a network drive has no locks is dealt with
    try:
        code = commands.main(args=arguments, prog_name="paznja", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except PaznjaError as error:
        click.echo(f"Error: {_sentence(str(error))}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        if "unexpected extra argument" in error.message:
            click.echo('A text of several words goes between quotation marks, like "Ово је мост"; so does a path with spaces.', err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped.", err=True)
        sys.exit(INTERRUPTED)
    except (ReaderLeft, BrokenPipeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)  # what is still waiting to be printed would complain at the very end
        sys.exit(0)
    except OSError as error:
        click.echo(f"Error: {_what_the_system_said(error)}", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _what_the_system_said(error: OSError) -> str:
    """A sentence for an error of the operating system that no room below knew better."""
    reason = error.strerror or str(error) or type(error).__name__
    if is_disk_full(error):
        advice = "make room on the disk, or choose another place."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = "see that you may read and write there, or choose another place."
    else:
        advice = "see that the name is right and the disk is there, and try again."
    if error.filename is None:
        return f"{reason}: {advice}"
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
    name = name if len(name) <= LONGEST_NAME_SHOWN else f"{name[:LONGEST_NAME_SHOWN]}..."
    return f"{name}: {reason}; {advice}"


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="paznja", message="paznja %(version)s")
@click.pass_context
def commands(context: click.Context) -> None:
    """Train a small GPT on your own books, on your own machine, and watch it learn."""
    if context.invoked_subcommand is None:
        click.echo(WELCOME)


@commands.command(name="help")
@click.argument("names", metavar="[COMMAND]", nargs=-1, shell_complete=command_names)
@click.pass_context
def help_(context: click.Context, names: tuple[str, ...]) -> None:
    """Show what COMMAND does and every option of it; without COMMAND, all the commands."""
    root = context.find_root()
    root.command.main(args=[*names, "--help"], prog_name=root.info_name, standalone_mode=False)


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that a new run takes."""
    for option in reversed(
        [
            click.option(
                "--preset",
                shell_complete=one_of(PRESET_HELP),
                default="auto",
                show_default=True,
                help="; ".join(f"{name}: {text}" for name, text in PRESET_HELP.items()) + ".",
            ),
            click.option("--name", help="What to call the run; by default the books' folder, the day and a number."),
            out_option,
            click.option(
                "--prompt", "prompts", multiple=True, help="The beginning that every sample continues. May be given several times."
            ),
            click.option(
                "--sample-at",
                help="Iterations with a row in the table, like 10,100,1000; by default 1, 2, 5, 10, 20, 50, 100, ... (the demo has more).",
            ),
            click.option("--length", type=int, help="Characters in a row of the table.  [default: 200]"),
            click.option("--seed", type=int, help="Of the first weights, the order of the books' parts and the samples.  [default: 1]"),
            click.option("--device", shell_complete=one_of(DEVICES), help="auto, cpu, cuda or mps.  [default: auto]"),
            click.option("--threads", type=int, help="CPU threads.  [default: as many as are fastest, measured at the start]"),
            click.option("--batch", type=int, help="Windows of text in an iteration. Lower it where memory is short."),
            click.option("--context", type=int, help="How many characters back the model sees."),
            click.option("--layers", type=int, help="How many layers the network has."),
            click.option("--width", type=int, help="How wide they are: a multiple of 64."),
            click.option(
                "--memory",
                shell_complete=one_of(MEMORIES),
                help="none; learned: a table of what the last 2 to 6 characters are worth, learnt beside the network; or counted: "
                "count what followed what in the books, then learn how far to trust it: the best text in the least time. "
                "Only paznja can run a model with a memory.  [default: learned; none for the presets that name a size]",
            ),
            click.option(
                "--compile",
                "compiled",
                is_flag=True,
                default=None,
                help="Compile the network first: needs a C++ compiler and half a minute, for about a tenth more speed on a CPU.",
            ),
            click.option("--learning-rate", type=DECIMAL, help="Peak learning rate. Lower it if the loss stops being a number."),
            click.option("--checkpoint-seconds", type=DECIMAL, help="Time between two checkpoints.  [default: 60]"),
            click.option(
                "--scoring",
                shell_complete=one_of(SCORINGS),
                help="How much to measure on held-out text: auto; part, never all of the held-out books at the end; none, so that all of "
                "the time goes into learning (paznja evaluate measures afterwards).  [default: auto]",
            ),
            script_option,
            without_option,
            strict_option,
            click.option("--no-corpus", is_flag=True, help="Keep the books' text out of the run's folder; resuming then needs the books."),
            cache_option,
            verbose_option,
            quiet_option,
        ]
    ):
        command = option(command)
    return command


@commands.command()
@books_argument
@click.option(
    "--minutes", type=DECIMAL, help=f"How long to train, with all the sampling, evaluating and saving.  [default: {DEFAULT_MINUTES:g}]"
)
@iterations_option
@held_out_option
@training_options
def train(books: tuple[Path, ...], minutes: float | None, iterations: int | None, held_out: tuple[Path, ...], **options: Any) -> int:
    """Train on BOOKS: files and folders, read with all that is in them.

    What can be read, paznja books --help says. About a twentieth of the books, at least one, is held out: the model never
    learns from it, and is measured on it. Ctrl-C finishes the iteration, saves, and says how to go on.
    """
    return _train(list(books), minutes=minutes, iterations=iterations, held_out=list(held_out) or None, **options)


@commands.command()
@click.option("--minutes", type=DECIMAL, help=f"How long to train.  [default: {DEMO_MINUTES:g}]")
@iterations_option
@training_options
def demo(minutes: float | None, iterations: int | None, **options: Any) -> int:
    """Train for two minutes at most on the stories that come with paznja.

    They are 35 short stories in Serbian, written for this program and free for any use (CC0).
    """
    from paznja.corpus import stories

    if minutes is None and iterations is None:
        minutes = DEMO_MINUTES
    options["sample_at"] = options["sample_at"] or DEMO_ROWS
    with stories.folder() as folder:
        return _train([folder], minutes=minutes, iterations=iterations, held_out=None, **options)


def _train(
    books: list[Path],
    *,
    prompts: tuple[str, ...],
    sample_at: str | None,
    no_corpus: bool,
    without: tuple[str, ...],
    verbose: bool,
    quiet: bool,
    **options: Any,
) -> int:
    from paznja.terminal import Display

    display = Display(quiet=quiet, verbose=verbose)
    with display:
        from paznja import api

        prompts = tuple(map(_prompt, prompts))
        options |= {"sample_at": _iterations(sample_at), "with_corpus": not no_corpus, "without": without or None}
        api.train(books, prompts=prompts, on_event=display.show, **options)
    return _training_code(display.complete, display.unreadable)


@commands.command()
@name_argument
@click.option("--minutes", type=DECIMAL, help="Go on for so many minutes more.")
@click.option("--iterations", type=int, help="Go on for so many iterations more.")
@click.option("--books", multiple=True, type=PLACE, help="Where the books are now, if they have moved.")
@out_option
@cache_option
@verbose_option
@quiet_option
def resume(name: str, books: tuple[Path, ...], verbose: bool, quiet: bool, **options: Any) -> int:
    """Go on with the run NAME after Ctrl-C, a crash or a power cut, bit for bit where its last checkpoint was.

    A finished run goes on too, when it is given more --minutes or --iterations.
    """
    from paznja.terminal import Display

    display = Display(quiet=quiet, verbose=verbose)
    with display:
        from paznja import api

        api.resume(name, books=list(books) or None, on_event=display.show, **options)
    return _training_code(display.complete, display.unreadable)


@commands.command()
@name_argument
@click.argument("text", metavar="[PROMPT]", required=False)
@click.option("--prompt", help='The beginning to go on from, as an option; "-" reads it from standard input.')
@click.option("--length", type=int, default=400, show_default=True, help="Characters to write.")
@click.option(
    "--temperature", type=DECIMAL, default=0.8, show_default=True, help="Lower is safer, higher is wilder; 0 always takes the likeliest."
)
@click.option("--top-k", type=int, default=0, help="Draw from the K likeliest characters alone; 0 for all.")
@click.option("--top-p", type=DECIMAL, default=1.0, help="Draw from the likeliest that together reach this probability.")
@click.option("--min-p", type=DECIMAL, default=0.0, help="Draw from those at least this share as likely as the likeliest.")
@click.option("--count", type=int, default=1, show_default=True, help="How many texts to write.")
@click.option("--seed", type=int, help="The same seed writes the same text; by default another one each time.")
@latest_option
@out_option
def generate(name: str, text: str | None, prompt: str | None, count: int, seed: int | None, latest: bool, out: Path, **choice: Any) -> None:
    """Let the run NAME write on from PROMPT, or from the beginning that its own samples have.

    A PROMPT of several words goes between quotation marks.
    """
    from paznja import api

    if text is not None and prompt is not None:
        raise WrongUse("Give the prompt once: after the run's name, or with --prompt.")
    run = api.open_run(name, out=out, latest=latest)
    given = text if prompt is None else prompt
    prompt, remarks = run.fit_prompt(run.first_prompt if given is None else _prompt(given))
    for remark in remarks:
        click.echo(remark, err=True)
    seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
    texts = [""] * count
    stream = run.stream(prompt, count=count, seed=seed, **choice)
    first = next(stream)
    if count == 1:
        click.secho(prompt, dim=True, nl=False)  # without the escape codes where standard output is no terminal
        _write(first[0])
        for grown in stream:
            _write(grown[0])
        _write("\n")
        return
    for grown in [first, *stream]:
        texts = [text + piece for text, piece in zip(texts, grown, strict=True)]
    for number, text in enumerate(texts, 1):
        _write(f"--- {number} ---\n")
        click.secho(prompt, dim=True, nl=False)
        _write(f"{text}\n")


@commands.command(name="next")
@name_argument
@click.argument("prompt")
@click.option("--top", type=click.IntRange(1), default=10, show_default=True, help="How many characters to show.")
@click.option("--steps", type=click.IntRange(0), default=0, help="Then go on so many times with the likeliest, showing each step.")
@latest_option
@out_option
def next_(name: str, prompt: str, top: int, steps: int, latest: bool, out: Path) -> None:
    """Show which characters the run NAME expects after PROMPT, with their probabilities, as bars."""
    from paznja import api, terminal

    run = api.open_run(name, out=out, latest=latest)
    prompt, remarks = run.fit_prompt(_prompt(prompt))
    for remark in remarks:
        click.echo(remark, err=True)
    expected = run.next(prompt, top)
    terminal.print_expected(prompt, expected)
    for _ in range(steps):
        prompt += expected[0][0]
        expected = run.next(prompt, top)
        terminal.print_step(prompt, expected)


@commands.command()
@name_argument
@click.argument("books", nargs=-1, type=PLACE)
@click.option(
    "--json", "as_json", is_flag=True, help='Print {"bits_per_character": ..., "characters": ..., "books": [...]} instead of a table.'
)
@latest_option
@out_option
def evaluate(name: str, books: tuple[Path, ...], as_json: bool, latest: bool, out: Path) -> int:
    """Bits per character of the run NAME on BOOKS that it never saw, a line a book and in all.

    Without BOOKS, on the run's own held-out ones. Fewer bits are better: 0 would be knowing the text by heart, and about 5
    guessing letters blindly. A book that the run learnt from is marked as learnt; its figure says little.
    """
    from paznja import api, terminal

    run = api.open_run(name, out=out, latest=latest)
    with terminal.scoring_bar(shown=not as_json) as on_scored:
        evaluation = run.evaluate(list(books) or None, on_scored=on_scored)
    terminal.print_evaluation(evaluation, as_json=as_json)
    terminal.print_unreadable(evaluation.unreadable)
    return SOME_UNREADABLE if evaluation.unreadable else 0


@commands.command()
@name_argument
@click.option(
    "--against", type=click.Choice(["time", "iterations"]), default="time", show_default=True, help="What the horizontal axis shows."
)
@click.option("--log", is_flag=True, help="Make the horizontal axis logarithmic: the beginning, where most is learnt, gets more room.")
@click.option("--json", "as_json", is_flag=True, help='Print {"name": ..., "history": [...]}, the numbers, instead of a drawing.')
@out_option
def curve(name: str, against: str, log: bool, as_json: bool, out: Path) -> None:
    """Draw how the run NAME learns: bits per character against the time of training, finished or still training.

    The line is the text that it learns from, averaged over the last iterations; the points are held-out text, measured at rows of the
    table. Fewer bits are better. Where the points rise while the line falls, it learns by heart.
    """
    from paznja import api, terminal

    run = api.open_run(name, out=out)
    terminal.print_curve(run.name, run.state, run.history, time=against == "time", log=log, as_json=as_json)


@commands.command()
@click.option(
    "--remove",
    metavar="NAME",
    shell_complete=run_names,
    help="Delete this run; asks first. Files in its folder that paznja did not make stay.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@out_option
def runs(remove: str | None, yes: bool, out: Path) -> None:
    """List what has been trained: name, state, books, iterations, time, bits per character, last sample."""
    from paznja.corpus.printable import printable
    from paznja.run import Run, all_runs
    from paznja.terminal import print_runs

    if remove is None:
        print_runs(all_runs(out), out)
        return
    run = Run.open(remove, out)
    if run.path.is_symlink():
        raise RunError(f"{run.path} is a link to a folder elsewhere, and nothing was deleted: remove the run where it is.")
    if yes or click.confirm(f"Delete {run.path} with its weights and samples?"):
        stays = run.remove()
        others = f" In its folder stays what paznja did not make: {', '.join(printable(path.name) for path in stays)}." if stays else ""
        click.echo(f"The run {run.path} is deleted.{others}")


@commands.command()
@click.option("--clear", is_flag=True, help="Delete all of it. Runs are not touched; their books are only read anew next time.")
@click.option("--yes", is_flag=True, help="Do not ask before deleting.")
@cache_option
def cache(clear: bool, yes: bool, cache: Path | None) -> None:
    """Show, or clear, the folder in which read books are kept ready for the next run."""
    import datetime

    from paznja.preparing import CACHE_BYTES, cache_entries, clear_cache, default_cache, is_passing, passing_left

    folder = cache or default_cache()
    if folder.exists() and not folder.is_dir():
        raise click.UsageError(f"{folder} is a file, and no folder for prepared books.")
    entries = cache_entries(folder)
    left_behind = [entry for passing in passing_left(folder) for entry in cache_entries(passing)]
    size = sum(entry.size() for entry in [*entries, *left_behind])
    books = sum(entry.is_book for entry in entries)
    shelves = counted(len(entries) - books, "prepared shelf", "prepared shelves")
    left = ", and what a training with --no-corpus that was killed has left" if left_behind else ""
    held = f"{shelves} and {counted(books, 'book')}{left}, {file_size(size)}"
    if not clear:
        since = f", the oldest last used on {datetime.date.fromtimestamp(entries[0].used())}" if entries else ""
        click.echo(f"{folder}: {held} of at most {file_size(CACHE_BYTES)}{since}. paznja cache --clear deletes it.")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"{folder} holds {held}: without a terminal to ask in, it is deleted only with --yes.")
        if not click.confirm(f"Delete {held}, in {folder}?"):
            return
    stays = clear_cache(folder)
    click.echo(f"{folder}: {held} deleted.")
    strangers = [str(path.relative_to(folder)) for path in stays if not is_passing(path)]
    if strangers:
        names = ", ".join(strangers[:5]) + (f" and {len(strangers) - 5:,} more" if len(strangers) > 5 else "")
        click.echo(f"Not of paznja's making, and still there: {names}.")
    if len(strangers) < len(stays):
        click.echo("A training with --no-corpus is running: what it has read of its books is still there, and goes when it ends.")


class WithDefault(click.Group):
    """A group whose first word may be left out: what is none of its commands goes to the one without a name."""

    default = ""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [self.default, *args]
        elif args[0] in ctx.help_option_names:
            args = [self.default, args[0]]
        return super().parse_args(ctx, args)


class Nameless(click.Command):
    """The command of a `WithDefault` that is meant where none is named."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path.strip(), " ".join(self.collect_usage_pieces(ctx)))


@commands.group(name="books", cls=WithDefault)
def books_group() -> None:
    """Show what paznja makes of BOOKS, or fetch some (paznja books fetch)."""


@books_group.command(name="", cls=Nameless, hidden=True)
@click.argument("books", nargs=-1, required=True, type=PLACE, shell_complete=files_or_fetch)
@click.option("--out", type=PLACE, help="Write the text into this new folder, a file a book, exactly as training sees it.")
@click.option("--show", metavar="TITLE", help="One book: what was left out or mended in it and why, with examples.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON instead of a table.")
@held_out_option
@script_option
@without_option
@strict_option
@cache_option
def books(books: tuple[Path, ...], out: Path | None, show: str | None, as_json: bool, held_out: tuple[Path, ...], **options: Any) -> int:
    """Show what paznja makes of BOOKS: files and folders, read with all that is in them.

    A line a book: title, author, format, script, characters, whether it is learnt from or held out to measure on, and what you should know
    of it; then what was left out, and whether it is enough. Nothing is learnt, and your files are only read.
    """
    from paznja import api, books_table, terminal
    from paznja.corpus.finding import passed_over
    from paznja.preparing import remarks_on, using

    options["script"] = options["script"] or "auto"
    with using(options["cache"]):  # the books' texts stay in the cache until they are printed and written
        with terminal.reading_bar(shown=not as_json) as on_read:
            corpus = api.read_shelf(list(books), held_out=list(held_out) or None, on_read=on_read, **options)
        terminal.print_unreadable(corpus.unreadable)
        if show is not None:
            books_table.print_book(corpus.find(show))
        else:
            books_table.print_books(corpus, [*passed_over(books), *remarks_on(corpus)], as_json=as_json)
        if out is not None:
            written = api.write_texts(corpus, out)
            click.echo(f"{counted(written, 'file')} written to {out}.", err=as_json)
    return SOME_UNREADABLE if corpus.unreadable else 0


@books_group.command()
@click.argument("shelf", required=False, shell_complete=shelf_names)
@click.option("--from", "base", metavar="ADDRESS", envvar="PAZNJA_FETCH_FROM", show_envvar=True, help="Another address to fetch from.")
@click.option("--into", "folder", type=PLACE, help="The folder for the books; the user's data folder otherwise.")
@quiet_option
def fetch(shelf: str | None, base: str | None, folder: Path | None, quiet: bool) -> None:
    """Download the free books called SHELF, verify every file, and go on where the last time stopped.

    Without SHELF, list what can be fetched. What was fetched is trained on by its name: paznja train eltec-srp.
    """
    from paznja import terminal
    from paznja.corpus import fetching

    if shelf is None:
        for known in map(fetching.known_shelf, fetching.known_shelves()):
            click.echo(f"{known.name}: {known.title}; {len(known.sha256)} books, {known.licence}")
        return
    known = fetching.known_shelf(shelf)
    with terminal.fetching_bar(shown=not quiet) as on_progress:
        place = fetching.fetch(shelf, base=base, folder=folder, on_progress=on_progress)
    if not quiet:
        click.echo(f"{known.title}: {len(known.sha256)} books in {place}, every one verified. {known.licence}. {known.citation}")
        click.echo(f"Try next: {terminal.program()} train {shelf if folder is None else terminal.quoted(str(place))}")


@commands.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what SHELL needs for the Tab key to complete commands, options, their values and the names of runs.

    \b
    bash: add to ~/.bashrc the line   eval "$(paznja completion bash)"
    zsh: add to ~/.zshrc the line     eval "$(paznja completion zsh)"
    fish: run once   mkdir -p ~/.config/fish/completions; paznja completion fish > ~/.config/fish/completions/paznja.fish

    Then open a new terminal.
    """
    click.echo(script(shell, commands).encode(), nl=False)  # bytes, so that Windows ends no line in its own way


def _training_code(complete: bool, unreadable: Sequence[Unreadable]) -> int:
    return INTERRUPTED if not complete else SOME_UNREADABLE if unreadable else 0


def _iterations(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    try:
        return tuple(sorted({int(part.replace("_", "")) for part in text.split(",")}))
    except ValueError:
        raise WrongUse(
            f"--sample-at takes iterations with commas between them, like 10,100,1000, and {text!r} is something else."
        ) from None


def _prompt(text: str) -> str:
    """The prompt given, or standard input's; bytes that are no text become question marks."""
    text = sys.stdin.read().rstrip("\n") if text == "-" else text
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."


def _make_printable() -> None:
    """A terminal whose encoding lacks a letter shows a question mark for it, and is told once how to show the letter."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    encoding = (sys.stdout.encoding or "") if sys.stdout is not None else ""
    try:
        "жш—„“š".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        click.echo(
            f"This terminal's encoding is {encoding or 'unknown'} and lacks some letters: set PYTHONUTF8=1 and use a UTF-8 terminal.",
            err=True,
        )
