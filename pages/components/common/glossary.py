"""Tooltips with the glossary of docs/words.md; a test compares the two."""

from __future__ import annotations

WORDS = {
    "trip file": "The trips of one kind of taxi in one month, such as green_tripdata_2020-04.",
    "source": "Where trip files come from: GitHub releases, the TLC, your own folder or URL, "
    "your uploads, or the built-in sample of synthetic trips.",
    "staging": "The folder of downloaded files, compressed and verified. Loads read from it.",
    "warehouse": "Where the tables are: a DuckDB file on this machine, or a BigQuery dataset.",
    "backfill": "A request to load taxis and months; a run is its execution.",
    "ledger": "The warehouse's record of each loaded file: when it was loaded, from which bytes, "
    "and the counts of its rows.",
    "policy": "Which of the selected files a backfill loads. It leaves the other files unchanged.",
    "stale": "The source has another version of the file than the one that was loaded. The next "
    "backfill loads it again.",
    "unavailable": "The source does not have this month. This is not a failure, and it is not "
    "retried.",
    "stray": "A trip whose pickup is outside the month of its file, such as 2008 in a file of "
    "2020. It is loaded with its file; charts exclude it unless you include strays.",
    "reject": "A row with a cell that cannot be read, or a line that is not a row. It is not "
    "loaded; the table rejects keeps it with its line and the reason.",
    "ordinal": "The number of a row among the rows of one file that have the same vendor or "
    "base, times and zones, such as a trip and its void. It makes the id of each row unique.",
    "void": "A row that cancels a trip: the same vendor, times and zones, and the opposite "
    "amounts.",
}
"""The meaning of each word, in full sentences without Markdown."""


def explain(*words: str) -> str:
    """Return a tooltip with the meanings of some words, a line for each."""
    if len(words) == 1:
        return WORDS[words[0]]
    return "\n".join(f"- **{word}**: {WORDS[word]}" for word in words)
