"""Resuming: after Ctrl-C, a crash or a full disk, with more budget, without the books' text; never with other books."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import paznja
from paznja.api import TrainedRun
from paznja.errors import BooksChanged, RunError, WrongUse
from paznja.preparing import prepare
from paznja.run import Run, send
from paznja.training.events import Progress
from paznja.training.plan import Planned, Reading

Start = Callable[..., "subprocess.Popen[str]"]
Wait = Callable[[Callable[[], bool], "subprocess.Popen[str]"], None]


class Crash(BaseException):  # it is not caught, so nothing is saved either
    """Stands for anything that ends a trainer in the middle."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def stopped(books: Path, out: Path, cache: Path) -> Callable[..., Run]:
    """Makes a run of twelve iterations that was stopped after the fifth."""

    def make(**changes: Any) -> Run:
        def stop(event: Any) -> None:
            if isinstance(event, Progress) and event.iteration == 4:
                send(Run(out / "most"), "stop")

        few: dict[str, Any] = {"preset": "tiny", "threads": 1, "name": "most", "length": 20, "sample_at": [3], "out": out, "cache": cache}
        run = paznja.train(books, iterations=12, on_event=stop, **{**few, **changes}).run
        assert run.state() == "stopped"
        position = run.checkpoint()
        assert position is not None
        assert position.iteration < 12
        return run

    return make


def iteration_of(run: Run) -> int:
    position = run.checkpoint()
    assert position is not None
    return position.iteration


# --- going on -----------------------------------------------------------------------------------------------------------------------


def test_stopped_run_goes_on_from_where_it_was_and_ends_like_an_undisturbed_one(stopped: Callable[..., Run], books: Path, cache: Path):
    undisturbed = paznja.train(
        books, iterations=12, preset="tiny", threads=1, name="whole", length=20, sample_at=[3], out=books.parent / "runs", cache=cache
    )
    run = stopped()
    told: list[Any] = []
    resumed = paznja.resume("most", out=run.path.parent, on_event=told.append)
    (planned,) = [event for event in told if isinstance(event, Planned)]
    first = next(event for event in told if isinstance(event, Progress))
    assert (planned.from_iteration, first.iteration) == (4, 5)
    assert resumed.state == "finished"
    assert (run.path / "model.safetensors").read_bytes() == (undisturbed.path / "model.safetensors").read_bytes()
    rows, other_rows = ([(row["iteration"], row["text"]) for row in it.run.samples(rows_only=True)] for it in (resumed, undisturbed))
    assert rows == other_rows
    assert [row[0] for row in rows] == [3, 12]


def test_run_that_crashed_before_its_first_checkpoint_begins_anew(books: Path, out: Path, cache: Path):
    def crash(event: Any) -> None:
        if isinstance(event, Progress) and event.iteration == 3:
            raise Crash

    with pytest.raises(Crash):
        paznja.train(books, iterations=6, preset="tiny", threads=1, sample_at=[2], name="most", out=out, cache=cache, on_event=crash)
    run = Run(out / "most")
    assert (run.state(), run.checkpoint(), len(run.metrics())) == ("stopped", None, 1)
    assert paznja.resume(run).state == "finished"
    assert [line["iteration"] for line in run.metrics()] == [2, 6]


def test_finished_run_needs_a_budget_to_go_on(trained: Path):
    with pytest.raises(RunError, match=r"finished.*--minutes or --iterations"):
        paznja.resume(trained)
    with pytest.raises(WrongUse, match="not both"):
        paznja.resume(trained, minutes=1, iterations=1)
    with pytest.raises(WrongUse, match="--iterations must be 1 or more"):
        paznja.resume(trained, iterations=0)
    assert Run(trained).state() == "finished"


