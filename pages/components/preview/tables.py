"""The contents of a preview as tables and sentences. Pure: no Streamlit, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import pandas as pd
from pandas.io.formats.style import Styler

from pages.components.common.words import count, plain
from pipeline.preview import Preview
from pipeline.preview.difference import ChangedRow, FileDiff
from pipeline.preview.findings import RowFinding
from pipeline.preview.profile import ColumnProfile
from pipeline.preview.schema import SchemaColumn

_STATUS_GLYPHS = {
    "as expected": "●",
    "cast": "◐",
    "other spelling": "◐",
    "missing": "✕",
    "not yet": "–",
    "extra": "+",
}
# Half transparent, so that they suit a light and a dark background.
_CHANGE_TINTS = {
    "inserted": "rgba(22, 163, 74, 0.25)",
    "deleted": "rgba(220, 38, 38, 0.25)",
    "updated": "rgba(217, 119, 6, 0.40)",
}
_INT64 = range(-(2**63), 2**63)
_CHANGE_GLYPHS = {"inserted": "+", "deleted": "–", "updated": "◐"}


def cell(value: object) -> str:
    """Return a value as text for people, or an empty text for NULL."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    return str(value)


def rows_table(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Return rows as a table in which amounts are floats and whole numbers are Int64.

    A whole number beyond 64 bits, which pandas lacks, becomes text.
    """
    rows = [{name: _number(value) for name, value in row.items()} for row in rows]
    frame = pd.DataFrame(rows)
    whole = {
        name: "Int64"
        for name in frame
        if all(isinstance(row[name], int) or row[name] is None for row in rows)
        and any(row[name] is not None for row in rows)
    }
    return frame.astype(whole)


def _number(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, int) and value not in _INT64:
        return str(value)
    return value if isinstance(value, (int, float)) or value is None else cell(value)


def schema_table(schema: Iterable[SchemaColumn]) -> pd.DataFrame:
    """Return the columns of the file beside those of the table, with a row for each."""
    columns = list(schema)
    return pd.DataFrame(
        {
            "column": [column.name for column in columns],
            "expected": [column.type or "" for column in columns],
            "in the file": [column.file_name or "" for column in columns],
            "its type": [column.file_type or "" for column in columns],
            "status": [f"{_STATUS_GLYPHS[column.status]} {column.status}" for column in columns],
        }
    )


def schema_notes(schema: Iterable[SchemaColumn]) -> str:
    """Return the meanings of the differences as a Markdown list, with the columns of each."""
    columns: dict[str, list[str]] = {}
    for column in schema:
        if column.note:
            columns.setdefault(column.note, []).append(f"**{plain(column.name[:60])}**")
    return "\n".join(f"- {', '.join(names)}: {plain(note)}" for note, names in columns.items())


def profile_table(profile: Iterable[ColumnProfile]) -> pd.DataFrame:
    """Return a profile as a table with a row for each column of the file."""
    columns = list(profile)
    quartiles = [column.quartiles or (None, None, None) for column in columns]
    return pd.DataFrame(
        {
            "column": [column.name for column in columns],
            "type": [column.type for column in columns],
            "nulls": [column.null_share for column in columns],
            "distinct": [column.distinct for column in columns],
            "histogram": [
                list(column.histogram.counts) if column.histogram else [] for column in columns
            ],
            "minimum": [cell(column.low) for column in columns],
            "25 %": [cell(values[0]) for values in quartiles],
            "median": [cell(values[1]) for values in quartiles],
            "75 %": [cell(values[2]) for values in quartiles],
            "maximum": [cell(column.high) for column in columns],
            "most frequent": [
                ", ".join(f"{cell(value)} ({count(rows)})" for value, rows in column.frequent)
                for column in columns
            ],
        }
    )


def sort_findings(findings: Iterable[RowFinding]) -> list[RowFinding]:
    """Return the findings that occur: rejects, which are not loaded, then the others by count."""
    present = [finding for finding in findings if finding.count]
    return sorted(present, key=lambda finding: (finding.name != "rejects", -finding.count))


def findings_table(findings: Sequence[RowFinding], rows: int) -> pd.DataFrame:
    """Return findings as a table.

    Args:
        rows: The number of rows that were read, for the shares, which are in percent.
    """
    return pd.DataFrame(
        {
            "finding": [finding.title for finding in findings],
            "count": [finding.count for finding in findings],
            "of": [
                finding.unit.removesuffix("s") if finding.count == 1 else finding.unit
                for finding in findings
            ],
            "share of rows": [
                100 * finding.count / rows if finding.unit == "rows" and rows else None
                for finding in findings
            ],
            "what it means": [finding.meaning for finding in findings],
        }
    )


def findings_in_words(preview: Preview) -> str:
    """Return a sentence with what was looked for and does not occur."""
    absent = [finding.title.lower() for finding in preview.findings if not finding.count]
    return f"Checked and not found: {', '.join(absent)}." if absent else ""


def difference_sentence(difference: FileDiff) -> str:
    """Return in one sentence what a load would change."""
    if difference.same_bytes:
        return "The same bytes are loaded: a load would change nothing."
    if difference.is_empty:
        return (
            f"Other bytes with the same {count(difference.rows)} rows: a load would change no row."
        )
    return (
        f"A load would insert {count(difference.inserted)}, update {count(difference.updated)} "
        f"and delete {count(difference.deleted)} rows, and leave {count(difference.unchanged)} "
        "unchanged."
    )


def changes_table(changes: Sequence[ChangedRow]) -> Styler:
    """Return rows that a load would change; a changed cell of an updated row is `old → new`."""
    columns = list(changes[0].after or changes[0].before or {})
    texts, tints = [], []
    for change in changes:
        row = change.after or change.before or {}
        tint = f"background-color: {_CHANGE_TINTS[change.change]}"
        whole = change.change != "updated"
        texts.append(
            [f"{_CHANGE_GLYPHS[change.change]} {change.change}"]
            + [_changed_cell(change, name, row[name]) for name in columns]
        )
        tints.append([tint] + [tint if whole or name in change.cells else "" for name in columns])
    names = ["change", *columns]
    frame = pd.DataFrame(texts, columns=names)
    styles = pd.DataFrame(tints, columns=names)
    return frame.style.apply(lambda _: styles, axis=None)


def _changed_cell(change: ChangedRow, name: str, value: object) -> str:
    if change.before is not None and name in change.cells:
        return f"{cell(change.before[name]) or 'NULL'} → {cell(value) or 'NULL'}"
    return cell(value)


def cells_table(difference: FileDiff) -> pd.DataFrame:
    """Return for each column the number of updated rows in which it would change."""
    return pd.DataFrame(
        {
            "column": [name for name, _ in difference.cells],
            "updated rows": [rows for _, rows in difference.cells],
        }
    )
