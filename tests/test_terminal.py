"""The screens: what stands in a terminal of a given width, and with which escape codes."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from paznja import terminal

pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX's")


def drawn(text: Text, width: int = 80) -> str:
    """As a terminal gets it, escape codes and all."""
    file = io.StringIO()
    Console(file=file, force_terminal=True, width=width, color_system="standard", highlight=False).print(text, end="")
    return file.getvalue()


def in_terminal(arguments: list[str], width: int = 80) -> str:
    """What paznja writes to a pseudo-terminal of this width, escape codes and all."""
    import fcntl
    import struct
    import subprocess
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, "-m", "paznja", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env={**environment, "TERM": "xterm-256color"}):
        os.close(theirs)
        written = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            written += piece
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


def test_the_prompt_is_dim_and_what_the_model_wrote_is_not() -> None:
    assert drawn(terminal.prompt_and_text("Ово је мост ", "преко реке")) == "\x1b[2mОво је мост \x1b[0mпреко реке"
    assert drawn(terminal.prompt_and_text("Мост", "ови")) == "\x1b[2mМост\x1b[0mови"


def test_generate_dims_the_prompt_in_a_terminal_alone(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from paznja.cli import main

    arguments = ["generate", trained.name, "--prompt", "Мост ", "--length", "5", "--seed", "1", "--out", str(trained.parent)]
    with pytest.raises(SystemExit):
        main(arguments)
    plain = capfd.readouterr().out
    assert plain.startswith("Мост ")
    assert "\x1b" not in plain
    assert in_terminal(arguments) == f"\x1b[2mМост \x1b[0m{plain.removeprefix('Мост ')}"
