"""Several hosts on this machine: network namespaces joined by a bridge, with a rate and a delay as a real network has. Linux, root.

    python benchmarks/hosts.py 2 --rate 1gbit -- torchrun --nnodes 2 --rdzv-backend c10d --rdzv-endpoint first:29400 ...

runs the command on every host at the same time, and shows what the first one prints. With --private, each host has its own folder in
place of that one: a machine without a shared folder.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ADDRESS = "10.73.0.{}"
"""The first host has number 1."""

NAMES = ("first", "second", "third", "fourth")
"""What the hosts are called, and know each other by."""

_SETTINGS = Path("/etc/netns")
"""What is in the folder of a namespace's name there is seen in it in place of the same files in /etc."""


@contextmanager
def hosts(number: int, *, rate: str | None = None, delay: str | None = None) -> Iterator[list[list[str]]]:
    """So many hosts; for each, how a command begins that runs there. `rate` and `delay`: of each host's cable, as `tc` takes them."""
    names = [f"paznja-{os.getpid()}-{host}" for host in range(1, number + 1)]
    bridge = f"pzb{os.getpid() % 10**6}"
    made: list[list[str]] = []
    known = "127.0.0.1 localhost\n" + "".join(f"{ADDRESS.format(host)} {NAMES[host - 1]}\n" for host in range(1, number + 1))
    try:
        _ip("link", "add", bridge, "type", "bridge")
        made.append(["link", "del", bridge])
        _ip("link", "set", bridge, "up")
        for host, name in enumerate(names, 1):
            outside, inside = f"pz{os.getpid() % 10**6}o{host}", f"pz{os.getpid() % 10**6}i{host}"
            (_SETTINGS / name).mkdir(parents=True)
            (_SETTINGS / name / "hosts").write_text(known)
            _ip("netns", "add", name)
            made.append(["netns", "del", name])
            _ip("link", "add", outside, "type", "veth", "peer", "name", inside)
            made.append(["link", "del", outside])
            _ip("link", "set", inside, "netns", name)
            _ip("link", "set", outside, "master", bridge, "up")
            _ip("-n", name, "addr", "add", ADDRESS.format(host) + "/24", "dev", inside)
            _ip("-n", name, "link", "set", inside, "up")
            _ip("-n", name, "link", "set", "lo", "up")
            if delay:  # which not every kernel can
                shaped = ["netem", "delay", delay, *(["rate", rate] if rate else []), "limit", "100000"]
            else:
                shaped = ["tbf", "rate", rate, "burst", "1mb" if rate.endswith("0gbit") else "128kb", "latency", "100ms"] if rate else []
            if shaped:
                subprocess.run(["ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", inside, "root", *shaped], check=True)
        yield [
            ["ip", "netns", "exec", name, "unshare", "--uts", "sh", "-c", f'hostname {called} && exec "$@"', "sh"]
            for name, called in zip(names, NAMES, strict=False)
        ]
    finally:
        for undo in reversed(made):
            subprocess.run(["ip", *undo], check=True)
        for name in names:
            (_SETTINGS / name / "hosts").unlink(missing_ok=True)
            with suppress(OSError):
                (_SETTINGS / name).rmdir()


def with_private(folder: Path, own: Path) -> list[str]:
    """How a command begins that sees the folder `own` in place of `folder`."""
    return ["unshare", "--mount", "sh", "-c", f'mount --bind "{own}" "{folder}" && exec "$@"', "sh"]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command on all hosts; returns the first exit code that is not 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("number", type=int)
    parser.add_argument("--rate", help="of each host's cable, like 1gbit")
    parser.add_argument("--delay", help="of each host's cable, like 1ms")
    parser.add_argument("--private", type=Path, help="a folder that each host has for itself; FOLDER.2 stands for it on the second host")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the hosts are removed
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    with hosts(given.number, rate=given.rate, delay=given.delay) as begins:
        running: list[subprocess.Popen[bytes]] = []
        for host, begin in enumerate(begins, 1):
            private = with_private(given.private, Path(f"{given.private}.{host}")) if given.private and host > 1 else []
            output = None if host == 1 else subprocess.DEVNULL
            running.append(subprocess.Popen([*begin, *private, *command], stdout=output, stderr=output))
        codes = [one.wait() for one in running]
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main())
