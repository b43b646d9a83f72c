"""What `preview` and `diff` print: a document for programs, or text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.table import Table

from pipeline.commands.console import err, escape, make_table, out

if TYPE_CHECKING:
    from pipeline.preview import Preview
    from pipeline.preview.difference import ChangedRow, Difference
    from pipeline.preview.profile import ColumnProfile
    from pipeline.preview.schema import SchemaColumn
    from pipeline.preview.subject import Subject

# In the text output: rows of each finding, and the columns of a trip that are left out there.
_EXAMPLES = 3
_CHANGES = 5  # of each kind
_LESSER = (
    *("store_and_fwd_flag", "RatecodeID", "passenger_count", "extra", "mta_tax", "tip_amount"),
    *("tolls_amount", "ehail_fee", "improvement_surcharge", "trip_type", "congestion_surcharge"),
    *("airport_fee", "cbd_congestion_fee"),
)


def preview_document(found: Preview) -> dict[str, Any]:
    """Return the document that `preview --json` prints."""
    return {
        **_subject_document(found.subject),
        "rows_read": found.rows,
        "rejected": found.rejected,
        "problem": found.problem,
        "schema": [asdict(column) for column in found.schema],
        "sample": found.sample,
        "profile": [
            {
                "name": column.name,
                "type": column.type,
                "nulls": column.nulls,
                "null_share": column.null_share,
                "distinct": column.distinct,
                "min": column.low,
                "max": column.high,
                "quartiles": column.quartiles,
                "histogram": asdict(column.histogram) if column.histogram else None,
                "frequent": [{"value": value, "rows": rows} for value, rows in column.frequent],
            }
            for column in found.profile
        ],
        "findings": [asdict(finding) for finding in found.findings],
    }


def _subject_document(subject: Subject) -> dict[str, Any]:
    """Return what the document says of the file it is about."""
    return {
        "file": subject.file.filename,
        "color": subject.file.color.value,
        "month": str(subject.file.month),
        "place": subject.place,
        "address": subject.address,
        "format": subject.format,
        "bytes": subject.bytes,
        "fetched": subject.fetched,
        "whole": subject.whole,
        "rows": subject.rows,
        "note": subject.note,
    }


def difference_document(found: Difference, subject: Subject, target: str) -> dict[str, Any]:
    """Return the document that `diff --json` prints."""
    return {
        "file": found.file.filename,
        "color": found.file.color.value,
        "month": str(found.file.month),
        "target": target,
        "address": subject.address,
        "loaded_at": f"{found.loaded.finished_at.isoformat()}Z" if found.loaded else None,
        "same_bytes": found.same_bytes,
        "rows": found.rows,
        "inserted": found.inserted,
        "updated": found.updated,
        "deleted": found.deleted,
        "unchanged": found.unchanged,
        "rejected": found.rejected,
        "amount_before": found.amount_before,
        "amount_after": found.amount_after,
        "changed_cells": dict(found.cells),
        "examples": [asdict(row) for row in found.examples],
    }


def print_preview(found: Preview) -> None:
    """Print what `preview` found, for people."""
    out.print(escape(_subject_sentence(found)))
    for sentence in filter(None, (found.subject.note, found.problem)):
        err.print(f"[yellow]▲[/yellow] {escape(sentence)}")
    out.print("\n[bold]Schema[/bold]", _schema_table(found.schema))
    if not found.profile:
        return
    if found.sample:
        out.print("[bold]First rows[/bold]", _rows_upright(found.sample))
    out.print("[bold]Profile[/bold]", _profile_table(found.profile))
    findings = make_table("finding", "count", "what it means")
    for finding in found.findings:
        if finding.count:
            findings.add_row(finding.title, f"{finding.count:,} {finding.unit}", finding.meaning)
    out.print("[bold]Findings[/bold]", findings)
    for finding in found.findings:
        if finding.examples:
            out.print(f"[bold]{finding.title}[/bold]", _rows_table(finding.examples[:_EXAMPLES]))


def _subject_sentence(found: Preview) -> str:
    subject = found.subject
    if subject.staged is None:
        read = "Its columns only"
    elif subject.whole:
        read = f"The whole file, {found.rows:,} rows"
    else:
        of = f" of {subject.rows:,}" if subject.rows is not None else ""
        read = f"The first {found.rows:,}{of} rows"
    size = f", {subject.bytes:,} bytes" if subject.bytes is not None else ""
    fetched = f"; {subject.fetched:,} bytes were fetched" if subject.fetched else ""
    return f"{subject.file.filename} from {subject.address}{size}. {read}{fetched}."


def _schema_table(schema: Iterable[SchemaColumn]) -> Table:
    table = make_table("column", "type", "in the file", "status", "note")
    for column in schema:
        spelled = f"{column.file_name} {column.file_type}" if column.file_name else ""
        cells = (column.name, column.type or "", spelled, column.status, column.note)
        table.add_row(*map(escape, cells))
    return table


def _profile_table(profile: Iterable[ColumnProfile]) -> Table:
    table = make_table("column", "nulls", "distinct", "min", "25 %", "50 %", "75 %", "max")
    for name in table.columns[1:]:
        name.justify = "right"
    for column in profile:
        figures = (column.low, *(column.quartiles or ("", "", "")), column.high)
        table.add_row(
            column.name,
            f"{column.null_share:.1%}",
            f"{column.distinct:,}",
            *(escape(_cell(figure)) for figure in figures),
        )
    return table


def _rows_table(rows: Iterable[Mapping[str, object]]) -> Table:
    """Return rows as a table; of a trip's twenty columns those that most tell it."""
    listed = list(rows)
    names = [name for name in listed[0] if name not in _LESSER]
    table = make_table(*map(escape, names))
    for row in listed:
        table.add_row(*(escape(_cell(row[name])) for name in names))
    return table


