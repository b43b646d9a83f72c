"""Announces the upgrade of a local warehouse to the command line and the pages.

The first connection to a warehouse of an older version upgrades it, which may take minutes. The
command line registers a listener that prints the announcement; pages poll `under_way`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_listeners: list[Callable[[str], object]] = []
_under_way: dict[Path, str] = {}


def listen(listener: Callable[[str], object]) -> None:
    """Register a function that is called with a sentence when this process begins an upgrade."""
    _listeners.append(listener)


def under_way(path: Path) -> str:
    """Return the sentence that announced this warehouse's running upgrade, "" if none runs."""
    return _under_way.get(path.resolve(), "")


def begin(path: Path, sentence: str) -> None:
    """Announce that this process begins to upgrade a warehouse.

    Args:
        path: The warehouse's DuckDB file.
        sentence: What is being done, as a sentence for people.
    """
    _under_way[path.resolve()] = sentence
    for listener in _listeners:
        listener(sentence)


def end(path: Path) -> None:
    """Announce that the upgrade of a warehouse has ended, with or without an error."""
    _under_way.pop(path.resolve(), None)
