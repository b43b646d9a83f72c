"""Match the names in a file's header with the columns of a dataset."""

from __future__ import annotations

import re

from pipeline.core.datasets import Dataset


def normalize_name(name: str) -> str:
    """Return the normalized form of a column name, for comparisons.

    Case, blanks (also those without width), underscores and quotes do not count.
    """
    return re.sub(r"[\s_\"'`\ufeff\u200b\u2060]+", "", name).casefold()


def match_columns(dataset: Dataset, header: tuple[str, ...]) -> dict[str, str]:
    """Map each of our column names to the file's own spelling of it.

    Columns that the file lacks are absent from the result. Columns that we do not know are left
    out; `unknown_columns` lists them.
    """
    in_file = {normalize_name(name): name for name in header}
    matched = {}
    for column in dataset.columns:
        for name in map(normalize_name, column.names):
            if name in in_file:
                matched[column.name] = in_file[name]
                break
    return matched


def unknown_columns(dataset: Dataset, header: tuple[str, ...]) -> tuple[str, ...]:
    """Return the file's columns that match no column of the dataset, as the file spells them."""
    known = _known_names(dataset)
    return tuple(name for name in header if normalize_name(name) not in known)


def superseded_columns(dataset: Dataset, header: tuple[str, ...]) -> dict[str, str]:
    """Map the file's columns that are ours by name, but not read, to those read in their place."""
    matched = match_columns(dataset, header)
    return {
        name: matched[column.name]
        for column in dataset.columns
        for name in header
        if normalize_name(name) in map(normalize_name, column.names)
        and name != matched.get(column.name)
    }


def _known_names(dataset: Dataset) -> set[str]:
    return {normalize_name(name) for column in dataset.columns for name in column.names}
