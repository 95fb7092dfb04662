"""Starts the other processes of a training on one machine, and sees that none is left when it is over. Needs no torch.

That takes each of them a second or two, in which this one can load torch itself or read books.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence

from paznja.world import World

PROCESS_BYTES = 350_000_000
"""Bytes that a process of a training has for itself, besides its part of the work."""

_PATIENCE = 5.0
"""Seconds that the others have to end by themselves."""


_RUN = """
import json, runpy, sys
sys.path += [path for path in json.loads(sys.argv[1]) if path not in sys.path]
module, sys.argv = sys.argv[2], sys.argv[2:]
runpy.run_module(module, run_name="__main__")
"""
"""Runs a module where this process would find it. What is in the present folder, or in others that a program has added, comes last there:
a file that happens to be called like a module of Python's own is not taken for it."""


class Started:
    """The processes that this one has started, as a context: when it ends, so do they, whatever happens in it."""

    def __init__(self, size: int, module: str) -> None:
        """Start `size` - 1 processes: the module, with the number of a socket and the rank as arguments.

        None are started, and the size is 1, if the system refuses.
        """
        self._children: list[subprocess.Popen[bytes]] = []
        sockets: list[socket.socket] = []
        try:
            for rank in range(1, size):
                ours, theirs = socket.socketpair()
                sockets.append(ours)
                with theirs:
                    number = theirs.fileno()
                    command = [
                        sys.executable,
                        "-P",
                        "-c",
                        _RUN,
                        json.dumps([path or os.getcwd() for path in sys.path]),
                        module,
                        str(number),
                        str(rank),
                    ]
                    # In a session of its own, so that Ctrl-C and a closed window reach only process 0, which decides.
                    child = subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        pass_fds=(number,),
                        start_new_session=True,
                    )
                    self._children.append(child)
        except OSError:
            self._end(sockets)
            sockets = []
        self._sockets = sockets
        self.size = 1 + len(sockets)

    def world(self, size: int, device: str = "cpu") -> World:
        """This process and the first of the others as a world of this size; the rest has nothing to do in the meantime.

        `device`: where the network is. More than one process are there only for a CPU.
        """
        if size == 1:
            from paznja.world.alone import Alone

            return Alone(device)
        from paznja.world.shared import Shared

        sockets = self._sockets[: size - 1]
        assert len(sockets) == size - 1
        world = Shared(0, size, sockets, self._how_it_ended)
        world.tell({"do": "meet", "size": size})
        return world

    @property
    def processes(self) -> list[int]:
        """The system's numbers of the processes that were started."""
        return [child.pid for child in self._children]

    def _how_it_ended(self, rank: int) -> int | None:
        try:
            return self._children[rank - 1].wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            return None

    def keep(self, size: int) -> None:
        """End all of them that a world of this size does not need."""
        for ours in self._sockets[max(0, size - 1) :]:
            ours.close()
        del self._sockets[max(0, size - 1) :]

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *error: object) -> None:
        self._end(self._sockets)

    def _end(self, sockets: Sequence[socket.socket]) -> None:
        for ours in sockets:
            ours.close()
        for child in self._children:
            try:
                child.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def can_share() -> bool:
    """Whether this system and this program around us can start processes that share memory."""
    return os.name == "posix" and bool(sys.executable) and not getattr(sys, "frozen", False)
