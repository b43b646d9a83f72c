"""What is odd about the rows of a previewed file: counted, explained, with example rows.

None of it keeps a row from being loaded, but for rejects. docs/preview.md says what each means.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import duckdb

from pipeline.preview.rows import EXAMPLES, Extraction, fetch_dicts, fetch_value
from pipeline.sql import statement
from pipeline.trips import COLUMNS, MOST_MILES, Color, Month, TripFile
from pipeline.warehouse.local_columns import table_identifiers

Unit = Literal["rows", "pairs"]

# Beyond these a value is called absurd: the dearest fares out of the city stay below a thousand
# dollars, and a meter is not kept on for a day.
MOST_DOLLARS = 1000
MOST_HOURS = 24

# Zones are 1 to 265 (taxi_zone_lookup.csv), of which 264 is Unknown and 265 outside the city.
ZONES = 265

# What the TLC's data dictionaries of both colors list.
VENDORS = (1, 2, 6, 7)
RATE_CODES = (1, 2, 3, 4, 5, 6, 99)
PAYMENTS = (0, 1, 2, 3, 4, 5, 6)
TRIP_TYPES = (1, 2)


@dataclass(frozen=True)
class Finding:
    """One kind of oddity and how often it occurs.

    Attributes:
        name: A word for scripts, such as `strays`.
        title: What it is, for people.
        meaning: What it means, and what a load does about it.
        count: How many `unit` there are.
        examples: The first of them, by column name.
    """

    name: str
    title: str
    meaning: str
    count: int
    unit: Unit
    examples: tuple[dict[str, object], ...]


@dataclass(frozen=True)
class _Check:
    """A finding about single rows: those for which `predicate` holds."""

    name: str
    title: str
    meaning: str
    predicate: str


def find_oddities(
    connection: duckdb.DuckDBPyConnection, file: TripFile, extraction: Extraction
) -> tuple[Finding, ...]:
    """Return every kind of finding about the table `trips`; one that does not occur has count 0."""
    findings = [_find_rejects(extraction)]
    findings += _find_alike(connection, file.color)
    findings += _find_rows(connection, file)
    return tuple(findings)


def _find_rejects(extraction: Extraction) -> Finding:
    examples: tuple[dict[str, object], ...] = tuple(
        {"line": reject.line, "reason": reject.reason, "content": reject.content}
        for reject in extraction.rejects
    )
    meaning = (
        "A cell cannot be read as its column's type, or the line is broken. A load keeps such rows "
        "in the table rejects; too many of them fail the file."
    )
    return Finding("rejects", "Rejected", meaning, extraction.rejected, "rows", examples)


def _checks(color: Color, month: Month) -> tuple[_Check, ...]:
    pickup, dropoff = color.pickup, color.dropoff
    first, next_first = _moment(month), _moment(month.plus(1))
    codes = {"VendorID": VENDORS, "RatecodeID": RATE_CODES, "payment_type": PAYMENTS}
    if color == Color.GREEN:
        codes["trip_type"] = TRIP_TYPES
    unknown_codes = " OR ".join(f"{name} NOT IN {known}" for name, known in codes.items())
    return (
        _Check(
            "strays",
            "Pickup outside the month",
            "They belong to the file that brought them and are loaded with it.",
            f"{pickup} < {first} OR {pickup} >= {next_first}",
        ),
        _Check(
            "no-vendor",
            "Without a vendor",
            "Sent without VendorID; flag, rate code, passengers and payment are then empty too.",
            "VendorID IS NULL",
        ),
        _Check(
            "dropoff-before-pickup",
            "Dropoff before pickup",
            "The meter's clock was wrong, or changed during the trip.",
            f"{dropoff} < {pickup}",
        ),
        _Check(
            "long-trips",
            f"Longer than {MOST_HOURS} hours",
            "The meter was left running, most likely.",
            f"{dropoff} - {pickup} > INTERVAL {MOST_HOURS} HOUR",
        ),
        _Check(
            "negative-amounts",
            "Negative amounts",
            "Fare or total below zero: a void or refund, also where its trip is not in the file.",
            "fare_amount < 0 OR total_amount < 0",
        ),
        _Check(
            "absurd-amounts",
            f"Amounts beyond ${MOST_DOLLARS:,}",
            "Fare or total, in either direction.",
            f"abs(fare_amount) > {MOST_DOLLARS} OR abs(total_amount) > {MOST_DOLLARS}",
        ),
        _Check(
            "negative-distance",
            "Negative distance",
            "Less than no miles.",
            "trip_distance < 0",
        ),
        _Check(
            "absurd-distance",
            f"Farther than {MOST_MILES} miles",
            "Averages of distance and speed suffer from these most.",
            f"trip_distance > {MOST_MILES}",
        ),
        _Check(
            "no-distance",
            "No distance, but a fare",
            "Zero miles by the taximeter and a fare above zero.",
            "trip_distance = 0 AND fare_amount > 0",
        ),
        _Check(
            "no-such-zone",
            "No such zone",
            f"A pickup or dropoff zone that is not 1 to {ZONES}, or none at all.",
            f"coalesce(PULocationID NOT BETWEEN 1 AND {ZONES}"
            f" OR DOLocationID NOT BETWEEN 1 AND {ZONES}, true)",
        ),
        _Check(
            "unknown-zone",
            "Unknown zone",
            "Zone 264 (unknown) or 265 (outside of the city) at either end.",
            "PULocationID IN (264, 265) OR DOLocationID IN (264, 265)",
        ),
        _Check(
            "unknown-codes",
            "Unknown codes",
            "A vendor, rate code, payment or trip type that the TLC's dictionary does not list, or "
            "a store_and_fwd_flag other than Y and N.",
            f"{unknown_codes} OR store_and_fwd_flag NOT IN ('Y', 'N')",
        ),
        _Check(
            "rounded",
            "Rounded amounts",
            "An amount with more than two decimals; rounded half away from zero.",
            "rounded",
        ),
    )


def _moment(month: Month) -> str:
    return f"TIMESTAMP '{datetime(month.year, month.month, 1)}'"


def _find_rows(connection: duckdb.DuckDBPyConnection, file: TripFile) -> Iterator[Finding]:
    checks = _checks(file.color, file.month)
    counts = ", ".join(f"count(*) FILTER ({check.predicate})" for check in checks)
    row = connection.execute(statement("duckdb/count_findings", counts=counts)).fetchone()
    assert row is not None  # an aggregate always gives a row
    columns = table_identifiers(file.color)["columns"]
    for check, count in zip(checks, row, strict=True):
        examples: tuple[dict[str, object], ...] = ()
        if count:
            select = statement("duckdb/select_finding", columns=columns, predicate=check.predicate)
            examples = fetch_dicts(connection, select, {"limit": EXAMPLES})
        yield Finding(check.name, check.title, check.meaning, count, "rows", examples)


def _find_alike(connection: duckdb.DuckDBPyConnection, color: Color) -> Iterator[Finding]:
    """Yield what there is to say about rows of one identity; makes the temporary table `alike`."""
    columns = [column.name for column in COLUMNS[color]]
    names = table_identifiers(color) | {
        "alike_columns": ", ".join(f"alike.{name}" for name in columns),
        "same_identity": " AND ".join(
            f"partner.{column.name} IS NOT DISTINCT FROM signed.{column.name}"
            for column in COLUMNS[color]
            if column.identity
        ),
    }
    connection.execute(statement("duckdb/pair_voids", **names))
    voids = "partner_row IS NOT NULL AND total_amount > 0"
    yield Finding(
        "voids",
        "Voids with their trip",
        "Two rows of one trip, charged and taken back by the same amount. Both are loaded, so that "
        "sums come out right.",
        fetch_value(connection, f"SELECT count(*) FROM alike WHERE {voids}"),
        "pairs",
        fetch_dicts(
            connection, statement("duckdb/select_voids", **names), {"pairs": EXAMPLES // 2}
        ),
    )
    kinds = (
        (
            "same-identity",
            "Other rows of one identity",
            "Vendor, times and zones are those of another row, and it is no void of it. All are "
            "loaded, told apart by an ordinal.",
            "partner_row IS NULL",
        ),
        (
            "copies",
            "Copies",
            "Every cell is that of another row; counted without the first of each. Loaded too, as "
            "the file has them.",
            "copy > 1",
        ),
    )
    for name, title, meaning, predicate in kinds:
        select = statement("duckdb/select_alike", **(names | {"predicate": predicate}))
        yield Finding(
            name,
            title,
            meaning,
            fetch_value(connection, f"SELECT count(*) FROM alike WHERE {predicate}"),
            "rows",
            fetch_dicts(connection, select, {"limit": EXAMPLES}),
        )
