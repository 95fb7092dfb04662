"""The command line: a function a command. It parses, calls `paznja.api` and shows; no logic lives here.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 done but some files could not be read, 130 interrupted but saved.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

import click

from paznja.cli import keeping, shelves, training, using  # noqa: F401  (each registers its commands)
from paznja.cli.group import ReaderLeft, commands
from paznja.cli.options import INTERRUPTED
from paznja.cli.stand_ins import stay_readable
from paznja.completion import VARIABLE
from paznja.disk import is_disk_full
from paznja.errors import PaznjaError, WrongUse
from paznja.world import Gone
from paznja.world.launching import rank

LONGEST_NAME_SHOWN = 200


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
        if rank() > 0 and isinstance(error, WrongUse):
            sys.exit(error.exit_code)  # process 0 says it
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
    except ReaderLeft:
        _leave_silently()
    except Gone:
        sys.exit(1)  # process 0 has ended, and has said why
    except OSError as error:
        if _is_closed_pipe(error):
            _leave_silently()
        click.echo(f"Error: {_what_the_system_said(error)}", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _is_closed_pipe(error: OSError) -> bool:
    """Whether nobody reads any more what is printed. Windows calls that an invalid argument, and names no file."""
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL and error.filename is None)


def _leave_silently() -> NoReturn:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # what is still waiting to be printed would complain at the very end
    sys.exit(0)


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


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."


def _make_printable() -> None:
    """A terminal whose encoding lacks a letter shows another for it, and is told once how to show the letter itself."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stay_readable(stream)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    encoding = (sys.stdout.encoding or "") if sys.stdout is not None else ""
    try:
        "жш—„“š".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        click.echo(
            f"This terminal's encoding is {encoding or 'unknown'} and lacks some letters, for which others stand: "
            "set PYTHONUTF8=1 and use a UTF-8 terminal.",
            err=True,
        )
