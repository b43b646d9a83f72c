"""Write docs/licences.md: every package of the app, its options and its tests, with its licence.

`python -m tests.licences` (`make licences`) writes it anew from what is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
FILES = ("requirements.txt", "requirements-dev.txt", "requirements-nli.txt")

_INTRODUCTION = """\
# Licences
Packages that the app, an NLI model or the tests need, with the licence in their own metadata. `make
licences` writes this page; a test compares it with the requirements.

| package | version | licence | for |
|---|---|---|---|
"""
_MORE_THAN_A_NAME = 60  # characters: some packages put the whole licence there


def pinned(name: str) -> dict[str, str]:
    """Return the packages that a requirements file names, with the version of each.

    Raises ValueError for a line that allows more than one version.
    """
    found = {}
    for line in (ROOT / name).read_text().splitlines():
        text = line.partition("#")[0].strip()
        if not text or text.startswith("-r "):
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!+]+)(?:; .+)?", text)
        if match is None:
            raise ValueError(f"{name}: {text!r} is not pinned")
        found[_plain(match[1])] = match[2]
    return found


def licence(package: str) -> str:
    """Return what an installed package says of its licence."""
    about = metadata(package)
    if expression := about.get("License-Expression"):
        return str(expression)
    stated = " ".join(str(about.get("License") or "").split())
    if stated and len(stated) < _MORE_THAN_A_NAME:
        return stated
    kinds = [
        kind.rpartition(" :: ")[2]
        for kind in about.get_all("Classifier") or []
        if kind.startswith("License ::")
    ]
    return ", ".join(kind for kind in kinds if kind != "OSI Approved") or "not stated"


def needed(packages: Iterator[str]) -> set[str]:
    """Return these packages and all that they need in turn, as far as they are installed here."""
    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        package = waiting.pop()
        try:
            wanted = requires(package) or []
        except PackageNotFoundError:  # for another system or Python
            continue
        if package not in found:
            found.add(package)
            for text in wanted:
                requirement = Requirement(text)
                if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                    waiting.append(_plain(requirement.name))
    return found


def write() -> str:
    """Return the page."""
    direct = dict.fromkeys(pinned(FILES[0]), "the app")
    tests = dict.fromkeys(pinned(FILES[1]), "tests")
    indirect = dict.fromkeys(needed(iter(direct)), "the app, through others")
    nli = dict.fromkeys(pinned(FILES[2]), "an NLI model")
    nli = dict.fromkeys(needed(iter(nli)), "an NLI model, through others") | nli
    rows = []
    for name, purpose in sorted({**tests, **nli, **indirect, **direct}.items()):
        about = metadata(name)
        rows.append(f"| {about['Name']} | {about['Version']} | {licence(name)} | {purpose} |")
    return _INTRODUCTION + "\n".join(rows) + "\n"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    PAGE.write_text(write(), "utf-8")
