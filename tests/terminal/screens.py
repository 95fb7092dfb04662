"""What a terminal of a given width shows, and with which escape codes."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import pytest
from rich.console import Console, RenderableType
from rich.text import Text

pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX's")


def drawn(text: Text, width: int = 80) -> str:
    """What a terminal gets, with all escape codes."""
    file = io.StringIO()
    Console(file=file, force_terminal=True, width=width, color_system="standard", highlight=False).print(text, end="")
    return file.getvalue()


def drawn_lines(what: RenderableType, width: int) -> list[str]:
    """Its lines in a terminal of this width, without colours."""
    file = io.StringIO()
    Console(file=file, force_terminal=True, width=width, color_system=None, highlight=False).print(what)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def screen(written: str) -> list[str]:
    """The lines that are left after all was drawn by a program that goes back only to the line's beginning and to the line above."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", written):
        if part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row == len(lines))
        elif part == "\r":
            column = 0
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part == "\x1b[1A":
            row -= 1
        elif part[0] != "\x1b":
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return lines


def in_terminal(arguments: list[str], width: int = 80, program: tuple[str, ...] = ("-m", "paznja")) -> str:
    """What paznja, or another Python program, writes to a pseudo-terminal of this width, with all escape codes."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, *program, *arguments]
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
