"""What a preview shows, as tables and words. Pure: no Streamlit, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import pandas as pd
from pandas.io.formats.style import Styler

from pages.shared.words import count, plain
from pipeline.preview import Preview
from pipeline.preview.difference import ChangedRow, Difference
from pipeline.preview.findings import Finding
from pipeline.preview.profile import ColumnProfile
from pipeline.preview.schema import SchemaColumn

VIEWS = ("Rows", "Columns", "Profile", "Findings", "What would loading change?", "SQL")
# In the palette color that can be read: a tab that is picked is written in the primary one.
VIEW_LABELS = {view: f":yellow[{view}]" for view in VIEWS}

_STATUS_GLYPHS = {
    "as expected": "●",
    "cast": "◐",
    "other spelling": "◐",
    "missing": "✕",
    "not yet": "–",
    "extra": "+",
}
# Half transparent, so that they tint a light and a dark background alike.
_CHANGE_TINTS = {
    "inserted": "rgba(22, 163, 74, 0.25)",
    "deleted": "rgba(220, 38, 38, 0.25)",
    "updated": "rgba(217, 119, 6, 0.40)",
}
_CHANGE_GLYPHS = {"inserted": "+", "deleted": "–", "updated": "◐"}


def cell(value: object) -> str:
    """Return a cell as people read it; nothing for NULL."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)


def rows_table(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Return rows as a table; amounts are of float type, whole numbers of Int64."""
    frame = pd.DataFrame([{name: _number(value) for name, value in row.items()} for row in rows])
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
    return value if isinstance(value, int) or value is None else cell(value)


def schema_table(schema: Iterable[SchemaColumn]) -> pd.DataFrame:
    """Return the file's columns beside the table's, a row a column."""
    listed = list(schema)
    return pd.DataFrame(
        {
            "column": [column.name for column in listed],
            "expected": [column.type or "" for column in listed],
            "in the file": [column.file_name or "" for column in listed],
            "its type": [column.file_type or "" for column in listed],
            "status": [f"{_STATUS_GLYPHS[column.status]} {column.status}" for column in listed],
        }
    )


def schema_notes(schema: Iterable[SchemaColumn]) -> str:
    """Return what the differences mean, columns of one meaning together, as a Markdown list."""
    columns: dict[str, list[str]] = {}
    for column in schema:
        if column.note:
            columns.setdefault(column.note, []).append(f"**{plain(column.name[:60])}**")
    return "\n".join(f"- {', '.join(names)}: {plain(note)}" for note, names in columns.items())


def profile_table(profile: Iterable[ColumnProfile]) -> pd.DataFrame:
    """Return the profile, a row a column."""
    listed = list(profile)
    quartiles = [column.quartiles or (None, None, None) for column in listed]
    return pd.DataFrame(
        {
            "column": [column.name for column in listed],
            "type": [column.type for column in listed],
            "nulls": [column.null_share for column in listed],
            "distinct": [column.distinct for column in listed],
            "histogram": [
                list(column.histogram.counts) if column.histogram else [] for column in listed
            ],
            "minimum": [cell(column.low) for column in listed],
            "25 %": [cell(values[0]) for values in quartiles],
            "median": [cell(values[1]) for values in quartiles],
            "75 %": [cell(values[2]) for values in quartiles],
            "maximum": [cell(column.high) for column in listed],
            "most frequent": [
                ", ".join(f"{cell(value)} ({count(rows)})" for value, rows in column.frequent)
                for column in listed
            ],
        }
    )


def shown_findings(preview: Preview) -> list[tuple[Finding, str]]:
    """Return the findings that occur, each with its title, count and share, as Markdown."""
    rows = preview.rows + preview.rejected
    return [
        (finding, f"**{finding.title}** · {_amount(finding, rows)}")
        for finding in preview.findings
        if finding.count
    ]


def _amount(finding: Finding, rows: int) -> str:
    unit = finding.unit if finding.count != 1 else finding.unit.removesuffix("s")
    share = f", {finding.count / rows:.2%}" if finding.unit == "rows" and rows else ""
    return f"{count(finding.count)} {unit}{share}"


def findings_in_words(preview: Preview) -> str:
    """Return a sentence on what was looked for and does not occur."""
    absent = [finding.title.lower() for finding in preview.findings if not finding.count]
    return f"Looked for and not found: {', '.join(absent)}." if absent else ""


def difference_sentence(difference: Difference) -> str:
    """Return in one sentence what a load would do."""
    if difference.same_bytes:
        return "It was loaded from these very bytes: loading would change nothing."
    if difference.changes_nothing:
        return f"Other bytes, the same {count(difference.rows)} rows: nothing would change."
    return (
        f"Loading would insert {count(difference.inserted)}, update {count(difference.updated)} "
        f"and delete {count(difference.deleted)} rows, and leave {count(difference.unchanged)} as "
        "they are."
    )


def changes_table(changes: Sequence[ChangedRow]) -> Styler:
    """Return rows that a load would change; an updated one's changed cells as `old → new`."""
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


def cells_table(difference: Difference) -> pd.DataFrame:
    """Return in how many updated rows each column would change."""
    return pd.DataFrame(
        {
            "column": [name for name, _ in difference.cells],
            "updated rows": [rows for _, rows in difference.cells],
        }
    )
