"""The cache: used by several at once, kept below a size, cleared of what paznja made and of nothing else."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paznja import train
from paznja.cache import cache_entries, clear_cache, trim_cache, using
from paznja.errors import CacheInUse
from paznja.preparing import prepare
from paznja.run import Run
from paznja.training.plan import Planned, Reading


def cache_size(cache: Path) -> int:
    return sum(entry.size() for entry in cache_entries(cache))


def test_the_cache_drops_what_was_unused_the_longest(books: Path, cache: Path):
    shelf = sorted(books.iterdir())
    folders = [prepare([book], cache=cache).folder for book in shelf[:3]]
    for age, folder in enumerate(folders):
        os.utime(folder, (1_000 + age, 1_000 + age))
    prepare([shelf[0]], cache=cache)  # the oldest one is used again
    trim_cache(cache, cache_size(cache) - 1)
    assert [folder.exists() for folder in folders] == [True, False, True]
    trim_cache(cache, cache_size(cache))
    assert [folder.exists() for folder in folders] == [True, False, True]
    trim_cache(cache, 0, keep=folders[2])
    assert [folder.exists() for folder in folders] == [False, False, True]
    trim_cache(cache, 0)
    assert cache_size(cache) == 0


def test_cache_that_was_never_used_is_empty(cache: Path):
    assert cache_size(cache) == 0
    trim_cache(cache, 0)


def test_what_a_run_holds_survives_the_clearing_of_the_cache(run: Run, cache: Path):
    link = run.path / "corpus.bin"
    assert link.stat().st_nlink == 2, "a hard link costs no second copy of the books"
    before = run.training_ids().tolist()
    trim_cache(cache, 0)
    assert not cache_size(cache)
    assert link.stat().st_nlink == 1
    assert run.training_ids().tolist() == before


def test_prepared_books_go_to_the_users_cache_folder_unless_told_otherwise(books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "home"))
    assert prepare([books]).folder.is_relative_to(tmp_path / "home")


@contextmanager
def used_elsewhere(cache: Path, manager: str = "using") -> Iterator[subprocess.Popen[str]]:
    """Another process uses the cache meanwhile."""
    code = f"""
import sys
from pathlib import Path
from paznja.cache import {manager}
with {manager}(Path(sys.argv[1])):
    print(flush=True)
    input()
"""
    process = subprocess.Popen([sys.executable, "-c", code, cache], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "\n"
    try:
        yield process
    finally:
        process.communicate("\n")


def test_nothing_is_taken_from_the_cache_while_another_process_uses_it(books: Path, cache: Path):
    folder = prepare([books], cache=cache).folder
    with used_elsewhere(cache):
        trim_cache(cache, 0)
        assert folder.exists()
        with pytest.raises(CacheInUse, match="Another paznja is using"):
            clear_cache(cache)
        assert folder.exists()
    trim_cache(cache, 0)
    assert not folder.exists()
    assert clear_cache(cache) == []
    assert not cache.exists()


def test_a_process_that_was_killed_does_not_use_the_cache_any_more(books: Path, cache: Path):
    prepare([books], cache=cache)
    with used_elsewhere(cache) as process:
        process.kill()
        process.wait()
        assert len(list(cache.glob(".paznja-*.lock"))) == 2
        assert clear_cache(cache) == []
    assert not cache.exists()


def test_a_passing_cache_stays_while_its_training_runs_and_goes_when_it_was_killed(cache: Path):
    with used_elsewhere(cache, "passing_cache") as process:
        (passing,) = clear_cache(cache)
        # As where the process has no such number: in another container, or on another machine with the same disk.
        unknown = passing.rename(cache / ".passing.999999999.0123abcd.new")
        assert clear_cache(cache) == [unknown]
        process.kill()
        process.wait()
        assert clear_cache(cache) == []
    assert not cache.exists()


def test_a_strangers_files_that_are_called_like_locks_stay(books: Path, cache: Path):
    cache.mkdir()
    letters = [cache / ".paznja-gate.lock", cache / f".paznja-{'0' * 16}-{'1' * 8}.lock"]
    for letter in letters:
        letter.write_text("Драга мама", encoding="utf-8")
    prepare([books], cache=cache)
    assert clear_cache(cache) == letters[::-1]
    assert all(letter.read_text(encoding="utf-8") == "Драга мама" for letter in letters)


def test_another_process_cannot_clear_the_cache_until_the_run_has_its_books(books: Path, cache: Path, tmp_path: Path):
    answers: dict[type, subprocess.CompletedProcess[str]] = {}

    def clear_meanwhile(event: object) -> None:
        if type(event) in (Reading, Planned) and type(event) not in answers:
            command = [sys.executable, "-m", "paznja", "cache", "--clear", "--yes", "--cache", str(cache)]
            answers[type(event)] = subprocess.run(command, capture_output=True, text=True, check=False)

    train([books], preset="tiny", iterations=1, out=tmp_path / "runs", cache=cache, on_event=clear_meanwhile)
    assert answers[Reading].returncode == 1
    assert "Another paznja is using" in answers[Reading].stderr
    assert answers[Planned].returncode == 0
    assert not cache.exists()


def test_processes_that_use_and_clear_the_cache_at_once_do_not_disturb_each_other(books: Path, cache: Path):
    code = """
