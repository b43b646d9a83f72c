"""Signal handlers that end any command within two seconds of Ctrl-C or SIGTERM.

Python handles signals in the main thread between two bytecodes. A command whose main thread is
inside a statement of DuckDB notices them late or not at all. A watcher thread therefore hears of
each signal from the operating system, and ends the process if the command does not end itself.

This module imports nothing slow: it must be at work while the other modules are imported.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SECONDS_TO_CLEAN_UP = 1.4  # for a command to remove its temporary files


def exit_while_importing() -> None:
    """Make Ctrl-C end the process at once, while it does nothing but import modules."""
    signal.signal(signal.SIGINT, _exit_at_once)


def _exit_at_once(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


def _is_importing(frame: FrameType | None) -> bool:
    """Return whether `frame` is within an import.

    An exception raised while DuckDB's extension module initializes aborts the process.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


@contextmanager
def exit_on_signal() -> Iterator[None]:
    """Exit with 128 plus the signal's number and no traceback on SIGINT or SIGTERM.

    A command that sets its own handlers for a while, such as `backfill`, ends itself meanwhile.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if _is_importing(frame):
            _exit_at_once(number, frame)
        received.append(number)
        raise KeyboardInterrupt

    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        while number := int.from_bytes(reader.recv(1)):  # nothing once the process ends
            if number in _SIGNALS and signal.getsignal(number) is interrupt:
                time.sleep(_SECONDS_TO_CLEAN_UP)
                os._exit(128 + number)

    threading.Thread(target=watch, name="signals", daemon=True).start()
    try:
        for number in _SIGNALS:
            signal.signal(number, interrupt)
        yield
    except BaseException:
        # The command may end with an error of the library that the signal interrupted.
        if received:
            raise SystemExit(128 + received[0]) from None
        raise
    finally:
        for number in _SIGNALS:
            signal.signal(number, _exit_at_once)
