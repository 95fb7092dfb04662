"""A person's own files are never changed: every folder that the program gets is first filled with other people's files, then every command
that writes or clears is run, and afterwards the files are compared byte for byte.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from paznja.cli import main
from paznja.corpus import fetching
from paznja.corpus.fetching import Shelf

HEX = "0123456789abcdef" * 2
DEAD = 2**22 + 1  # a process of this number can hardly be

NAMES = [
    # what people have
    "Slike/leto.jpg",
    "Pisma/mami.xcf",
    ".git/HEAD",
    "books/moja.md.bak",
    "runs/beleške.xcf",
    "prazna/",
    "link -> Slike",
    "gone -> nowhere",
    # what other programs make
    "tmp",
    "tmpabc123",
    "tmp_dir/tmp1",
    "temp.part",
    ".x.part",
    ".lock",
    "file.lock",
    ".DS_Store",
    "CACHEDIR.TAG.bak",
    ".sync/checkpoint",
    # names that are nearly those that the program uses
    "checkpoint-best/model.safetensors",
    "checkpoint-00000030 copy/model.safetensors",
    "checkpoint-00000002.bak",
    "checkpoint.old",
    "commands/notes",
    "commands/00000001-stop.xcf",
    "before-one/metrics.jsonl",
    "before-1/mine.xcf",
    "metrics (copy).jsonl",
    "metrics.jsonl.bak",
    "samples.jsonl~",
    "progress.jsonl.bak",
    "corpus.bin.bak",
    "model.safetensors.old",
    "run.toml.orig",
    ".run.toml.swp",
    ".notes.1.new/a",
    ".passing/a",
    ".paznja",
    ".paznja-fetch",
    "prepared/prepared.json",
    "reading-errors.log.bak",
    # names that the program uses, for files of a person
    "now.json",
    f"{HEX}/corpus.xcf",
    f"{HEX[::-1]}/prepared.json",
    f"books/{HEX}/mine.xcf",
    f"books/{HEX[::-1]}/books.json",
    f".{HEX}.{DEAD}.new/mine.xcf",
    f".passing.{DEAD}.01234567.new/mine.xcf",
]


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No folder of the person who runs the tests is touched."""
    for variable in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def shelf(some_stories: list[Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that has the shelf `polica`."""
    sums = {story.name: hashlib.sha256(story.read_bytes()).hexdigest() for story in some_stories}
    there = Shelf("polica", "A small shelf", "http://127.0.0.1:9/", "none needed", "", sums)
    monkeypatch.setattr(fetching, "known_shelves", lambda: (there.name,))
    monkeypatch.setattr(fetching, "known_shelf", lambda name: there)
    handler = functools.partial(Silent, directory=str(some_stories[0].parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Silent(SimpleHTTPRequestHandler):
    """Serves the files of a folder and prints nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def plant(folder: Path) -> None:
    """Other people's files, folders and links, of every likely name; what is there already stays."""
    for name in NAMES:
        path, _, target = name.partition(" -> ")
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(place):
            continue
        if target:
            place.symlink_to(target)
        elif name.endswith("/"):
            place.mkdir()
        else:
            place.write_bytes(f"{name}: mine".encode())


def planted(folder: Path) -> dict[str, bytes | str]:
    """Which of them there are now, with everything in them."""
    found: dict[str, bytes | str] = {}
    for name in NAMES:
        path = folder / name.partition(" -> ")[0]
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_dir():
            found[name] = "a folder"
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def call(*arguments: str | Path) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code


def test_whatever_the_program_is_given_strangers_files_stay(books: Path, shelf: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    cache, out, into = tmp_path / "мој кеш", tmp_path / "runs", tmp_path / "shelf"
    before: dict[Path, dict[str, bytes | str]] = {}

    def fill(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        plant(folder)
        before[folder] = planted(folder)
        assert len(before[folder]) == len(NAMES)

    def assert_all_there(after: str) -> None:
        for folder, whole in before.items():
            left = planted(folder)
            changed = sorted(name for name in whole if left.get(name) != whole[name])
            assert not changed, f"{folder.name}, after {after}: {changed}"

    def run(*arguments: str | Path, code: int = 0) -> None:
        assert call(*arguments) == code, (arguments, capsys.readouterr().err)
        assert_all_there(" ".join(map(str, arguments)))

    for folder in (cache, out, into, books):
        fill(folder)
    tiny = ("--preset", "tiny", "--iterations", "3", "--checkpoint-seconds", "0", "--out", out, "--cache", cache)
    run("train", books, "--name", "most", *tiny)
    (out / "most" / ".lock").touch()  # with this name it belongs to the run, not to a stranger
    fill(out / "most")
    before[out / "most"].pop(".lock")
    in_checkpoint = out / "most" / "checkpoint-00000003" / "белешка.xcf"
    in_checkpoint.write_text("mine")

    run("resume", "most", "--iterations", "4", "--out", out, "--cache", cache)
    (out / "most" / "checkpoint").unlink()
    (next(iter(sorted((out / "most").glob("checkpoint-0000000?"), reverse=True))) / "model.safetensors").write_bytes(b"damaged")
    run("resume", "most", "--iterations", "4", "--out", out, "--cache", cache)
    run("resume", "most", "--iterations", "2", "--books", books, "--out", out, "--cache", cache)
    run("generate", "most", "Ово је", "--length", "5", "--out", out)
    run("next", "most", "Ово је", "--out", out)
    run("evaluate", "most", "--out", out)
    run("evaluate", "most", books, "--out", out)
    run("runs", "--out", out)

    run("train", books, "--name", "bez", "--no-corpus", *tiny)
    run("resume", "bez", "--iterations", "2", "--books", books, "--out", out, "--cache", cache)
    run("train", books, "--name", "brojano", "--memory", "counted", *tiny)
    run("train", books, *tiny)
    run("demo", "--name", "demo", *tiny)
    run("runs", "--remove", "bez", "--yes", "--out", out)

    run("books", books, "--cache", cache)
    run("books", books, "--cache", cache, "--script", "latin")
    run("books", books, "--cache", cache, "--out", tmp_path / "tekst")
    run("books", books, "--cache", cache, "--out", into, code=2)
    run("books", "fetch", "polica", "--from", shelf, "--into", into, "--quiet")
    run("books", "fetch", "polica", "--from", shelf, "--into", into, "--quiet")
    run("train", into, "--name", "sa-police", *tiny)

    run("cache", "--cache", cache)
    run("cache", "--cache", cache, "--clear", "--yes")
    run("cache", "--cache", cache, "--clear", "--yes")
    for name in ("most", "brojano", "sa-police", "demo"):
        run("runs", "--remove", name, "--yes", "--out", out)
    assert in_checkpoint.read_text() == "mine"
    assert not list(tmp_path.glob("home/**/*")), "nothing was asked for in the person's own folders"
    ours = {path.name for path in cache.iterdir()} - {name.split("/")[0].split(" ->")[0] for name in NAMES}
    assert not ours, "all of the program's own has gone from the cache"
