"""The books of a run that goes on: whether they are still the same, and where their ids come from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from paznja.cache import using
from paznja.errors import BooksChanged, NoBooks, RunError
from paznja.preparing import describe_files, prepare
from paznja.run import Run
from paznja.run.layout import IDS
from paznja.table import some_of


def ids_to_resume(
    run: Run, books: list[Path] | None, cache: Path | None, on_read: Callable[[int, int, Path], None], stack: ExitStack
) -> tuple[Path | None, list[str]]:
    """The file with the ids, if not in the run's folder, and warnings about books that changed. The file stays while `stack` is open.

    BooksChanged if they are not the same and the run does not have their text, or `books` were named.
    """
    corpus, stored = run.corpus(), run.files()
    places = books if books is not None else [Path(place) for place in corpus.places]
    held_out = None if corpus.held_out is None else [Path(place) for place in corpus.held_out]
    # A trainer that was killed may have left a text that should not have been kept.
    kept = corpus.kept and (run.path / IDS).is_file()
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
        on_read=on_read,
    )
    if prepared.books != run.books():
        raise BooksChanged(f"This version of paznja reads the books of {run.name!r} differently; go on with the version that began it.")
    return prepared.folder / IDS, []
