"""Files read side by side: the processes that read them, and what happens to them when the main process is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from paznja.corpus.shelf import side_by_side

SECONDS_TO_END = 4.0  # twice the promise, because the machine may be busy
SIGNALS = ["SIGTERM", "SIGHUP", "SIGKILL"]

BEGINNING = """
import multiprocessing, signal
multiprocessing.set_start_method(METHOD, force=True)
if hasattr(signal, "SIGHUP"):  # nohup has its children ignore it
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""
SLOW_SHELF = """
import os, sys, time
from pathlib import Path
from paznja.corpus import formats
from paznja.corpus.shelf import read_files

def read_slowly(data, ledger):
    os.write(1, b"reading\\n")
    end = time.monotonic() + 120
    while time.monotonic() < end:
        pass

formats.READERS[".txt"] = read_slowly

if __name__ == "__main__":
    read_files([Path(name) for name in sys.argv[1:]], workers=3)
"""
SLOW_PDF = """
import sys
from pathlib import Path
from paznja.corpus.ledger import Ledger
from paznja.corpus.readers.pdf import read_pdf

read_pdf(Path(sys.argv[1]).read_bytes(), Ledger())
"""


@pytest.fixture
def start(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a script with arguments."""
    beginning = BEGINNING.replace("METHOD", repr(pytestconfig.getoption("--start-method")))
    started: list[subprocess.Popen[str]] = []

    def start(source: str, *arguments: object) -> subprocess.Popen[str]:
        (tmp_path / "script.py").write_text(beginning + source)
        command = [sys.executable, str(tmp_path / "script.py"), *map(str, arguments)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for main in started:
        main.kill()
        main.wait()
        assert main.stdout is not None
        main.stdout.close()


def kill_and_see_all_end(main: subprocess.Popen[str], name: str, fewest: int) -> None:
    """Sends the signal and checks that every descendant of the process ends, and that none keeps its standard output open."""
    children = psutil.Process(main.pid).children(recursive=True)
    try:
        assert len(children) >= fewest
        main.send_signal(getattr(signal, name))
        alive = psutil.wait_procs(children, timeout=SECONDS_TO_END)[1]
        assert alive == []
        main.communicate(timeout=SECONDS_TO_END)
    finally:
        for child in children:
            if child.is_running():
                child.kill()


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX has them")
@pytest.mark.parametrize("name", SIGNALS)
def test_readers_end_when_the_main_process_is_killed(start: Callable[..., subprocess.Popen[str]], tmp_path: Path, name: str) -> None:
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("Мост. " * 400_000, encoding="utf-8")
    main = start(SLOW_SHELF, *sorted(tmp_path.glob("*.txt")))
    assert main.stdout is not None
    assert [main.stdout.readline() for _ in range(3)] == ["reading\n"] * 3
    kill_and_see_all_end(main, name, fewest=3)


def slow_pdf() -> bytes:
    """A PDF of one page on which PDFium computes for a long time."""
    content = zlib.compress(b"BT /F 10 Tf " + b"(most) Tj 9 0 Td " * 400_000 + b"ET")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 600] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        b"<< /Length %d /Filter /FlateDecode >> stream\n%b\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body = b"".join(b"%d 0 obj %b endobj\n" % (number, it) for number, it in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer << /Root 1 0 R /Size 6 >>\n%%EOF\n"


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX has them")
@pytest.mark.parametrize("name", SIGNALS)
def test_the_process_of_a_pdf_ends_when_its_parent_is_killed_while_pdfium_computes(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, name: str
) -> None:
    (tmp_path / "slow.pdf").write_bytes(slow_pdf())
    main = start(SLOW_PDF, tmp_path / "slow.pdf")
    process = psutil.Process(main.pid)
    while not any(child.cpu_times().user > 0.5 for child in process.children()):
        assert main.poll() is None
        time.sleep(0.02)
    kill_and_see_all_end(main, name, fewest=1)


INHERITED: list[str] = []


def was_forked(item: str) -> bool:
    return item in INHERITED


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process is forked")
@pytest.mark.parametrize(("chosen", "forked"), [(None, True), ("fork", True), ("spawn", False), ("forkserver", False)])
def test_processes_are_forked_unless_the_program_around_has_chosen_otherwise(
    chosen: str | None, forked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "INHERITED", ["most"])
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method(chosen, force=True)
    try:
        results: dict[str, bool | None] = {}
        side_by_side(was_forked, ["most"], 1, results.__setitem__, lambda item: None)
    finally:
        multiprocessing.set_start_method(before, force=True)
    assert results == {"most": forked}
