"""Write states, counts, sizes and times as text for people. Pure: no Streamlit, no I/O."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from pipeline.core.datasets import DATASETS
from pipeline.files.staging import size_in_words
from pipeline.runs.run_records import GLYPHS, RunFile

# Background colors by state. Half transparent, so that they suit a light and a dark theme, and the
# text on them keeps the theme's color and contrast.
TINTS = {
    "queued": "rgba(59, 130, 246, 0.16)",
    "running": "rgba(59, 130, 246, 0.38)",
    "loaded": "rgba(22, 163, 74, 0.30)",
    "failed": "rgba(220, 38, 38, 0.36)",
    "unavailable": "rgba(120, 120, 120, 0.28)",
    "stale": "rgba(217, 119, 6, 0.36)",
}


def dataset_label(name: str) -> str:
    """Return the label of a dataset on a button, such as `yellow`, in the theme's accent."""
    return f":yellow[{DATASETS[name].word}]"


def state_words(state: str) -> str:
    """Return the state of a file or a run with its glyph, such as `● loaded`."""
    return f"{GLYPHS[state]} {state}"


def count(number: int | None) -> str:
    """Return a number with thousands separators, or an empty text for None."""
    return "" if number is None else f"{number:,}"


def size(number: float | None) -> str:
    """Return a number of bytes in its best unit, or an empty text for None."""
    return "" if number is None else size_in_words(number)


def duration(seconds: float) -> str:
    """Return a duration as `0.4 s`, `12 s`, `3 min 05 s` or `1 h 02 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def time_left(seconds: float) -> str:
    """Format an estimated duration, such as `about 12 s`, `about 7 min` or `about 1.5 h`."""
    if seconds < 59.5:
        return f"about {seconds:.0f} s"
    if seconds < 3570:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"


def when(moment: datetime) -> str:
    """Return a moment in UTC as date and time of day."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def files_in_words(number: int) -> str:
    """Return `1 file` or `12 files`."""
    return f"{number:,} file" if number == 1 else f"{number:,} files"


def months_in_words(number: int, kind: str) -> str:
    """Return `1 sample month` or `12 real months`, for the kinds `sample` and `real`."""
    return f"{number:,} {kind} month" if number == 1 else f"{number:,} {kind} months"


def interruption(files: Iterable[RunFile]) -> str:
    """Return how many files an interrupted run left.

    Args:
        files: The files of the run.
    """
    left = sum(file.state not in ("loaded", "skipped", "unavailable") for file in files)
    ended = "The process ended during this run"
    return f"{ended}; {files_in_words(left)} left." if left else f"{ended}, with all files done."


def rows_in_words(number: int) -> str:
    """Return `1 row` or `12 rows`."""
    return f"{number:,} row" if number == 1 else f"{number:,} rows"


def counted(number: int, noun: str) -> str:
    """Format a count with its noun in the singular or plural, such as `1 trip` or `12 trips`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def outcomes(files: Iterable[RunFile]) -> str:
    """Return how many files of a run have each state, the worst first: `1 failed, 9 loaded`."""
    order = ("failed", "running", "queued", "cancelled", "unavailable", "loaded", "skipped")
    counts = Counter[str](file.state for file in files)
    return ", ".join(f"{counts[state]:,} {state}" for state in order if counts[state])


def plain(text: str) -> str:
    """Return text with all punctuation escaped, so that Markdown shows it letter by letter.

    For names, addresses and error texts, which come from outside. They cannot show an image, a
    formula, a directive, or a link with another text. An address may become a link to itself.
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
