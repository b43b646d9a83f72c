"""Format the output of `preview` and `diff`: a JSON document, or text for a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.table import Table

from pipeline.cli.console import err, escape, make_table, out
from pipeline.core.datasets import DATASETS

if TYPE_CHECKING:
    from pipeline.preview import Preview
    from pipeline.preview.difference import ChangedRow, FileDiff
    from pipeline.preview.profile import ColumnProfile
    from pipeline.preview.schema import SchemaColumn
    from pipeline.preview.subject import Subject
    from pipeline.preview.table import TablePreview

_EXAMPLES = 3  # rows of each finding
_CHANGES = 5  # rows of each kind of change
# A terminal has no room for all columns of a trip; these matter least.
_OMITTED_COLUMNS = {
    *("store_and_fwd_flag", "RatecodeID", "passenger_count", "extra", "mta_tax", "tip_amount"),
    *("tolls_amount", "ehail_fee", "improvement_surcharge", "trip_type", "congestion_surcharge"),
    *(column.name for dataset in DATASETS.values() for column in dataset.columns if column.fee),
}


def preview_document(preview: Preview | TablePreview) -> dict[str, Any]:
    """Return the JSON document of `preview --json`, as docs/command-line.md documents it."""
    from pipeline.preview.table import TablePreview

    if isinstance(preview, TablePreview):
        return _table_document(preview)
    return {
        **_subject_document(preview.subject),
        "rows_read": preview.rows,
        "rejected": preview.rejected,
        "problem": preview.problem,
        "notes": list(preview.notes),
        "schema": [asdict(column) for column in preview.schema],
        "sample": preview.sample,
        "profile": [_profile_document(column) for column in preview.profile],
        "findings": [asdict(finding) for finding in preview.findings],
    }


def _table_document(preview: TablePreview) -> dict[str, Any]:
    """Return the document of a file that is no trip file: `color` and `month` are null."""
    return {
        "file": preview.name,
        "color": None,
        "month": None,
        "format": preview.packings[-1],
        "bytes": preview.bytes,
        "rows": preview.rows,
        "rows_read": preview.rows,
        "rejected": preview.skipped,
        "problem": preview.reason,
        "schema": [{"name": name, "file_type": kind} for name, kind in preview.columns],
        "sample": [{name: _finite(value) for name, value in row.items()} for row in preview.sample],
        "profile": [_profile_document(column) for column in preview.profile],
        "findings": [],
    }


def _finite(value: object) -> object:
    """Return a value, and None for a number that JSON lacks: NaN and infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _profile_document(column: ColumnProfile) -> dict[str, Any]:
    return {
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


def _subject_document(subject: Subject) -> dict[str, Any]:
    """Return the fields of the document that describe the file."""
    return {
        "file": subject.file.filename,
        "color": subject.file.dataset.name,
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


def diff_document(difference: FileDiff, subject: Subject, target: str) -> dict[str, Any]:
    """Return the JSON document of `diff --json`, as docs/command-line.md documents it."""
    return {
        "file": difference.file.filename,
        "color": difference.file.dataset.name,
        "month": str(difference.file.month),
        "target": target,
        "address": subject.address,
        "loaded_at": f"{difference.loaded.finished_at.isoformat()}Z" if difference.loaded else None,
        "same_bytes": difference.same_bytes,
        "rows": difference.rows,
        "inserted": difference.inserted,
        "updated": difference.updated,
        "deleted": difference.deleted,
        "unchanged": difference.unchanged,
        "rejected": difference.rejected,
        "amount_before": difference.amount_before,
        "amount_after": difference.amount_after,
        "changed_cells": dict(difference.cells),
        "examples": [asdict(row) for row in difference.examples],
    }


def print_preview(preview: Preview | TablePreview) -> None:
    """Print a preview as tables for a terminal."""
    from pipeline.preview.table import TablePreview

    if isinstance(preview, TablePreview):
        _print_table_preview(preview)
        return
    out.print(escape(_describe_subject(preview)))
    for sentence in filter(None, (preview.subject.note, *preview.notes, preview.problem)):
        err.print(f"[yellow]▲[/yellow] {escape(sentence)}")
    out.print("\n[bold]Schema[/bold]", _schema_table(preview.schema))
    if not preview.profile:
        return
    if preview.sample:
        out.print("[bold]First rows[/bold]", _transposed_table(preview.sample))
    out.print("[bold]Profile[/bold]", _profile_table(preview.profile))
    findings = make_table("finding", "count", "what it means")
    for finding in preview.findings:
        if finding.count:
            findings.add_row(finding.title, f"{finding.count:,} {finding.unit}", finding.meaning)
    out.print("[bold]Findings[/bold]", findings)
    for finding in preview.findings:
        if finding.examples:
            out.print(f"[bold]{finding.title}[/bold]", _rows_table(finding.examples[:_EXAMPLES]))


def _print_table_preview(preview: TablePreview) -> None:
    skipped = f", {preview.skipped:,} lines skipped" if preview.skipped else ""
    facts = f"{preview.rows:,} rows{skipped}, {preview.bytes:,} bytes"
    out.print(escape(f"{preview.name}: {facts}."))
    err.print(f"[yellow]▲[/yellow] {escape(f'This is no trip file. {preview.reason}')}")
    if preview.sample:
        out.print("[bold]First rows[/bold]", _transposed_table(preview.sample))
    if preview.profile_note:
        err.print(f"[yellow]▲[/yellow] {preview.profile_note}")
    out.print("[bold]Profile[/bold]", _profile_table(preview.profile))


def _describe_subject(preview: Preview) -> str:
    subject = preview.subject
    if subject.staged is None:
        read = "Its columns only"
    elif subject.whole:
        read = f"The whole file, {preview.rows:,} rows"
    else:
        of = f" of {subject.rows:,}" if subject.rows is not None else ""
        read = f"The first {preview.rows:,}{of} rows"
    size = f", {subject.bytes:,} bytes" if subject.bytes is not None else ""
    fetched = f"; {subject.fetched:,} bytes were fetched" if subject.fetched else ""
    return f"{subject.file.filename} from {subject.address}{size}. {read}{fetched}."


def _schema_table(schema: Iterable[SchemaColumn]) -> Table:
    table = make_table("column", "type", "in the file", "status", "note")
    for column in schema:
        file_column = f"{column.file_name} {column.file_type}" if column.file_name else ""
        cells = (column.name, column.type or "", file_column, column.status, column.note)
        table.add_row(*map(escape, cells))
    return table


def _profile_table(profile: Iterable[ColumnProfile]) -> Table:
    table = make_table("column", "nulls", "distinct", "min", "25 %", "50 %", "75 %", "max")
    for name in table.columns[1:]:
        name.justify = "right"
    for column in profile:
        figures = (column.low, *(column.quartiles or ("", "", "")), column.high)
        table.add_row(
            escape(column.name),
            f"{column.null_share:.1%}",
            f"{column.distinct:,}",
            *(escape(_format_cell(figure)) for figure in figures),
        )
    return table


def _rows_table(rows: Iterable[Mapping[str, object]]) -> Table:
    """Return a table of rows without the columns in _OMITTED_COLUMNS."""
    listed = list(rows)
    names = [name for name in listed[0] if name not in _OMITTED_COLUMNS]
    table = make_table(*map(escape, names))
    for row in listed:
        table.add_row(*(escape(_format_cell(row[name])) for name in names))
    return table


def _transposed_table(rows: Sequence[Mapping[str, object]]) -> Table:
    """Return a table with one column for each row: a row's twenty cells do not fit into a line."""
    table = make_table("column", *(f"row {number}" for number in range(1, len(rows) + 1)))
    for name in rows[0]:
        table.add_row(escape(name), *(escape(_format_cell(row[name])) for row in rows))
    return table


def _format_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    return str(value)


def print_diff(difference: FileDiff, subject: Subject) -> None:
    """Print the changes that a load would make as tables for a terminal."""
    if difference.loaded is None:
        before = "No row of this month is loaded yet"
    else:
        loaded = difference.loaded
        before = f"{loaded.rows:,} rows are loaded, since {loaded.finished_at:%Y-%m-%d}"
    out.print(escape(f"{difference.file.filename} from {subject.address}. {before}."))
    if difference.same_bytes:
        out.print("The same bytes are loaded: a load would change nothing.")
        return
    out.print(
        f"A load would insert {difference.inserted:,}, update {difference.updated:,} and delete "
        f"{difference.deleted:,} rows, leave {difference.unchanged:,} unchanged and reject "
        f"{difference.rejected:,}."
    )
    if difference.amount_before is not None:
        out.print(
            f"The total amount would change from ${difference.amount_before:,} to "
            f"${difference.amount_after:,}."
        )
    if difference.cells:
        cells = make_table("column", "updated rows in which it changes")
        for name, count in difference.cells:
            cells.add_row(name, f"{count:,}")
        out.print(cells)
    if difference.examples:
        out.print("[bold]Examples[/bold]", _changes_table(difference.examples))


def _changes_table(changes: Sequence[ChangedRow]) -> Table:
    """Return a table of changed rows; a changed cell of an updated row shows as `old → new`."""
    updated_columns = {name for change in changes for name in change.cells}
    columns = changes[0].after or changes[0].before or {}
    names = [name for name in columns if name not in _OMITTED_COLUMNS or name in updated_columns]
    table = make_table("change", *names)
    shown: Counter[str] = Counter()
    for change in changes:
        shown[change.change] += 1
        if shown[change.change] > _CHANGES:
            continue
        row = change.after or change.before or {}
        cells = [
            f"{_format_cell(change.before[name])} → {_format_cell(row[name])}"
            if change.before and name in change.cells
            else _format_cell(row[name])
            for name in names
        ]
        table.add_row(change.change, *map(escape, cells))
    return table
