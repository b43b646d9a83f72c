"""Explain the load of a planned file: its inputs, variables, branches and statements.

Nothing is loaded, written or requested. The statements come from the builders that the loaders use,
so they are those that a load sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.core.cancel import Cancel
from pipeline.core.column_names import match_columns
from pipeline.core.datasets import DATASETS, either_of
from pipeline.core.errors import NotPublished
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import TripFile
from pipeline.files.header import InvalidFile
from pipeline.files.offers import SAMPLE_SCHEME, Format, Missing, Offer, Unknown
from pipeline.files.prepare import tell_content
from pipeline.files.staging import StagedFile, find_staged_from, staged_path
from pipeline.runs.plan import PlannedFile, Request
from pipeline.warehouse.ledger import LedgerEntry
from pipeline.warehouse.registry import find_backend
from pipeline.warehouse.statements import LATER, Statement


@dataclass(frozen=True)
class Condition:
    """A branch of the load: its condition as a question, and which way this file takes."""

    question: str
    answer: str


@dataclass(frozen=True)
class Explanation:
    """How one file would be loaded.

    Attributes:
        inputs: The request, by name.
        variables: Addresses, paths and names that follow from it, by name.
        conditions: The branches of the load.
        statements: What the load sends to the warehouse, in order. Values that are known only once
            the file is here are LATER.
        note: What the statements assume; "" for nothing.
    """

    file: TripFile
    target: str
    inputs: Mapping[str, str]
    variables: Mapping[str, str]
    conditions: tuple[Condition, ...]
    statements: tuple[Statement, ...]
    note: str


def explain(planned: PlannedFile, request: Request, settings: Settings) -> Explanation:
    """Return how this file of a plan would be loaded.

    Raises NotPublished for a file that the source does not have, and UsageError for settings that
    name no warehouse of the target.
    """
    staged, known = _expect(planned, settings)
    loaded = planned.loaded if planned.loaded and planned.loaded.rows else None
    backend = find_backend(request.target)
    load = backend.explain_load(staged, _entry(staged, request), loaded, settings)
    return Explanation(
        staged.file,
        request.target,
        _inputs(staged.file, request),
        _variables(staged) | dict(load.variables),
        _conditions(planned, staged, loaded),
        tuple(_mask(statement) for statement in load.statements),
        _note(load.note, known=known),
    )


def as_text(statement: Statement) -> str:
    """Return a statement as text: the values bound to it as comments, then its SQL."""
    used = {name: value for name, value in statement.values.items() if name in statement.sql}
    lines = [f"-- {name} = {value}" for name, value in used.items()]
    return "\n".join([*lines, statement.sql.rstrip()])


def _expect(planned: PlannedFile, settings: Settings) -> tuple[StagedFile, bool]:
    """Return the file as it is or will be staged, and whether its columns are known."""
    probe = planned.probe
    if isinstance(probe, Missing):
        raise NotPublished(
            f"{planned.file} is not published: {probe.reason}.",
            cure="Choose another month or source.",
        )
    offers = probe.offers if isinstance(probe, Unknown) else (probe,)
    for offer in offers:
        staged = find_staged_from(offer.address, planned.file, settings)
        if staged is not None:
            return staged, True
    offer = offers[0]
    header, format = _find_header(offer)
    usual = tuple(column.name for column in offer.file.dataset.columns if not column.fee)
    return StagedFile(
        file=planned.file,
        path=staged_path(planned.file, format, settings),
        format=format,
        address=offer.address,
        etag=offer.etag,
        bytes=offer.bytes or 0,
        sha256="",
        header=header or usual,
        data_lines=0,
        carriage_returns=False,
    ), bool(header) or offer.address.startswith(SAMPLE_SCHEME)


def _find_header(offer: Offer) -> tuple[tuple[str, ...], Format]:
    """Return the columns of a file that is not staged yet, () if unknown, and its format.

    Only a file on this machine is looked into; the format of others is that of their name.
    """
    from pipeline.preview.columns import read_columns

    if offer.address.startswith(("http://", "https://", SAMPLE_SCHEME)):
        return (), offer.format
    path = Path(offer.address)
    try:
        content = tell_content(path, offer.file.dataset, Cancel())
    except (InvalidFile, OSError):
        return (), offer.format
    if content.format is not None and content.form.is_plain:
        return tuple(name for name, _ in read_columns(path, content.format)), content.format
    return (), "csv.gz"  # to which it will be rewritten


def _inputs(file: TripFile, request: Request) -> dict[str, str]:
    return {
        "color": file.dataset.name,
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
        "pickup": file.dataset.pickup,
        "dropoff": file.dataset.dropoff,
    }


def _conditions(
    planned: PlannedFile, staged: StagedFile, loaded: LedgerEntry | None
) -> tuple[Condition, ...]:
    dataset = staged.file.dataset
    others = [other for other in DATASETS.values() if other != dataset]
    own = ", ".join(
        column.name
        for column in dataset.columns
        if not any(other.has(column.name) for other in others)
    )
    lacking = [
        column.name
        for column in dataset.columns
        if column.name not in match_columns(dataset, staged.header)
    ]
    null = f"; NULL, because the file lacks them: {', '.join(lacking)}" if lacking else ""
    return (
        Condition(
            "Does the plan run it?",
            f"{'Yes' if planned.runs else 'No, the steps below only run with --force'}: "
            f"{planned.reason}.",
        ),
        Condition(
            f"{either_of(DATASETS).capitalize()}?",
            f"{dataset}: the table {dataset.table} and its {len(dataset.columns)} columns; only "
            f"{dataset} has {own}{null}.",
        ),
        Condition("Which format?", _FORMATS[staged.format]),
        Condition(
            "Are the same bytes already loaded?",
            "Known after the download: if so, no statement below is sent."
            if loaded is not None
            else "No, the file is not loaded.",
        ),
        Condition(
            "Does the table hold rows of this file?",
            f"Yes, {loaded.rows:,}: compare, then merge what was inserted, updated or deleted."
            if loaded is not None
            else "No: a plain insert, with nothing to compare.",
        ),
    )


_FORMATS: dict[Format, str] = {
    "csv": "csv: each cell is read by its column's type.",
    "csv.gz": "csv.gz: unpacked, then each cell is read by its column's type.",
    "parquet": "parquet: its typed columns are cast to ours, matched by name without case.",
}


def _note(assumptions: str, *, known: bool) -> str:
    unknown_columns = (
        "The file is not downloaded yet, so the statements assume the usual published columns; a "
        "file with other columns changes them."
    )
    rejects = (
        "If a cast cannot read every cell, further statements read the cells by the grammar of "
        "docs/loading.md and store unreadable rows in the table rejects."
    )
    return " ".join(filter(None, ("" if known else unknown_columns, assumptions, rejects)))


def _entry(staged: StagedFile, request: Request) -> LedgerEntry:
    return LedgerEntry(
        file=staged.file,
        state="loaded",
        run_id="",
        source=request.source,
        finished_at=datetime.min,
        seconds=0.0,
        address=staged.address,
        format=staged.format,
    )


# Values that are known before the file is here.
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
        "first_day",
        "next_month",
    ]
)


def _mask(statement: Statement) -> Statement:
    """Replace values that are not known yet by LATER."""
    values = {name: v if name in _KNOWN else LATER for name, v in statement.values.items()}
    return Statement(statement.step, statement.name, statement.sql, values)
