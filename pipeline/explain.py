"""What happens when a planned file is loaded: its inputs, variables, conditions and statements.

Nothing is loaded, written or asked of anybody. The statements come from the builders that the
loaders themselves use, so what is shown is what will be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.errors import NotPublished
from pipeline.plan import PlannedFile, Request
from pipeline.settings import Settings
from pipeline.sources import Format, Missing, Offer, Unknown
from pipeline.staging import StagedFile, recall, staged_path
from pipeline.trips import COLUMNS, Color, TripFile, match_columns
from pipeline.warehouse import LedgerEntry
from pipeline.warehouse.statements import Statement

LATER = "…"
"""Stands for what is known only once the file is here and read."""


@dataclass(frozen=True)
class Condition:
    """A branch of the load: what is asked, and what follows for this file."""

    question: str
    answer: str


@dataclass(frozen=True)
class Explanation:
    """What loading one file comes to.

    Attributes:
        inputs: What was asked for, by name.
        variables: What is rendered from it, by name.
        conditions: Which way the load takes, and why.
        statements: What will be sent to the warehouse, in order; values known later are LATER.
        note: What the statements take for granted; empty when nothing.
    """

    file: TripFile
    target: str
    inputs: Mapping[str, str]
    variables: Mapping[str, str]
    conditions: tuple[Condition, ...]
    statements: tuple[Statement, ...]
    note: str


def explain(planned: PlannedFile, request: Request, settings: Settings) -> Explanation:
    """Return what happens when this file of a plan is loaded.

    Raises NotPublished for a file the source does not have, UsageError where the settings name no
    usable Google Cloud warehouse.
    """
    staged, known = _expect(planned, settings)
    loaded = planned.loaded if planned.loaded and planned.loaded.rows else None
    variables = _variables(staged)
    if request.target == "gcp":
        statements, place = _explain_google(staged, request, loaded, settings)
        variables |= place
    else:
        statements = _explain_local(staged, request, loaded)
        variables |= {"table": staged.file.color.table, "warehouse": str(settings.warehouse_path)}
    return Explanation(
        staged.file,
        request.target,
        _inputs(staged.file, request),
        variables,
        _conditions(planned, staged, loaded),
        tuple(statements),
        _note(staged, request.target, known=known),
    )


def as_text(statement: Statement) -> str:
    """Return a statement as people read it: the values bound to it, as comments, then its SQL."""
    used = {name: value for name, value in statement.values.items() if name in statement.sql}
    lines = [f"-- {name} = {value}" for name, value in used.items()]
    return "\n".join([*lines, statement.sql.rstrip()])


def _expect(planned: PlannedFile, settings: Settings) -> tuple[StagedFile, bool]:
    """Return the file as it is staged or will be, and whether its columns are known."""
    probe = planned.probe
    if isinstance(probe, Missing):
        raise NotPublished(
            f"{planned.file} is not published: {probe.reason}.",
            cure="Pick another month, or another source.",
        )
    offers = probe.offers if isinstance(probe, Unknown) else (probe,)
    for offer in offers:
        path = staged_path(planned.file, offer.format, settings)
        here = recall(path, offer.format)
        if here is not None and here[0].address == offer.address:
            return here[0], True
    offer = offers[0]
    header, known = _find_header(offer)
    path = staged_path(planned.file, offer.format, settings)
    return StagedFile(
        file=planned.file,
        path=path,
        format=offer.format,
        address=offer.address,
        etag=offer.etag,
        bytes=offer.bytes or 0,
        sha256="",
        header=header,
        data_lines=0,
        carriage_returns=False,
    ), known


def _find_header(offer: Offer) -> tuple[tuple[str, ...], bool]:
    """Return the columns of a file that is not staged yet, and whether they are known."""
    from pipeline.preview.columns import read_columns
    from pipeline.sources import SAMPLE_SCHEME

    if not offer.address.startswith(("http://", "https://", SAMPLE_SCHEME)):
        columns = read_columns(Path(offer.address), offer.format)
        if columns:
            return tuple(name for name, _ in columns), True
    usual = tuple(column.name for column in COLUMNS[offer.file.color] if not column.fee)
    return usual, offer.address.startswith(SAMPLE_SCHEME)


def _inputs(file: TripFile, request: Request) -> dict[str, str]:
    return {
        "color": file.color.value,
        "month": str(file.month),
        "source": request.source,
        "policy": request.policy.value,
        "force": "yes" if request.force else "no",
        "target": request.target,
    }


def _variables(staged: StagedFile) -> dict[str, str]:
    file = staged.file
    return {
        "file": f"{file.stem}.{staged.format}",
        "url": staged.address,
        "staged": str(staged.path),
        "filename": file.filename,
        "pickup": file.color.pickup,
        "dropoff": file.color.dropoff,
    }


def _conditions(
    planned: PlannedFile, staged: StagedFile, loaded: LedgerEntry | None
) -> tuple[Condition, ...]:
    color = staged.file.color
    other = next(c for c in Color if c != color)
    theirs = {column.name for column in COLUMNS[other]}
    own = ", ".join(column.name for column in COLUMNS[color] if column.name not in theirs)
    lacking = [
        column.name
        for column in COLUMNS[color]
        if column.name not in match_columns(color, staged.header)
    ]
    null = f"; NULL, because the file lacks them: {', '.join(lacking)}" if lacking else ""
    return (
        Condition(
            "Does the plan run it?",
            f"{'Yes' if planned.runs else 'No, and what follows would only happen with --force'}: "
            f"{planned.reason}.",
        ),
        Condition(
            "Yellow or green?",
            f"{color}: the table {color.table} and its {len(COLUMNS[color])} columns; only "
            f"{color} has {own}{null}.",
        ),
        Condition("Which format?", _FORMATS[staged.format]),
        Condition(
            "Are its very bytes loaded already?",
            "That shows once it is here: if so, nothing below is sent."
            if loaded is not None
            else "No, nothing of it is loaded.",
        ),
        Condition(
            "Does the table hold rows of this file?",
            f"Yes, {loaded.rows:,}: compare, then merge what was inserted, updated or deleted."
            if loaded is not None
            else "No: a plain insert, with nothing to compare.",
        ),
    )


_FORMATS: dict[Format, str] = {
    "csv": "csv: read as text, each cell cast to its column's type.",
    "csv.gz": "csv.gz: unpacked, then read as text, each cell cast to its column's type.",
    "parquet": "parquet: its typed columns are cast to ours, matched by name without case.",
}


def _note(staged: StagedFile, target: str, *, known: bool) -> str:
    parts = []
    if not known:
        parts.append(
            "The file is not here yet, so its columns are taken to be those usually published; a "
            "file with others gets a statement with others."
        )
    if target == "gcp":
        parts.append(
            "Its pickups are taken to lie in its month: months of strays are added to the "
            "condition. The tables named load_… are this load's own, under a name that no other "
            "load has."
        )
    elif staged.format == "csv.gz":
        parts.append("The path may be that of its unpacked copy, which reads faster.")
    parts.append("Rows that cannot be cast add statements that keep them in the table rejects.")
    return " ".join(parts)


def _entry(staged: StagedFile, request: Request, inserted: int | None = None) -> LedgerEntry:
    return LedgerEntry(
        file=staged.file,
        state="loaded",
        run_id="",
        source=request.source,
        finished_at=datetime.min,
        seconds=0.0,
        address=staged.address,
        format=staged.format,
        inserted=inserted,
    )


# What of a load is known before the file is here; everything else is LATER.
_KNOWN = frozenset(
    [
        "filename",
        "file_month",
        "color",
        "month",
        "state",
        "source",
        "address",
        "format",
        "reason",
        "loader_version",
        "path",
        "strict",
        "quote",
        "first_day",
        "next_month",
    ]
)


def _mask(statement: Statement) -> Statement:
    values = {name: v if name in _KNOWN else LATER for name, v in statement.values.items()}
    return Statement(statement.step, statement.name, statement.sql, values)


def _explain_local(
    staged: StagedFile, request: Request, loaded: LedgerEntry | None
) -> list[Statement]:
    from pipeline.warehouse.local_statements import LocalStatements

    whole = LocalStatements(staged).whole_load(_entry(staged, request), loaded=loaded is not None)
    return [_mask(statement) for statement in whole]


def _explain_google(
    staged: StagedFile, request: Request, loaded: LedgerEntry | None, settings: Settings
) -> tuple[list[Statement], dict[str, str]]:
    from pipeline.warehouse.google_ledger import Base
    from pipeline.warehouse.google_place import read_place
    from pipeline.warehouse.google_stage import object_address
    from pipeline.warehouse.google_statements import GoogleStatements

    place = read_place(settings)
    month = staged.file.month
    base = Base() if loaded is None else Base(entry=0, rejected=loaded.rejected or 0)
    statements = GoogleStatements(place, staged, LATER)
    # At least one row is taken to change: a load that changes none leaves the merge out.
    entry = _entry(staged, request, inserted=1)
    whole = statements.whole_load(entry, base, [month.number])
    return [_mask(statement) for statement in whole], {
        "gs_uri": object_address(place, staged),
        "table": f"{place.project}.{place.dataset}.{staged.file.color.table}",
        "incoming": f"{place.project}.{place.dataset}.{statements.own['incoming']}",
    }
