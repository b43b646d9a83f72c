"""Tells whoever waits for it that an older warehouse is being brought forward.

That may take minutes, and happens within whatever opens the warehouse first. The command line
listens and prints; a page asks again and again what is under way.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_listeners: list[Callable[[str], object]] = []
_under_way: dict[Path, str] = {}


def listen(listener: Callable[[str], object]) -> None:
    """Have a function called with a sentence whenever this process begins to bring one forward."""
    _listeners.append(listener)


def under_way(path: Path) -> str:
    """Return a sentence while this warehouse is brought forward in this process, else ""."""
    return _under_way.get(path.resolve(), "")


def begin(path: Path, before: int, after: int) -> None:
    """Say that a warehouse goes from one schema version to another from now on."""
    sentence = (
        f"Bringing {path} ({path.stat().st_size / 1e6:,.1f} MB) from schema version {before} to "
        f"{after}; a copy of it is kept beside it."
    )
    _under_way[path.resolve()] = sentence
    for listener in _listeners:
        listener(sentence)


def end(path: Path) -> None:
    """Say that it is over, however it ended."""
    _under_way.pop(path.resolve(), None)