def _rows_upright(rows: Sequence[Mapping[str, object]]) -> Table:
    """Return rows as the columns of a table: twenty cells fit into no line."""
    table = make_table("column", *(f"row {number}" for number in range(1, len(rows) + 1)))
    for name in rows[0]:
        table.add_row(name, *(escape(_cell(row[name])) for row in rows))
    return table


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    return str(value)


def print_difference(found: Difference, subject: Subject) -> None:
    """Print what `diff` found, for people."""
    if found.loaded is None:
        before = "Nothing of it is loaded yet"
    else:
        before = f"{found.loaded.rows:,} rows are loaded, since {found.loaded.finished_at:%Y-%m-%d}"
    out.print(escape(f"{found.file.filename} from {subject.address}. {before}."))
    if found.same_bytes:
        out.print("They were loaded from these very bytes: loading would change nothing.")
        return
    out.print(
        f"Loading would insert {found.inserted:,}, update {found.updated:,} and delete "
        f"{found.deleted:,} rows, and leave {found.unchanged:,} as they are; "
        f"{found.rejected:,} would be rejected.\n"
        f"The total amount is ${found.amount_before:,} now and would be ${found.amount_after:,}."
    )
    if found.cells:
        cells = make_table("column", "updated rows in which it changes")
        for name, count in found.cells:
            cells.add_row(name, f"{count:,}")
        out.print(cells)
    if found.examples:
        out.print("[bold]Examples[/bold]", _changes_table(found.examples))


def _changes_table(changes: Sequence[ChangedRow]) -> Table:
    """Return rows before and after; of an updated one a changed cell as `old → new`."""
    marked = {name for change in changes for name in change.cells}
    columns = changes[0].after or changes[0].before or {}
    names = [name for name in columns if name not in _LESSER or name in marked]
    table = make_table("change", *names)
    shown: Counter[str] = Counter()
    for change in changes:
        shown[change.change] += 1
        if shown[change.change] > _CHANGES:
            continue
        row = change.after or change.before or {}
        cells = [
            f"{_cell(change.before[name])} → {_cell(row[name])}"
            if change.before and name in change.cells
            else _cell(row[name])
            for name in names
        ]
        table.add_row(change.change, *map(escape, cells))
    return table
