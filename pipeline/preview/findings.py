"""Check the rows of a previewed file for data-quality problems, with counts and example rows.

A load rejects only the rows of the finding `rejects`; it loads all others. docs/preview.md
explains each finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import duckdb

from pipeline.core.cells import show_text
from pipeline.core.datasets import Dataset
from pipeline.core.sql import statement
from pipeline.core.trips import MOST_MILES, Month, TripFile
from pipeline.preview.rows import EXAMPLES, Extraction, fetch_dicts, fetch_value
from pipeline.warehouse.extract.cells import row_identifiers
from pipeline.warehouse.measures import has_amount

CountUnit = Literal["rows", "pairs", "cells"]

# Values beyond these limits are absurd: the highest fares out of the city stay below $1,000, and
# no trip takes a day.
MOST_DOLLARS = 1000
MOST_HOURS = 24

# taxi_zone_lookup.csv lists zones 1 to 265; 264 is Unknown and 265 lies outside of the city.
ZONES = 265

# The codes that the TLC's data dictionaries list: https://www.nyc.gov/site/tlc/about/tlc-trip-record-data.page
VENDORS = (1, 2, 6, 7)
RATE_CODES = (1, 2, 3, 4, 5, 6, 99)
PAYMENTS = (0, 1, 2, 3, 4, 5, 6)
TRIP_TYPES = (1, 2)


@dataclass(frozen=True)
class RowFinding:
    """The result of one data-quality check.

    Attributes:
        name: Identifier for scripts, such as `strays`.
        title: Name of the check, as pages show it.
        meaning: What such rows mean, and what a load does with them.
        count: Rows, pairs of rows or cells, as `unit` says.
        examples: The first such rows, by column name; of cells, one of each kind and column.
    """

    name: str
    title: str
    meaning: str
    count: int
    unit: CountUnit
    examples: tuple[dict[str, object], ...]


@dataclass(frozen=True)
class _RowCheck:
    """A check of single rows: it counts the rows for which the SQL `predicate` is true."""

    name: str
    title: str
    meaning: str
    predicate: str


def collect_findings(
    connection: duckdb.DuckDBPyConnection, file: TripFile, extraction: Extraction
) -> tuple[RowFinding, ...]:
    """Run every check on the table `trips`; a check without matching rows has the count 0.

    Args:
        connection: The preview's database, after `extract_rows`.
    """
    findings = [_make_reject_finding(extraction), *_find_spellings(extraction)]
    findings += _find_shared_identities(connection, file.dataset)
    findings += _find_row_checks(connection, file)
    return tuple(findings)


def _make_reject_finding(extraction: Extraction) -> RowFinding:
    examples: tuple[dict[str, object], ...] = tuple(
        {"line": reject.line, "reason": reject.reason, "content": reject.content}
        for reject in extraction.rejects
    )
    meaning = (
        "A cell cannot be read as its column's type, or the line is broken. A load keeps such rows "
        "in the table rejects; too many of them fail the file."
    )
    return RowFinding("rejects", "Rejected", meaning, extraction.rejected, "rows", examples)


def _find_spellings(extraction: Extraction) -> Iterator[RowFinding]:
    """Yield the findings about cells that are not written as the TLC writes them."""
    kinds = (
        (
            "zones",
            "Times in a named time zone",
            "The clock time is kept as written; the zone shifts nothing.",
            True,
        ),
        (
            "spellings",
            "Cells in another spelling",
            "The TLC writes such cells differently. They are read as the examples show.",
            False,
        ),
    )
    for name, title, meaning, about_zones in kinds:
        notes = [note for note in extraction.notes if (note.kind == "zone") == about_zones]
        examples: tuple[dict[str, object], ...] = tuple(
            {
                "column": note.column,
                "cells": note.cells,
                "hold": note.meaning,
                "such as": show_text(note.text),
                "read as": note.value or "NULL",
            }
            for note in notes[:EXAMPLES]
        )
        count = sum(note.cells for note in notes)
        yield RowFinding(name, title, meaning, count, "cells", examples)


def _make_checks(dataset: Dataset, month: Month) -> tuple[_RowCheck, ...]:
    pickup, dropoff = dataset.pickup, dataset.dropoff
    first, next_first = _timestamp_literal(month), _timestamp_literal(month.plus(1))
    codes = {
        "VendorID": VENDORS,
        "RatecodeID": RATE_CODES,
        "payment_type": PAYMENTS,
        "trip_type": TRIP_TYPES,
    }
    known_codes = [f"{name} NOT IN {known}" for name, known in codes.items() if dataset.has(name)]
    if dataset.has("store_and_fwd_flag"):
        known_codes.append("store_and_fwd_flag NOT IN ('Y', 'N')")
    checks = (
        _RowCheck(
            "strays",
            "Pickup outside the month",
            "They are loaded with the file that has them.",
            f"{pickup} < {first} OR {pickup} >= {next_first}",
        ),
        _RowCheck(
            "no-vendor",
            "Without a vendor",
            "VendorID is empty; flag, rate code, passengers and payment are then empty, too.",
            "VendorID IS NULL",
        ),
        _RowCheck(
            "dropoff-before-pickup",
            "Dropoff before pickup",
            "A clock was wrong, or changed during the trip.",
            f"{dropoff} < {pickup}",
        ),
        _RowCheck(
            "long-trips",
            f"Longer than {MOST_HOURS} hours",
            "The trip was probably not ended when it was over.",
            f"{dropoff} - {pickup} > INTERVAL {MOST_HOURS} HOUR",
        ),
        _RowCheck(
            "negative-amounts",
            "Negative amounts",
            "Fare or total below zero: a void or refund, also where its trip is not in the file.",
            "fare_amount < 0 OR total_amount < 0",
        ),
        _RowCheck(
            "absurd-amounts",
            f"Amounts beyond ${MOST_DOLLARS:,}",
            "Fare or total, in either direction.",
            f"abs(fare_amount) > {MOST_DOLLARS} OR abs(total_amount) > {MOST_DOLLARS}",
        ),
        _RowCheck(
            "negative-distance",
            "Negative distance",
            "A distance below zero.",
            "trip_distance < 0",
        ),
        _RowCheck(
            "absurd-distance",
            f"Farther than {MOST_MILES} miles",
            "They distort averages of distance and speed most.",
            f"trip_distance > {MOST_MILES}",
        ),
        _RowCheck(
            "no-distance",
            "No distance, but a fare",
            "Zero miles by the taximeter and a fare above zero.",
            "trip_distance = 0 AND fare_amount > 0",
        ),
        _RowCheck(
            "no-such-zone",
            "No such zone",
            f"A pickup or dropoff zone that is not 1 to {ZONES}, or none at all.",
            f"coalesce(PULocationID NOT BETWEEN 1 AND {ZONES}"
            f" OR DOLocationID NOT BETWEEN 1 AND {ZONES}, true)",
        ),
        _RowCheck(
            "unknown-zone",
            "Unknown zone",
            "Zone 264 (unknown) or 265 (outside of the city) at either end.",
            "PULocationID IN (264, 265) OR DOLocationID IN (264, 265)",
        ),
        _RowCheck(
            "unknown-codes",
            "Unknown codes",
            "A vendor, rate code, payment or trip type that the TLC's dictionary does not list, or "
            "a store_and_fwd_flag other than Y and N.",
            " OR ".join(known_codes),
        ),
        _RowCheck(
            "rounded",
            "Rounded amounts",
            "An amount with more than two decimals; rounded half away from zero.",
            "rounded",
        ),
    )
    needless = set() if known_codes else {"unknown-codes"}
    needless |= set() if has_amount(dataset) else {"rounded"}
    return tuple(
        check
        for check in checks
        if check.name not in needless and dataset.supports(check.predicate)
    )


def _timestamp_literal(month: Month) -> str:
    return f"TIMESTAMP '{datetime(month.year, month.month, 1)}'"


def _find_row_checks(connection: duckdb.DuckDBPyConnection, file: TripFile) -> Iterator[RowFinding]:
    checks = _make_checks(file.dataset, file.month)
    counts = ", ".join(f"count(*) FILTER ({check.predicate})" for check in checks)
    row = connection.execute(statement("duckdb/count_findings", counts=counts)).fetchone()
    assert row is not None  # an aggregate always returns a row
    columns = row_identifiers(file.dataset)["columns"]
    for check, count in zip(checks, row, strict=True):
        examples: tuple[dict[str, object], ...] = ()
        if count:
            select = statement("duckdb/select_finding", columns=columns, predicate=check.predicate)
            examples = fetch_dicts(connection, select, {"limit": EXAMPLES})
        yield RowFinding(check.name, check.title, check.meaning, count, "rows", examples)


def _find_shared_identities(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset
) -> Iterator[RowFinding]:
    """Yield the findings about rows that share their identity columns.

    Creates the temporary table `alike`, which holds all such rows.
    """
    columns = [column.name for column in dataset.columns]
    names = row_identifiers(dataset) | {
        "alike_columns": ", ".join(f"alike.{name}" for name in columns),
        "same_identity": " AND ".join(
            f"partner.{column.name} IS NOT DISTINCT FROM signed.{column.name}"
            for column in dataset.columns
            if column.identity
        ),
    }
    connection.execute(statement("duckdb/pair_voids", **names))
    if has_amount(dataset):
        voids = "partner_row IS NOT NULL AND amount > 0"
        yield RowFinding(
            "voids",
            "Voids with their trip",
            "Two rows of one trip: a charge and its reversal by the same amount. Both are loaded, "
            "so sums are right.",
            fetch_value(connection, f"SELECT count(*) FROM alike WHERE {voids}"),
            "pairs",
            fetch_dicts(
                connection, statement("duckdb/select_voids", **names), {"pairs": EXAMPLES // 2}
            ),
        )
    identity = ", ".join(column.name for column in dataset.columns if column.identity)
    kinds = (
        (
            "same-identity",
            "Other rows of one identity",
            f"{identity} equal those of another row, which it does not void. All are loaded; an "
            "ordinal tells them apart.",
            "partner_row IS NULL",
        ),
        (
            "copies",
            "Copies",
            "Every cell equals that of another row; the first of each is not counted. All are "
            "loaded.",
            "copy > 1",
        ),
    )
    for name, title, meaning, predicate in kinds:
        select = statement("duckdb/select_alike", **(names | {"predicate": predicate}))
        yield RowFinding(
            name,
            title,
            meaning,
            fetch_value(connection, f"SELECT count(*) FROM alike WHERE {predicate}"),
            "rows",
            fetch_dicts(connection, select, {"limit": EXAMPLES}),
        )
