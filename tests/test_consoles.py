"""Consoles and files whose encoding lacks letters: Serbian stays readable, nothing fails, and how to see it whole is said once."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paznja import cli
from paznja.cli.group import commands
from paznja.cli.stand_ins import stay_readable


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "Љубав, ЊЕГОШ и ђак џукац: „šta?“ — … № █ 漢"),
        ("cp1251", "Љубав, ЊЕГОШ и ђак џукац: „sta?“ — … № # ?"),
        ("cp1250", "Ljubav, NJEGOŠ i đak džukac: „šta?“ — … No # ?"),
        ("cp852", 'Ljubav, NJEGOŠ i đak džukac: "šta?" - ... No █ ?'),
        ("cp437", 'Ljubav, NJEGOS i djak dzukac: "sta?" - ... No █ ?'),
        ("ascii", 'Ljubav, NJEGOS i djak dzukac: "sta?" - ... No # ?'),
    ],
)
def test_a_letter_that_an_encoding_lacks_is_shown_by_the_nearest_that_it_has(encoding: str, shown: str) -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding)
    stay_readable(stream)
    stream.write("Љубав, ЊЕГОШ и ђак џукац: „šta?“ — … № █ 漢")
    stream.flush()
    assert written.getvalue().decode(encoding) == shown


@pytest.mark.parametrize("encoding", ["utf-8", "cp1250"])
def test_half_a_character_from_a_file_name_is_a_question_mark(encoding: str) -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding)
    stay_readable(stream)
    stream.write("a\udcffb")
    stream.flush()
    assert written.getvalue() == b"a?b"


@pytest.mark.parametrize(
    ("encoding", "command"),
    [
        ("cp852", ["runs"]),
        ("cp1250", ["next", "most", "убица је "]),
        ("cp437", ["generate", "most", "Ово је мост ", "--length", "20"]),
        ("cp1250", ["curve", "most"]),
    ],
)
def test_commands_write_in_the_encoding_of_an_old_console_and_say_once_how_to_see_every_letter(
    trained: Path, encoding: str, command: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "paznja", *command, "--out", str(trained.parent)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=False,
    )
    out, told = done.stdout.decode(encoding), done.stderr.decode(encoding)
    assert done.returncode == 0, told
    assert told.count("PYTHONUTF8=1") == 1
    assert "Traceback" not in told
    assert "??" not in out
    if command[0] == "next":
        assert out.startswith("ubica je ...")


@pytest.mark.parametrize(
    ("error", "windows", "silent"),
    [
        (BrokenPipeError(errno.EPIPE, "broken"), False, True),
        (OSError(errno.EINVAL, "invalid"), True, True),
        (OSError(errno.EINVAL, "invalid"), False, False),
        (OSError(errno.EINVAL, "invalid", "a:b"), True, False),
        (OSError(errno.ENOSPC, "full"), True, False),
    ],
)
def test_a_pipe_that_nobody_reads_any_more_ends_the_program_without_a_word(
    error: OSError, windows: bool, silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **more: object) -> None:
        raise error

    left: list[bool] = []

    def leave() -> None:
        left.append(True)
        sys.exit(0)

    monkeypatch.setattr(commands, "main", fail)
    monkeypatch.setattr(cli, "_leave_silently", leave)  # which would close the tests' own output
    monkeypatch.setattr(os, "name", "nt" if windows else "posix")
    with pytest.raises(SystemExit) as stop:
        cli.main([])
    monkeypatch.undo()
    assert (stop.value.code, left) == ((0, [True]) if silent else (1, []))
