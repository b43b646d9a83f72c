"""Decide which files of a request a backfill runs, and why it skips the others.

The module does no I/O: callers pass in the source's probes and the ledger's records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pipeline.core.trips import Selection, TripFile
from pipeline.files.offers import PUBLIC, SAMPLE, Missing, Offer, Probe, Unknown
from pipeline.files.staging import size_in_words
from pipeline.runs.policy import Policy
from pipeline.runs.unpublished import describe_unpublished
from pipeline.warehouse.cost import FileSize
from pipeline.warehouse.ledger import FileRecord, LedgerEntry
from pipeline.warehouse.registry import DEFAULT_TARGET


class FileState(StrEnum):
    """The state of a trip file in a warehouse; docs/words.md defines each."""

    MISSING = "missing"
    QUEUED = "queued"
    RUNNING = "running"
    LOADED = "loaded"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    STALE = "stale"


@dataclass(frozen=True)
class Request:
    """The parameters of one backfill.

    Attributes:
        source: A name (github, tlc, sample), the path of a folder, or a URL.
        force: Load files even when their bytes did not change.
        target: The warehouse's name.
        only: Restrict the selection to these files, as a resumed run does; None for all.
    """

    selection: Selection
    source: str = "github"
    policy: Policy = Policy.MISSING_AND_FAILED
    force: bool = False
    target: str = DEFAULT_TARGET
    only: frozenset[TripFile] | None = None

    def files(self) -> tuple[TripFile, ...]:
        """Return the requested trip files in the order in which they run."""
        files = self.selection.files()
        return files if self.only is None else tuple(file for file in files if file in self.only)


@dataclass(frozen=True)
class PlannedFile:
    """One file of a plan.

    Attributes:
        runs: Whether the backfill loads the file; `reason` says why or why not.
        state: The file's state before the run.
        bytes: The published size; None when the source does not say.
        probe: The source's reply about the file.
        loaded: The ledger entry of the file's rows in the table; None when it has none.
        source: The source that the request names.
    """

    file: TripFile
    runs: bool
    reason: str
    state: FileState
    bytes: int | None
    probe: Probe
    loaded: LedgerEntry | None = None
    source: str = ""

    @property
    def unpacked_bytes(self) -> int | None:
        """The size without compression, if the same number of bytes was loaded before."""
        same = self.loaded is not None and self.bytes in (None, self.loaded.bytes)
        return self.loaded.unpacked_bytes if self.loaded and same else None

    @property
    def replaces_sample(self) -> bool:
        """Whether real trips replace synthetic ones of the built-in sample."""
        return self.runs and _is_replaced_sample(self.loaded, self.source)

    @property
    def replaces_real(self) -> bool:
        """Whether synthetic trips of the built-in sample replace real ones."""
        loaded = self.loaded
        return (
            self.runs and self.source == SAMPLE and loaded is not None and not loaded.is_synthetic
        )

    @property
    def outcome(self) -> Literal["skipped", "unavailable"] | None:
        """The final state of a file that the plan does not run; None for a file that runs."""
        if self.runs:
            return None
        return "unavailable" if isinstance(self.probe, Missing) else "skipped"


@dataclass(frozen=True)
class Plan:
    """The decision for each file of a request, in the order in which the files run."""

    request: Request
    source_label: str
    files: tuple[PlannedFile, ...]

    @property
    def to_run(self) -> tuple[PlannedFile, ...]:
        """The files that will run."""
        return tuple(planned for planned in self.files if planned.runs)

    @property
    def is_loaded(self) -> bool:
        """Whether every file of the plan is loaded, from a source like this, and none will run."""
        loaded = all(p.state == FileState.LOADED for p in self.files)
        return loaded and not self.to_run and not self.protected_real

    @property
    def absent(self) -> tuple[PlannedFile, ...]:
        """The files that the source does not have."""
        return tuple(p for p in self.files if p.outcome == "unavailable")

    def summary(self, duration: str = "") -> str:
        """Return for people what will be loaded and replaced, and what the source does not have.

        Args:
            duration: How long it will take, such as `40 s`; "" where that is not known.
        """
        if self.is_loaded:
            return "The file is loaded." if len(self.files) == 1 else self._all_loaded()
        sentences = [self._files_to_load(duration) if self.to_run else self._nothing_to_load()]
        real, sample = self.replaced_real, sum(p.replaces_sample for p in self.files)
        if replaced := real or sample:
            kind = "real" if real else "sample"
            months = "month" if replaced == 1 else "months"
            sentences.append(f"Replaces {replaced:,} {kind} {months}.")
        if self.absent and len(self.absent) < len(self.files):
            sentences.append(self.absent_in_words())
        return " ".join(sentences)

    @property
    def replaced_real(self) -> int:
        """The number of files whose real trips the built-in sample replaces."""
        return sum(planned.replaces_real for planned in self.files)

    @property
    def protected_real(self) -> int:
        """The number of files whose real trips the built-in sample does not replace."""
        return sum(
            p.source == SAMPLE and p.loaded is not None and not p.loaded.is_synthetic
            for p in self.files
            if not p.runs
        )

    def _all_loaded(self) -> str:
        return f"All {len(self.files):,} files are loaded."

    def _files_to_load(self, duration: str) -> str:
        count, total = len(self.to_run), len(self.files)
        number = f"{count:,}" if count == total else f"{count:,} of {total:,}"
        parts = [
            f"{number} {'file' if total == 1 else 'files'} to load",
            size_in_words(self.bytes) if self.bytes is not None else "",
            f"about {duration}" if duration else "",
            f"from {self.source_label}",
        ]
        return f"{', '.join(filter(None, parts))}."

    def _nothing_to_load(self) -> str:
        """Return why no file is loaded: the reason of most of them."""
        if len(self.absent) == len(self.files):
            return f"Nothing to load: {self.absent_in_words()}"
        states = [
            f"{count:,} {'file is' if count == 1 else 'files are'} {state}"
            for state in (FileState.LOADED, FileState.STALE)
            if (count := sum(p.state == state for p in self.files if p not in self.absent))
        ]
        if real := self.protected_real:
            months = "month are" if real == 1 else "months are"
            states = [
                f"real trips of {real:,} {months} loaded; the sample replaces them only with "
                "“Load even if unchanged” (--force)"
            ]
        failed = sum(p.state == FileState.FAILED for p in self.files if p not in self.absent)
        states += [f"{failed:,} failed before"] if failed else []
        return f"Nothing to load: {', '.join(states)}."

    def absent_in_words(self) -> str:
        """Return one sentence with the months that the source does not have; "" for none."""
        return describe_unpublished(
            [planned.file for planned in self.absent],
            [planned.file for planned in self.files if planned.outcome != "unavailable"],
            self.request.source,
            self.source_label,
        )

    @property
    def sizes(self) -> tuple[FileSize, ...]:
        """The files that will run, as an estimate of their cost needs them."""
        return tuple(
            FileSize(planned.file, planned.bytes, getattr(planned.probe, "format", ""))
            for planned in self.to_run
        )

    @property
    def bytes(self) -> int | None:
        """The sum of the known sizes of files to run; None when no size is known."""
        sizes = [planned.bytes for planned in self.to_run if planned.bytes is not None]
        return sum(sizes) if sizes else None


def make_plan(
    request: Request,
    source_label: str,
    probes: Mapping[TripFile, Probe],
    records: Mapping[TripFile, FileRecord],
) -> Plan:
    """Return the plan of a request.

    Args:
        source_label: The source's name as pages show it.
        probes: The source's reply about each file of the request.
        records: The ledger's records; files that it does not know are absent.
    """
    files = tuple(
        _plan_file(request, file, probes[file], records.get(file)) for file in request.files()
    )
    return Plan(request, source_label, files)


def find_state(
    record: FileRecord | None, probe: Probe | None = None, source: str | None = None
) -> FileState:
    """Return a file's state from its ledger record and the source's reply.

    Args:
        record: The ledger's record; None when the ledger does not know the file.
        probe: The source's reply; None when the source was not probed.
        source: The source that replied. A file is stale only when it was loaded from the same
            source: another source has other ETags for the same month.
    """
    if record is None or record.latest.state == "unavailable":
        is_unavailable = isinstance(probe, Missing) or (probe is None and record is not None)
        if record is not None and record.loaded is not None:
            return FileState.LOADED
        return FileState.UNAVAILABLE if is_unavailable else FileState.MISSING
    if record.latest.state == "failed":
        return FileState.FAILED
    loaded = record.latest
    if isinstance(probe, Offer) and loaded.source == source and _is_changed(probe, loaded):
        return FileState.STALE
    return FileState.LOADED


def _is_changed(offer: Offer, loaded: LedgerEntry) -> bool:
    has_etags = offer.etag is not None and loaded.etag is not None
    return offer.address != loaded.address or (has_etags and offer.etag != loaded.etag)


def _is_unchanged(probe: Probe, loaded: LedgerEntry, source: str) -> bool:
    return (
        isinstance(probe, Offer)
        and loaded.source == source
        and probe.address == loaded.address
        and probe.etag is not None
        and probe.etag == loaded.etag
        and loaded.is_current
    )


def _is_replaced_sample(loaded: LedgerEntry | None, source: str) -> bool:
    return loaded is not None and loaded.is_synthetic and source != SAMPLE


def _plan_file(
    request: Request, file: TripFile, probe: Probe, record: FileRecord | None
) -> PlannedFile:
    state = find_state(record, probe, request.source)
    runs, reason = _decide(request, state, probe, record)
    if runs and isinstance(probe, Unknown):
        reason = f"{reason}; {probe.reason}"
    if isinstance(probe, Offer) and probe.note:
        reason = f"{reason}; {probe.note}"
    size = probe.bytes if isinstance(probe, Offer) else None
    loaded = record.loaded if record else None
    return PlannedFile(file, runs, reason, state, size, probe, loaded, request.source)


def _decide(
    request: Request, state: FileState, probe: Probe, record: FileRecord | None
) -> tuple[bool, str]:
    policy = request.policy
    if isinstance(probe, Missing):
        suffix = "; the rows loaded earlier stay" if record and record.loaded else ""
        return False, f"{probe.reason}{suffix}"
    if request.force:
        return True, "forced"
    if request.source == SAMPLE and record and record.loaded and not record.loaded.is_synthetic:
        return False, f"real trips are loaded from {record.loaded.source}; the sample stays out"
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
    assert loaded is not None  # because the state is LOADED
    if _is_replaced_sample(loaded, request.source):
        return True, "replaces synthetic trips of the sample"
    description = f"loaded {loaded.finished_at:%Y-%m-%d %H:%M} UTC from {loaded.source}"
    asks_for_own_files = request.source not in (*PUBLIC, SAMPLE, loaded.source)
    if policy == Policy.MISSING or not (policy == Policy.ALL or asks_for_own_files):
        return False, description
    if _is_unchanged(probe, loaded, request.source):
        return False, f"unchanged since it was {description}"
    return True, f"{description}; checked for changes"
