"""Ctrl-C and other signals: the training ends its iteration, saves, and stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from paznja.training.events import Stopping


@contextmanager
def interruptible(tell: Callable[[Any], None]) -> Iterator[threading.Event]:
    """An event that Ctrl-C sets (or SIGTERM, or SIGHUP from a closed window), which reports `Stopping`; a second Ctrl-C interrupts at once.

    Works only in the main thread, where signals arrive.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    over = False

    def acknowledge() -> None:
        asked.wait()
        if not over:
            with suppress(OSError):  # the terminal was closed
                tell(Stopping())

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    # The handler itself must not report: it may have interrupted the screen in the middle of drawing.
    listener = threading.Thread(target=acknowledge, daemon=True)
    numbers = [signal.SIGINT, signal.SIGTERM]
    if (ctrl_break := getattr(signal, "SIGBREAK", None)) is not None:  # on Windows
        numbers.append(ctrl_break)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # a closed window, unless nohup was asked for
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    listener.start()
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        over = not asked.is_set()
        asked.set()
        listener.join()
