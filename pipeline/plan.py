"""Which files a backfill will run, and why each other one will not. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pipeline.errors import UsageError
from pipeline.sources import Missing, Offer, Probe, Unknown
from pipeline.trips import Selection, TripFile
from pipeline.warehouse import LOADER_VERSION, FileRecord, LedgerEntry


class Policy(StrEnum):
    """Which files of a selection a backfill takes."""

    MISSING = "missing"
    MISSING_AND_FAILED = "missing-and-failed"
    ALL = "all"

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Return the policy of this name; raise UsageError for any other word."""
        try:
            return cls(text)
        except ValueError:
            raise UsageError(
                f"There is no policy {text!r}.", cure=f"Use one of {', '.join(cls)}."
            ) from None

    @property
    def meaning(self) -> str:
        """One sentence for people."""
        return {
            Policy.MISSING: "Files that were never loaded.",
            Policy.MISSING_AND_FAILED: "Files that were never loaded, failed, or are stale: "
            "the source changed since the load.",
            Policy.ALL: "Every file: each is checked against its source and loaded if it changed.",
        }[self]


class FileState(StrEnum):
    """What is known of a trip file."""

    MISSING = "missing"
    QUEUED = "queued"
    RUNNING = "running"
    LOADED = "loaded"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    STALE = "stale"


@dataclass(frozen=True)
class Request:
    """One backfill as it was asked for.

    `source` is a word (github, tlc, sample), a folder or a URL; `force` loads files even when
    nothing changed. `only`, when given, narrows the selection to these files (a resumed run).
    """

    selection: Selection
    source: str = "github"
    policy: Policy = Policy.MISSING_AND_FAILED
    force: bool = False
    target: str = "local"
    only: frozenset[TripFile] | None = None

    def files(self) -> tuple[TripFile, ...]:
        """Return the trip files asked for, in the order they run."""
        files = self.selection.files()
        return files if self.only is None else tuple(file for file in files if file in self.only)


@dataclass(frozen=True)
class PlannedFile:
    """One file of a plan: whether it runs, why, its state before, and its published size.

    `loaded` is the ledger's entry of the rows that are in the table now, or None.
    """

    file: TripFile
    runs: bool
    reason: str
    state: FileState
    bytes: int | None
    probe: Probe
    loaded: LedgerEntry | None = None

    @property
    def outcome(self) -> Literal["skipped", "unavailable"] | None:
        """How a file that the plan leaves alone counts in the run; None when it runs."""
        if self.runs:
            return None
        return "unavailable" if isinstance(self.probe, Missing) else "skipped"


@dataclass(frozen=True)
class Plan:
    """What a backfill will do, file by file, in order."""

    request: Request
    source_label: str
    files: tuple[PlannedFile, ...]

    @property
    def to_run(self) -> tuple[PlannedFile, ...]:
        """The files that will run."""
        return tuple(planned for planned in self.files if planned.runs)

    @property
    def bytes(self) -> int | None:
        """Bytes to fetch in all, or None when no size is known."""
        known = [planned.bytes for planned in self.to_run if planned.bytes is not None]
        return sum(known) if known else None


def make_plan(
    request: Request,
    source_label: str,
    probes: Mapping[TripFile, Probe],
    records: Mapping[TripFile, FileRecord],
) -> Plan:
    """Decide file by file from what was asked, what the source has and what the ledger knows.

    Args:
        source_label: The source's name for people.
        probes: What the source said of each file of the request.
        records: What the ledger knows, by file.
    """
    files = tuple(
        _plan_file(request, file, probes[file], records.get(file)) for file in request.files()
    )
    return Plan(request, source_label, files)


def find_state(
    record: FileRecord | None, probe: Probe | None = None, source: str | None = None
) -> FileState:
    """Return a file's state from the ledger and, where its source was asked, from its answer.

    `source` is the one that answered: only the source a file was loaded from can make it stale.
    """
    if record is None or record.latest.state == "unavailable":
        gone = isinstance(probe, Missing) or (probe is None and record is not None)
        if record is not None and record.loaded is not None:
            return FileState.LOADED
        return FileState.UNAVAILABLE if gone else FileState.MISSING
    if record.latest.state == "failed":
        return FileState.FAILED
    loaded = record.latest
    if isinstance(probe, Offer) and loaded.source == source and _differs(probe, loaded):
        return FileState.STALE
    return FileState.LOADED


def _differs(offer: Offer, loaded: LedgerEntry) -> bool:
    known = offer.etag is not None and loaded.etag is not None
    return offer.address != loaded.address or (known and offer.etag != loaded.etag)


def _unchanged(probe: Probe, loaded: LedgerEntry, source: str) -> bool:
    return (
        isinstance(probe, Offer)
        and loaded.source == source
        and probe.address == loaded.address
        and probe.etag is not None
        and probe.etag == loaded.etag
        and loaded.loader_version == LOADER_VERSION
    )


def _plan_file(
    request: Request, file: TripFile, probe: Probe, record: FileRecord | None
) -> PlannedFile:
    state = find_state(record, probe, request.source)
    runs, reason = _decide(request, state, probe, record)
    if runs and isinstance(probe, Unknown):
        reason = f"{reason}; {probe.reason}"
    size = probe.bytes if isinstance(probe, Offer) else None
    loaded = record.loaded if record else None
    return PlannedFile(file, runs, reason, state, size, probe, loaded)


def _decide(
    request: Request, state: FileState, probe: Probe, record: FileRecord | None
) -> tuple[bool, str]:
    policy = request.policy
    if isinstance(probe, Missing):
        kept = "; the rows loaded earlier stay" if record and record.loaded else ""
        return False, f"{probe.reason}{kept}"
    if request.force:
        return True, "forced"
    if record is None or state in (FileState.MISSING, FileState.UNAVAILABLE):
        return True, "not loaded yet"
    if state == FileState.FAILED:
        if policy == Policy.MISSING:
            return False, "failed before; the policy missing-and-failed tries again"
        return True, f"failed before: {record.latest.reason}"
    if state == FileState.STALE:
        if policy == Policy.MISSING:
            return False, "stale; the policy missing-and-failed loads it again"
        return True, "stale: the source changed since the load"
    loaded = record.loaded
    assert loaded is not None  # the state is LOADED
    when = f"loaded {loaded.finished_at:%Y-%m-%d %H:%M} UTC from {loaded.source}"
    if policy != Policy.ALL:
        return False, when
    if _unchanged(probe, loaded, request.source):
        return False, f"unchanged since it was {when}"
    return True, f"{when}; checked for changes"
