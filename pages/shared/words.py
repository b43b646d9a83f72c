"""How states, counts, sizes and times are written. Pure: no Streamlit, no I/O."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from pipeline.run_records import GLYPHS, RunFile
from pipeline.staging import size_in_words

# Half transparent, so that they tint a light and a dark background alike; the text keeps the
# theme's own color and with it its contrast.
TINTS = {
    "queued": "rgba(59, 130, 246, 0.16)",
    "running": "rgba(59, 130, 246, 0.38)",
    "loaded": "rgba(22, 163, 74, 0.30)",
    "failed": "rgba(220, 38, 38, 0.36)",
    "unavailable": "rgba(120, 120, 120, 0.28)",
    "stale": "rgba(217, 119, 6, 0.36)",
}


def state_words(state: str) -> str:
    """Return a state of a file or a run as it is shown: `● loaded`."""
    return f"{GLYPHS[state]} {state}"


def count(number: int | None) -> str:
    """Return a number with thousands separators, or nothing for None."""
    return "" if number is None else f"{number:,}"


def size(number: float | None) -> str:
    """Return a number of bytes for people, or nothing for None."""
    return "" if number is None else size_in_words(number)


def duration(seconds: float) -> str:
    """Return how long something took: `0.4 s`, `12 s`, `3 min 05 s`, `1 h 02 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def when(moment: datetime) -> str:
    """Return a moment (UTC) as date and time of day."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def files_in_words(number: int) -> str:
    """Return `1 file` or `12 files`."""
    return f"{number:,} file" if number == 1 else f"{number:,} files"


def interruption(files: Iterable[RunFile]) -> str:
    """Return what became of a run whose process ended, and what to do; `files` are the run's."""
    left = sum(file.state not in ("loaded", "skipped", "unavailable") for file in files)
    ended = "The process ended during this run"
    if not left:
        return f"{ended}, with all files done."
    what = (
        "1 file is left: Resume runs it"
        if left == 1
        else f"{left:,} files are left: Resume runs them"
    )
    return f"{ended}. {what}."


def rows_in_words(number: int) -> str:
    """Return `1 row` or `12 rows`."""
    return f"{number:,} row" if number == 1 else f"{number:,} rows"


def outcomes(files: Iterable[RunFile]) -> str:
    """Return how many files of a run ended how, the worst first: `1 failed, 9 loaded`."""
    order = ("failed", "running", "queued", "cancelled", "unavailable", "loaded", "skipped")
    counts = Counter[str](file.state for file in files)
    return ", ".join(f"{counts[state]:,} {state}" for state in order if counts[state])


def plain(text: str) -> str:
    """Return text so that Markdown shows it letter by letter.

    For names, addresses and error texts, which come from outside: no images, formulas, directives
    or links with another text come out of them. An address may become a link to just itself.
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