def test_finished_run_goes_on_for_so_many_iterations_more_and_keeps_its_table(trained: Path):
    before = Run(trained).samples()
    resumed = paznja.resume(trained, iterations=10)
    assert resumed.state == "finished"
    assert iteration_of(resumed.run) == 50
    assert resumed.run.samples()[: len(before)] == before
    assert [row["iteration"] for row in resumed.run.samples(rows_only=True)] == [5, 15, 40, 50]
    assert [line["iteration"] for line in resumed.metrics] == [5, 15, 40, 50]
    again = paznja.resume(trained, iterations=5)
    assert iteration_of(again.run) == 55


def test_finished_run_goes_on_for_so_many_minutes_more(trained: Path):
    before = Run(trained).checkpoint()
    assert before is not None
    resumed = paznja.resume(trained, minutes=0.02)
    after = resumed.run.checkpoint()
    assert after is not None
    assert resumed.state == "finished"
    assert after.iteration > before.iteration
    assert after.seconds > before.seconds
    stretches = resumed.run.record().stretches
    assert [(one.minutes, one.iterations, one.from_iteration) for one in stretches] == [(None, 40, 0), (0.02, None, 40)]


def test_another_stretch_is_sampled_between_its_rows_too(trained: Path):
    resumed = paznja.resume(trained, iterations=20)
    between = [sample["iteration"] for sample in resumed.run.samples() if not sample["row"]]
    assert [iteration for iteration in between if iteration > 40]


def test_stopped_run_can_be_given_another_budget(stopped: Callable[..., Run]):
    run = stopped()
    resumed = paznja.resume(run, iterations=3)
    assert resumed.state == "finished"
    assert iteration_of(run) == 4 + 3


def test_stop_that_came_too_late_does_not_stop_the_next_trainer(stopped: Callable[..., Run]):
    run = stopped()
    send(run, "stop")
    assert paznja.resume(run).state == "finished"


def test_run_that_is_being_trained_cannot_be_resumed_by_another(books: Path, out: Path, cache: Path):
    refused: list[RunError] = []

    def try_too(event: Any) -> None:
        if isinstance(event, Progress) and event.iteration == 1:
            with pytest.raises(RunError, match="Another paznja is training") as error:
                paznja.resume("most", out=out)
            refused.append(error.value)
            with pytest.raises(RunError, match="Another paznja is training"):
                paznja.resume("most", out=out, iterations=7)

    run = paznja.train(books, iterations=2, preset="tiny", threads=1, name="most", out=out, cache=cache, on_event=try_too)
    assert refused
    assert [one.iterations for one in run.run.record().stretches] == [2]
    assert iteration_of(run.run) == 2


# --- the books ----------------------------------------------------------------------------------------------------------------------


def test_changed_missing_and_new_books_are_refused_by_name(stopped: Callable[..., Run], books: Path):
    run = stopped()
    changed, missing, *_ = sorted(books.iterdir())
    whole = changed.read_bytes()
    changed.write_bytes(whole + b"!")
    with pytest.raises(BooksChanged, match=f"{changed.name}.*Put them back.*paznja train"):
        paznja.resume(run, books=books)
    changed.write_bytes(whole)
    missing.rename(books.parent / missing.name)
    shutil.copy(changed, books / "new.txt")
    with pytest.raises(BooksChanged, match=rf"{missing.name}, new\.txt|new\.txt, {missing.name}"):
        paznja.resume(run, books=books)
    (books / "new.txt").unlink()
    (books.parent / missing.name).rename(missing)
    assert paznja.resume(run, books=books).state == "finished"


def test_many_changed_books_are_not_all_listed(stopped: Callable[..., Run], books: Path):
    run = stopped()
    for number in range(20):
        shutil.copy(min(books.iterdir()), books / f"{number:02}.txt")
    with pytest.raises(BooksChanged, match=r"00\.txt.*04\.txt and 15 more"):
        paznja.resume(run, books=books)


def test_a_run_that_has_its_text_goes_on_though_a_book_was_added_and_says_so(stopped: Callable[..., Run], books: Path):
    run = stopped()
    shutil.copy(min(books.iterdir()), books / "new.txt")
    told: list[Any] = []
    assert paznja.resume(run, on_event=told.append).state == "finished"
    planned = next(event for event in told if type(event).__name__ == "Planned")
    assert any("new.txt" in remark and "goes on" in remark for remark in planned.warnings)