import sys
from contextlib import suppress
from pathlib import Path
from paznja.errors import CacheInUse
from paznja.cache import clear_cache, using
from paznja.preparing import prepare
what, books, cache = sys.argv[1], *map(Path, sys.argv[2:])
for _ in range(30 if what == "use" else 600):
    if what == "use":
        with using(cache):
            assert (prepare([books], cache=cache).folder / "corpus.bin").is_file()
    else:
        with suppress(CacheInUse):
            clear_cache(cache)
"""
    started = [subprocess.Popen([sys.executable, "-c", code, what, books, cache]) for what in ("use", "use", "clear", "clear")]
    assert [process.wait() for process in started] == [0, 0, 0, 0]


def test_who_uses_the_cache_may_trim_it(books: Path, cache: Path):
    folder = prepare([books], cache=cache).folder
    with using(cache):
        trim_cache(cache, 0)
    assert not folder.exists()


# --- what is not the program's own ---------------------------------------------------------------------------------------------------


def test_a_strangers_folders_in_the_cache_stay(books: Path, cache: Path):
    own = prepare([books], cache=cache).folder
    letters = ["Pisma/a.txt", ".git/config", "0" * 32 + "/pismo.txt", "books/Moje/b.txt", "books/" + "2" * 32 + "/0.txt"]
    for name in letters:
        (cache / name).parent.mkdir(parents=True)
        (cache / name).write_text("Драга мама", encoding="utf-8")
    (cache / f".{'3' * 32}.999999999.new").mkdir()
    (cache / f".{'3' * 32}.999999999.new" / "roman.txt").touch()
    stays = clear_cache(cache)
    assert not own.exists()
    assert cache_size(cache) == 0
    assert all((cache / name).is_file() for name in letters)
    assert cache / "Pisma" in stays
    assert cache / "books" / "Moje" in stays


def test_a_link_in_the_cache_is_not_followed(books: Path, cache: Path, tmp_path: Path):
    folder = prepare([books], cache=cache).folder
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere, target_is_directory=True)
    clear_cache(cache)
    assert (elsewhere / "corpus.bin").is_file()


def test_a_persons_empty_folder_named_books_stays(cache: Path):
    (cache / "books").mkdir(parents=True)
    clear_cache(cache)
    assert (cache / "books").is_dir()


def test_clearing_a_cache_that_was_made_here_leaves_nothing(books: Path, cache: Path):
    prepare([books], cache=cache)
    (cache / "reading-errors.log").touch()
    assert clear_cache(cache) == []
    assert not cache.exists()


def test_only_a_log_that_begins_like_one_is_removed(cache: Path, tmp_path: Path):
    log = cache / "reading-errors.log"
    cache.mkdir()
    log.write_text("Драга мама", encoding="utf-8")
    assert clear_cache(cache) == [log]
    log.unlink()
    diary = tmp_path / "diary.txt"
    diary.touch()
    log.symlink_to(diary)
    assert clear_cache(cache) == [log]
    log.unlink()
    log.write_text("2026-11-22 10:00:00  paznja 1.0, Python 3.11\nbook.epub\n", encoding="utf-8")
    assert clear_cache(cache) == []


def test_what_is_left_goes_also_where_another_process_has_got_the_number(books: Path, cache: Path):
    folder = prepare([books], cache=cache).folder
    left = [cache / f".{folder.name}.{os.getpid()}.new", cache / f".passing.{os.getpid()}.0123abcd.new"]
    shutil.copytree(folder, left[0])
    prepare([books], cache=left[1])
    trim_cache(cache, 10**12)
    assert all(it.exists() for it in left)
    for it in left:
        os.utime(it, (1_000, 1_000))  # before this process began
    trim_cache(cache, 10**12)
    assert not any(it.exists() for it in left)


def test_what_a_killed_process_left_goes_when_the_cache_is_trimmed(books: Path, cache: Path):
    folder = prepare([books], cache=cache).folder
    left = cache / f".{folder.name}.999999999.new"
    shutil.copytree(folder, left)
    trim_cache(cache, 10**12)
    assert not left.exists()
    assert folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_nobody_else_can_read_the_cache_also_not_an_older_one(books: Path, cache: Path):
    folder = prepare([books], cache=cache).folder
    assert {stat.S_IMODE(path.stat().st_mode) for path in (cache, cache / "books", folder, *(cache / "books").iterdir())} == {0o700}
    folder.chmod(0o755)
    prepare([min(books.iterdir())], cache=cache)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
