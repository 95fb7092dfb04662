"""Fetching a shelf, from a server on this machine that behaves well, badly, or not at all."""

from __future__ import annotations

import errno
import hashlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from paznja.corpus import fetching
from paznja.corpus.fetching import Shelf, fetch, fetched_folder, known_shelf, known_shelves, shelf_folder
from paznja.errors import FetchFailed, WrongUse

BOOKS = {f"Knjiga-{number:02}.xml": f"Књига број {number}. ".encode() * 1_000 for number in range(40)}
SHELF = Shelf(
    name="mala-polica",
    title="A small shelf",
    source="http://127.0.0.1:9/",  # nobody answers there
    licence="none needed",
    citation="",
    sha256={name: hashlib.sha256(data).hexdigest() for name, data in BOOKS.items()},
)


class Server(ThreadingHTTPServer):
    """Serves files, and treats the named ones badly, as it is told and as often as it is told."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.trouble: dict[str, tuple[str, int]] = {}
        self.asked: Counter[str] = Counter()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/polica/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        name = self.path.removeprefix("/polica/")
        server.asked[name] += 1
        trouble, times = server.trouble.get(name, ("", 0))
        trouble = trouble if server.asked[name] <= times else ""
        data = server.files.get(name)
        if data is None or trouble.isdecimal():
            self.send_error(int(trouble or 404))
            return
        if trouble == "hang up":
            self.close_connection = True
            return
        if trouble == "damage":
            data = data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if trouble == "cut":
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
        elif trouble == "stall":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            time.sleep(2)
        elif trouble == "slow":
            for start in range(0, len(data), len(data) // 4):
                self.wfile.write(data[start : start + len(data) // 4])
                self.wfile.flush()
                time.sleep(0.3)
        else:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fetching, "known_shelves", lambda: (SHELF.name,))
    monkeypatch.setattr(fetching, "known_shelf", lambda name: SHELF)
    monkeypatch.setattr(fetching, "_PAUSES", (0.0, 0.01, 0.01))
    monkeypatch.setattr(fetching.platformdirs, "user_data_dir", lambda name: str(tmp_path / "data" / name))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(dict(BOOKS))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def books_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def test_all_books_arrive_in_the_users_folder_and_progress_is_told(server: Server) -> None:
    told: list[tuple[int, int, str]] = []
    assert fetched_folder(SHELF.name) is None
    folder = fetch(SHELF.name, base=server.base, on_progress=lambda done, total, file: told.append((done, total, file)))
    assert folder == shelf_folder(SHELF.name) == fetched_folder(SHELF.name)
    assert books_in(folder) == BOOKS
    assert [(done, total) for done, total, _ in told] == [(number, len(BOOKS)) for number in range(1, len(BOOKS) + 1)]
    assert {file for _, _, file in told} == set(BOOKS)


def test_what_has_been_fetched_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    fetch(SHELF.name, base=server.base, folder=tmp_path / "polica")
    fetch(SHELF.name, base=server.base, folder=tmp_path / "polica")
    assert set(server.asked.values()) == {1}


def test_it_goes_on_at_the_books_that_are_missing_and_removes_the_pieces_it_left_when_killed(server: Server, tmp_path: Path) -> None:
    names = sorted(BOOKS)
    for name in names[:5]:
        (tmp_path / name).write_bytes(BOOKS[name])
    (tmp_path / f".{names[5]}.paznja-part").write_bytes(BOOKS[names[5]][:700])
    fetch(SHELF.name, base=server.base, folder=tmp_path)
    assert books_in(tmp_path) == BOOKS
    assert sorted(server.asked) == names[5:]
    assert not list(tmp_path.glob(".*part"))


def test_files_of_other_names_stay_whatever_they_are_called(server: Server, tmp_path: Path) -> None:
    names = ("tmp0a1b2c", "tmpovi i druge price.docx", ".Dnevnik.xml.paznja-part", ".lock", "Knjiga-03.xml.paznja-part")
    for name in names:
        (tmp_path / name).write_text(f"A person's own {name}", encoding="utf-8")
    fetch(SHELF.name, base=server.base, folder=tmp_path)
    assert {name: (tmp_path / name).read_text(encoding="utf-8") for name in names} == {name: f"A person's own {name}" for name in names}


def test_a_file_with_a_books_name_and_other_contents_stays_and_is_named(server: Server, tmp_path: Path) -> None:
    own = {"Knjiga-03.xml": b"my own notes on the third book", "Knjiga-07.xml": BOOKS["Knjiga-07.xml"][:700]}
    for name, data in own.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(
        FetchFailed, match=r"^38 of 40 .*: Knjiga-03.xml, Knjiga-07.xml in .* have other contents .*; move them away"
    ) as told:
        fetch(SHELF.name, base=server.base, folder=tmp_path)
    assert "later" not in str(told.value)
    assert books_in(tmp_path) == BOOKS | own
    assert not server.asked.keys() & own.keys()
    for name in own:
        (tmp_path / name).rename(tmp_path / f"my {name}")
    fetch(SHELF.name, base=server.base, folder=tmp_path)
    assert books_in(tmp_path) == BOOKS | {f"my {name}": data for name, data in own.items()}


def test_a_file_that_appears_under_a_books_name_meanwhile_stays(server: Server, tmp_path: Path) -> None:
    server.trouble["Knjiga-03.xml"] = ("slow", 1)

    def write_own(done: int, total: int, file: str) -> None:
        (tmp_path / "Knjiga-03.xml").write_text("my own")

    with pytest.raises(FetchFailed, match=r"Knjiga-03.xml was put into the folder meanwhile"):
        fetch(SHELF.name, base=server.base, folder=tmp_path, on_progress=write_own)
    assert (tmp_path / "Knjiga-03.xml").read_text() == "my own"


@pytest.mark.parametrize("trouble", ["cut", "damage", "hang up", "503", "stall", "slow"])
def test_a_book_that_arrives_at_the_second_try_or_slowly_is_fetched(
    server: Server, tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_TIMEOUT", 0.8)
    server.trouble["Knjiga-03.xml"] = (trouble, 1)
    fetch(SHELF.name, base=server.base, folder=tmp_path)
    assert books_in(tmp_path) == BOOKS
    assert server.asked["Knjiga-03.xml"] == (1 if trouble == "slow" else 2)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("cut", "broke off on its way"),
        ("damage", "arrived damaged"),
        ("hang up", "broke off on its way"),
        ("503", "is not available just now .the server answers 503"),
        ("404", "is not there .the server answers 404"),
        ("403", "is refused .the server answers 403"),
    ],
)
def test_a_book_that_never_arrives_is_named_and_the_others_are_there(server: Server, tmp_path: Path, trouble: str, reason: str) -> None:
    server.trouble["Knjiga-03.xml"] = (trouble, 100)
    with pytest.raises(FetchFailed, match=f"^39 of 40 books have been fetched .*Knjiga-03.xml {reason}.*run it again"):
        fetch(SHELF.name, base=server.base, folder=tmp_path)
    assert books_in(tmp_path) == {name: data for name, data in BOOKS.items() if name != "Knjiga-03.xml"}
    assert server.asked["Knjiga-03.xml"] == (1 if trouble in ("404", "403") else 3)
    server.trouble.clear()
    fetch(SHELF.name, base=server.base, folder=tmp_path)
    assert books_in(tmp_path) == BOOKS


def test_a_shelf_with_a_book_missing_is_not_a_fetched_one(server: Server) -> None:
    server.trouble["Knjiga-03.xml"] = ("404", 1)
    with pytest.raises(FetchFailed):
        fetch(SHELF.name, base=server.base)
    assert fetched_folder(SHELF.name) is None
    assert fetched_folder("no-such-shelf") is None


def test_a_server_without_any_of_it_is_not_asked_for_all(server: Server, tmp_path: Path) -> None:
    server.files.clear()
    with pytest.raises(FetchFailed, match=r"^0 of 40 books .*; and others; run it again"):
        fetch(SHELF.name, base=server.base, folder=tmp_path)
    assert sum(server.asked.values()) < len(BOOKS)


def test_no_connection_is_said_so(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, but not listening: connections are refused
        with pytest.raises(FetchFailed, match=r"^there is no connection to 127.0.0.1; check that this computer is online"):
            fetch(SHELF.name, base=f"http://127.0.0.1:{nobody.getsockname()[1]}", folder=tmp_path)
    assert books_in(tmp_path) == {}


def test_a_full_disk_is_said_so(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", full)
    with pytest.raises(FetchFailed, match=r"^the disk is full; make room"):
        fetch(SHELF.name, base=server.base, folder=tmp_path)
    assert books_in(tmp_path) == {}


def test_a_folder_that_cannot_be_is_said_so(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("not a folder")
    with pytest.raises(FetchFailed, match="cannot be written to"):
        fetch(SHELF.name, base=server.base, folder=tmp_path / "a file" / "polica")


def test_two_at_once_do_not_meet(server: Server, tmp_path: Path) -> None:
    with fetching.FileLock(tmp_path / fetching.LOCK), pytest.raises(FetchFailed, match="another paznja is fetching"):
        fetch(SHELF.name, base=server.base, folder=tmp_path)


@pytest.mark.parametrize("base", ["not an address", "ftp://127.0.0.1/", "/home/ana/books", "https://"])
def test_what_is_no_address_is_refused(base: str, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="is not an address"):
        fetch(SHELF.name, base=base, folder=tmp_path)


def test_the_shelf_of_serbian_novels_is_known_and_fits_the_files(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert known_shelves() == ("eltec-srp",)
    monkeypatch.setattr(fetching, "known_shelves", known_shelves)
    novels = known_shelf("eltec-srp")
    assert len(novels.sha256) == 100
    assert novels.source.startswith("https://")
    assert "CC BY 4.0" in novels.licence
    here = {path.name: path.read_bytes() for path in sorted(shelf.glob("*.xml"))}
    assert len(here) == 92
    assert here.keys() <= novels.sha256.keys()
    server = Server(here)
    first, second, third, *_ = here
    server.trouble |= {first: ("hang up", 1), second: ("damage", 1), third: ("cut", 1)}
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    try:
        monkeypatch.setattr(fetching, "known_shelf", lambda name: novels)
        with pytest.raises(FetchFailed, match="is not there"):
            fetch("eltec-srp", base=server.base, folder=tmp_path)  # eight more, which this machine does not have
        verified = {name: novels.sha256[name] for name in here}
        monkeypatch.setattr(fetching, "known_shelf", lambda name: replace(novels, sha256=verified))
        fetch("eltec-srp", base=server.base, folder=tmp_path)
    finally:
        server.shutdown()
        server.server_close()
    assert books_in(tmp_path) == here
    assert all(server.asked[name] == 1 for name in here.keys() - {first, second, third})


def test_an_unknown_shelf_is_refused_with_those_there_are() -> None:
    with pytest.raises(WrongUse, match=r"^there is no shelf knjige to fetch; there is: mala-polica$"):
        known_shelf("knjige")