def test_run_that_keeps_its_books_goes_on_without_them(stopped: Callable[..., Run], books: Path):
    run = stopped()
    shutil.rmtree(books)
    assert paznja.resume(run).state == "finished"


def test_books_that_moved_can_be_named_and_are_compared(stopped: Callable[..., Run], books: Path, tmp_path: Path):
    run = stopped()
    books.rename(tmp_path / "moved")
    shutil.copytree(tmp_path / "moved", tmp_path / "others")
    min((tmp_path / "others").iterdir()).unlink()
    with pytest.raises(BooksChanged):
        paznja.resume(run, books=tmp_path / "others")
    with pytest.raises(BooksChanged, match="does not exist"):
        paznja.resume(run, books=tmp_path / "nowhere")
    assert paznja.resume(run, books=tmp_path / "moved").state == "finished"


@pytest.mark.parametrize("whole_folder", [False, True])
def test_held_out_books_that_moved_are_found_again(stopped: Callable[..., Run], books: Path, tmp_path: Path, whole_folder: bool):
    (tmp_path / "apart").mkdir()
    chosen = max(books.iterdir())
    chosen.rename(tmp_path / "apart" / chosen.name)
    run = stopped(held_out=tmp_path / "apart" if whole_folder else tmp_path / "apart" / chosen.name, with_corpus=False)
    (tmp_path / "apart").rename(books / "измерено")
    books.rename(tmp_path / "moved")
    resumed = paznja.resume(run, books=tmp_path / "moved")
    assert resumed.state == "finished"
    assert [book.file for book in resumed.run.books() if book.held_out] == [chosen.name]


# --- without the books' text --------------------------------------------------------------------------------------------------------


def text_in(folder: Path) -> bool:
    return (folder / "corpus.bin").exists()


def test_run_without_corpus_leaves_no_text_behind_and_goes_on_with_the_books(stopped: Callable[..., Run], books: Path, cache: Path):
    run = stopped(with_corpus=False)
    assert not text_in(run.path)
    assert str(books.parent) not in (run.path / "run.toml").read_text(encoding="utf-8")
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == ["CACHEDIR.TAG"]
    resumed = paznja.open_run(run.path)
    for _ in range(2):
        resumed = paznja.resume(run, books=books, iterations=3, cache=cache)
        assert resumed.state == "finished"
        assert not text_in(run.path)
        assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == ["CACHEDIR.TAG"]
    assert resumed.generate("Ово ", 5)
    with pytest.raises(RunError, match="without its books' text"):
        resumed.evaluate()
    assert resumed.evaluate(min(books.iterdir())).bits_per_character > 0


def test_run_without_corpus_asks_where_the_books_are_when_they_moved(stopped: Callable[..., Run], books: Path, tmp_path: Path, cache: Path):
    run = stopped(with_corpus=False)
    books.rename(tmp_path / "moved")
    with pytest.raises(RunError, match="--books"):
        paznja.resume(run, cache=cache)
    assert paznja.resume(run, books=tmp_path / "moved", cache=cache).state == "finished"
    assert not text_in(run.path)


def test_run_without_corpus_never_has_the_text_not_even_when_training_fails(stopped: Callable[..., Run], books: Path, cache: Path):
    run = stopped(with_corpus=False)

    def crash(event: Any) -> None:
        if not isinstance(event, Reading):
            assert not text_in(run.path)
            raise Crash

    with pytest.raises(Crash):
        paznja.resume(run, books=books, cache=cache, on_event=crash)
    assert not text_in(run.path)
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == ["CACHEDIR.TAG"]


