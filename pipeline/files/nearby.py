"""Find trip files below a folder whose names are nearly those that are published.

`Green_tripdata_2020_04.CSV` and `green/2020/green_tripdata_2020-04.parquet` say as clearly as the
published name which trips they hold. A name that leaves the dataset or the month open is no match.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS
from pipeline.core.errors import UsageError
from pipeline.core.months import Month
from pipeline.core.trips import TripFile
from pipeline.files.header import excerpt
from pipeline.files.offers import Format

DEPTH = 2  # folders below the source's own
MOST_ENTRIES = 50_000  # files and folders that are looked at

# In this order one of several files is taken that differ in nothing but the ending. What else may
# be at the end of a trip file's name follows.
ENDINGS = ("csv.gz", "parquet", "csv")
_OTHER_ENDINGS = (
    *("csv.zip", "csv.zst", "csv.lz4", "csv.bz2", "csv.xz", "tar.gz", "parquet.gz"),
    *("zip", "gz", "zst", "lz4", "bz2", "xz", "tar", "tgz", "txt", "tsv"),
)
_ALL_ENDINGS = (*ENDINGS, *_OTHER_ENDINGS)
_MOST_NAMED = 3


@dataclass(frozen=True)
class NearbyFiles:
    """The files below a folder, by the trip file that their names stand for.

    Attributes:
        paths: The candidates of each trip file, below the folder.
        names: The names of all files, for suggestions.
        folders: Folders that have the name of a trip file, as Spark writes them.
        unreadable: The first folder that could not be read; "" for none.
        truncated: Whether there are more files than are looked at.
    """

    paths: dict[TripFile, list[Path]]
    names: list[str]
    folders: dict[TripFile, str]
    unreadable: str = ""
    truncated: bool = False

    def find(self, file: TripFile) -> Path | None:
        """Return the one path of a trip file; None if there is none, or more than one."""
        groups: dict[tuple[Path, str], list[Path]] = {}
        for path in self.paths.get(file, []):
            groups.setdefault((path.parent, path.name[: -len(known_ending(path.name))]), []).append(
                path
            )
        if len(groups) != 1:
            return None
        (paths,) = groups.values()
        return min(paths, key=lambda path: (_ALL_ENDINGS.index(known_ending(path.name)), path.name))

    def describe(self, file: TripFile) -> str:
        """Return what is there in place of a trip file, to end a sentence with; "" for nothing."""
        candidates = sorted(str(path) for path in self.paths.get(file, []))
        if len(candidates) > 1:
            return (
                f"{_listed(candidates)} all match, so none is taken: keep one, or give one the "
                "published name"
            )
        near = [*self._odd_names(file), *self._other_months(file)][:_MOST_NAMED]
        parts = [f"near it: {_listed(near)}"] if near else []
        if not near and (other := next(filter(known_ending, self.names), None)):
            parts.append(f"there are other files, such as {_listed([other])}")
        if file in self.folders:
            parts.append(f"{excerpt(self.folders[file])} is a folder: give one file a month")
        if self.unreadable:
            parts.append(f"{self.unreadable} cannot be read")
        if self.truncated:
            parts.append(f"only {MOST_ENTRIES:,} files were listed")
        return "; ".join(parts)

    def _odd_names(self, file: TripFile) -> list[str]:
        """Return names with the dataset and month of a file that stand for no trip file."""
        month = re.compile(rf"{file.month.year}\D?0?{file.month.month}(?!\d)")
        color = file.dataset.name.lower()
        return [
            name
            for name in self.names
            if color in name.lower() and month.search(name) and trip_file_named(name) is None
        ]

    def _other_months(self, file: TripFile) -> list[str]:
        """Return the names of the dataset's files of other months, the nearest first."""
        others = [other for other in self.paths if other.dataset == file.dataset]

        def distance(other: TripFile) -> int:
            years = other.month.year - file.month.year
            return abs(12 * years + other.month.month - file.month.month)

        return [self.paths[other][0].name for other in sorted(others, key=distance)]


def find_nearby(folder: Path, cancel: Cancel | None) -> NearbyFiles:
    """Look through a folder and two levels of folders in it, except for hidden ones.

    Raises Cancelled, and nothing for a folder that cannot be read.
    """
    nearby = NearbyFiles({}, [], {})
    unreadable = ""
    entries = 0
    levels = [(folder, 0)]
    while levels:
        place, depth = levels.pop(0)
        if cancel:
            cancel.check()
        try:
            listed = sorted(_visible(place), key=lambda entry: entry.name)
        except OSError:
            unreadable = unreadable or excerpt(str(place))
            continue
        for entry in listed:
            entries += 1
            if entries > MOST_ENTRIES:
                return replace(nearby, unreadable=unreadable, truncated=True)
            try:
                if entry.is_dir():
                    if file := trip_file_named(entry.name):
                        nearby.folders[file] = entry.name
                    if depth < DEPTH:
                        levels.append((Path(entry.path), depth + 1))
                elif entry.is_file():
                    nearby.names.append(entry.name)
                    if file := trip_file_named(entry.name):
                        path = Path(entry.path).relative_to(folder)
                        nearby.paths.setdefault(file, []).append(path)
            except OSError:  # a link that leads in a circle
                continue
    return replace(nearby, unreadable=unreadable)


def trip_file_named(name: str) -> TripFile | None:
    """Return the trip file that a file's name stands for, however it is spelled, or None."""
    match = _pattern().fullmatch(name)
    if match is None:
        return None
    table = re.sub("[-_ ]", "_", match["table"]).lower()
    dataset = next(dataset for dataset in DATASETS.values() if dataset.table == table)
    try:
        return TripFile(dataset, Month.parse(f"{match['year']}-{match['month']}"))
    except UsageError:  # the 13th month
        return None


def format_named(name: str) -> Format:
    """Return the format that a name's ending stands for; its content may be another."""
    ending = known_ending(name)
    return "parquet" if ending == "parquet" else "csv" if ending in ("csv", "txt") else "csv.gz"


@cache
def _pattern() -> re.Pattern[str]:
    tables = "|".join(
        re.escape(dataset.table).replace("_", "[-_ ]") for dataset in DATASETS.values()
    )
    endings = "|".join(re.escape(ending) for ending in _ALL_ENDINGS)
    return re.compile(
        rf"(?P<table>{tables})[-_ ](?P<year>[0-9]{{4}})[-_. ]?(?P<month>[0-9]{{2}})\.(?:{endings})",
        re.IGNORECASE,
    )


def known_ending(name: str) -> str:
    """Return the longest known ending of a name, in lower case."""
    lowered = name.lower()
    known = [ending for ending in _ALL_ENDINGS if lowered.endswith(f".{ending}")]
    return max(known, key=len, default="")


def _visible(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            # A name with control characters would reach logs and terminals as part of an address.
            if not entry.name.startswith(".") and entry.name.isprintable():
                yield entry


def _listed(names: list[str]) -> str:
    shown = ", ".join(excerpt(name) for name in names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown} and {len(names) - _MOST_NAMED:,} more"
