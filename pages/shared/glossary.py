"""What the words mean that the pages use: one sentence or two each, the same in every tooltip.

docs/words.md has the same sentences; a test compares them.
"""

from __future__ import annotations

WORDS = {
    "trip file": "One color of one month, such as green_tripdata_2020-04: the unit of work.",
    "source": "Where trip files come from: GitHub releases, the TLC, a folder or URL of your own, "
    "or the built-in sample, whose trips are made up.",
    "staging": "Where a downloaded file rests, compressed and verified, before it is loaded.",
    "warehouse": "Where the tables live: a DuckDB file on this machine, or a BigQuery dataset.",
    "backfill": "One request to load colors and months; a run is its execution.",
    "ledger": "The warehouse's own record of which file was loaded, when, from which bytes, and "
    "with which counts.",
    "policy": "Which of the files asked for a backfill takes; it leaves the others alone.",
    "stale": "A file whose source has another version now than the one that was loaded; the next "
    "backfill loads it again.",
    "unavailable": "The source has no such month. That is no failure: nothing is retried.",
    "stray": "A trip whose pickup lies outside the month of its file, such as 2008 in a file of "
    "2020. It is loaded with its file, and left out of charts unless asked for.",
    "reject": "A row that cannot be cast to the columns' types. It is not loaded, but kept in the "
    "table rejects, with its line and the reason.",
    "ordinal": "The number of a row among the rows of one file that share vendor, times and zones, "
    "as a trip and its void do: with it every row has an id of its own.",
    "void": "A row that takes back a trip: the same vendor, times and zones, the opposite amounts.",
}
"""By word; each meaning is a full sentence or more, without Markdown."""


def explain(*words: str) -> str:
    """Return a tooltip that says what these words mean, a line each."""
    if len(words) == 1:
        return WORDS[words[0]]
    return "\n".join(f"- **{word}**: {WORDS[word]}" for word in words)