def test_run_without_corpus_that_was_killed_forgets_the_text_when_it_goes_on(
    stopped: Callable[..., Run], books: Path, cache: Path, tmp_path: Path
):
    run = stopped(with_corpus=False)
    elsewhere = tmp_path / "elsewhere"
    prepared = prepare([books], cache=elsewhere)
    shutil.copy(prepared.folder / "corpus.bin", run.path)  # what kill -9 leaves behind, there and in the cache
    elsewhere.rename(cache / ".passing.999999999.0123abcd.new")
    assert paznja.resume(run, books=books, cache=cache).state == "finished"
    assert not text_in(run.path)
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == ["CACHEDIR.TAG"]


# --- Ctrl-C and a full disk, for real -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_training_saves_says_how_to_go_on_and_can(
    number: signal.Signals, books: Path, out: Path, cache: Path, command_line: Start, wait_until: Wait
):
    process = command_line(
        "train", books, "--preset", "tiny", "--iterations", "1000000", "--threads", "1", "--out", out, "--name", "most", "--sample-at", "5"
    )
    run = Run(out / "most")
    wait_until(lambda: run.path.exists() and len(run.metrics()) == 1, process)
    assert run.state() == "training"
    assert run.checkpoint() is None, "it has not saved before it was interrupted"
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "paznja resume most" in said
    assert run.state() == "stopped"
    saved = iteration_of(run)
    assert saved >= 5
    assert len(paznja.open_run(run.path).generate("Ово ", 5)) == 9
    told: list[Any] = []
    paznja.resume(run, iterations=2, on_event=told.append)
    assert [event.iteration for event in told if isinstance(event, Progress)] == [saved + 1, saved + 2]


FULL_DISK = """
import json, sys
from pathlib import Path
import paznja
from paznja.errors import TrainingFailed
from paznja.training.events import Saved

books, small, large = map(Path, sys.argv[1:])
settings = dict(iterations=60, preset="tiny", threads=1, name="most", seed=2, sample_at=[10, 30], length=20, num_between=0)
settings["cache"] = large / "cache"
saved, filler = [], small / "filler"

def fill(event):
    if isinstance(event, Saved):
        saved.append(event.iteration)
        if len(saved) == 2:
            with open(filler, "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    pass

try:
    paznja.train(books, out=small, checkpoint_seconds=0.0, on_event=fill, **settings)
    said = "nothing"
except TrainingFailed as error:
    said = str(error)
run = paznja.open_run("most", out=small)
before = (run.state, run.run.checkpoint().iteration, len(run.run.read_checkpoint("optimizer.safetensors")))
try:
    paznja.train(books, out=small, **(settings | {"name": "another"}))
except TrainingFailed as error:
    refused = str(error)
filler.unlink()
resumed = paznja.resume("most", out=small)
undisturbed = paznja.train(books, out=large, **settings)
same = (resumed.path / "model.safetensors").read_bytes() == (undisturbed.path / "model.safetensors").read_bytes()
left = sorted(path.name for path in small.iterdir())
print(json.dumps([said, saved, before, refused, resumed.state, same, left]))
"""


@pytest.mark.slow
def test_disk_that_is_really_full_leaves_a_valid_checkpoint_from_which_it_goes_on_bit_for_bit(books: Path, tmp_path: Path):
    """On a small disk of its own: a file system in memory, in a mount namespace that ends with the process."""
    disk, large = tmp_path / "disk", tmp_path / "large"
    disk.mkdir()
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = 'mount -t tmpfs -o size=6m paznja "$0" && '
    if shutil.which("unshare") is None or subprocess.run([*namespace, f"{mount}true", disk], capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    done = subprocess.run(
        [*namespace, f'{mount}exec "$@"', disk, sys.executable, "-c", FULL_DISK, books, disk, large],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, saved, (state, iteration, size), refused, resumed, same, left = json.loads(done.stdout)
    assert "is full" in said
    assert "paznja resume most" in said
    assert (state, iteration) == ("stopped", saved[-1])
    assert size > 100_000
    assert "is full" in refused
    assert "--out" in refused
    assert (resumed, same) == ("finished", True)
    assert left == ["most"]


def test_everything_that_resuming_gives_is_a_trained_run(stopped: Callable[..., Run]):
    assert isinstance(paznja.resume(stopped()), TrainedRun)
