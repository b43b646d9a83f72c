"""Which files a backfill takes: colors x months x policy x ledger x source."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.plan import FileState, Plan, Policy, Request, find_state, make_plan
from pipeline.sources import Missing, Offer, Probe, Unknown
from pipeline.trips import Color, Month, Selection, TripFile
from pipeline.warehouse import FileRecord, LedgerEntry

FILE = TripFile(Color.GREEN, Month(2020, 4))
OFFER = Offer(FILE, "folder/green_tripdata_2020-04.csv.gz", "csv.gz", 100, "etag-1")
LOADED = LedgerEntry(
    file=FILE,
    state="loaded",
    run_id="earlier",
    source="folder",
    finished_at=datetime(2026, 1, 2, 3, 4),
    seconds=1.0,
    address=OFFER.address,
    etag="etag-1",
    rows=5,
)
FAILED = replace(LOADED, state="failed", reason="truncated", rows=None)
UNAVAILABLE = replace(LOADED, state="unavailable", rows=None)
CHANGED = replace(OFFER, etag="etag-2")
GONE = Missing(FILE, "no such month")
DOWN = Unknown(FILE, "unreachable", (OFFER,))


def record(*entries: LedgerEntry) -> FileRecord:
    loaded = [entry for entry in entries if entry.state == "loaded"]
    return FileRecord(latest=entries[-1], loaded=loaded[-1] if loaded else None)


def plan(
    probe: Probe,
    known: FileRecord | None,
    policy: Policy,
    force: bool = False,
    source: str = "folder",
) -> Plan:
    selection = Selection((Color.GREEN,), FILE.month, FILE.month)
    asked = Request(selection, source=source, policy=policy, force=force)
    return make_plan(asked, "A folder", {FILE: probe}, {FILE: known} if known else {})


M, MF, ALL = Policy.MISSING, Policy.MISSING_AND_FAILED, Policy.ALL
CASES = [
    # what the source says, what the ledger says, the file's state, the policies that take it
    (OFFER, None, "missing", {M, MF, ALL}),
    (DOWN, None, "missing", {M, MF, ALL}),
    (GONE, None, "unavailable", set()),
    (OFFER, record(UNAVAILABLE), "missing", {M, MF, ALL}),
    (OFFER, record(FAILED), "failed", {MF, ALL}),
    (GONE, record(FAILED), "failed", set()),
    (OFFER, record(LOADED), "loaded", set()),
    (DOWN, record(LOADED), "loaded", {ALL}),
    (replace(OFFER, etag=None), record(LOADED), "loaded", {ALL}),
    (CHANGED, record(LOADED), "stale", {MF, ALL}),
    (
        replace(OFFER, address="folder/green_tripdata_2020-04.parquet"),
        record(LOADED),
        "stale",
        {MF, ALL},
    ),
    (OFFER, record(LOADED, FAILED), "failed", {MF, ALL}),
    (GONE, record(LOADED), "loaded", set()),
    (OFFER, record(replace(LOADED, loader_version=0)), "loaded", {ALL}),
]


@pytest.mark.parametrize(("probe", "known", "state", "takers"), CASES)
@pytest.mark.parametrize("policy", list(Policy))
def test_the_plan_takes_exactly_what_the_policy_says(
    probe: Probe, known: FileRecord | None, state: str, takers: set[Policy], policy: Policy
) -> None:
    (planned,) = plan(probe, known, policy).files
    assert planned.state == state
    assert planned.runs == (policy in takers)
    assert planned.reason


@pytest.mark.parametrize("known", [None, record(LOADED), record(FAILED), record(LOADED, FAILED)])
def test_force_takes_every_file_the_source_has(known: FileRecord | None) -> None:
    assert plan(OFFER, known, Policy.MISSING, force=True).to_run
    assert not plan(GONE, known, Policy.MISSING, force=True).to_run


def test_a_file_loaded_from_another_source_is_not_stale_but_all_replaces_it() -> None:
    (planned,) = plan(CHANGED, record(LOADED), MF, source="tlc").files
    assert (planned.state, planned.runs) == (FileState.LOADED, False)
    assert plan(CHANGED, record(LOADED), ALL, source="tlc").to_run


def test_the_reason_says_when_and_from_where_a_file_was_loaded() -> None:
    (planned,) = plan(OFFER, record(LOADED), MF).files
    assert planned.reason == "loaded 2026-01-02 03:04 UTC from folder"


def test_a_source_that_could_not_be_asked_is_said_in_the_plan() -> None:
    (planned,) = plan(DOWN, None, MF).files
    assert planned.reason == "not loaded yet; unreachable"


def test_states_without_asking_the_source_come_from_the_ledger() -> None:
    assert find_state(None) == FileState.MISSING
    assert find_state(record(UNAVAILABLE)) == FileState.UNAVAILABLE
    assert find_state(record(LOADED)) == FileState.LOADED
    assert find_state(record(LOADED, FAILED)) == FileState.FAILED
    assert find_state(record(LOADED, UNAVAILABLE)) == FileState.LOADED


def test_bytes_are_summed_over_what_runs_where_they_are_known() -> None:
    assert plan(OFFER, None, MF).bytes == 100
    assert plan(DOWN, None, MF).bytes is None
    assert plan(OFFER, record(LOADED), MF).bytes is None


def test_an_unknown_policy_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(UsageError, match="missing, missing-and-failed, all"):
        Policy.parse("everything")


months = st.integers(0, 35).map(Month(2019, 1).plus)


@given(
    st.lists(st.sampled_from(Color), min_size=1, unique=True),
    months,
    months,
    st.sampled_from(Policy),
    st.data(),
)
def test_every_file_of_the_selection_is_in_the_plan_once(
    colors: list[Color], one: Month, other: Month, policy: Policy, data: st.DataObject
) -> None:
    selection = Selection(tuple(colors), min(one, other), max(one, other))
    probes: dict[TripFile, Probe] = {
        file: Offer(file, "x", "csv.gz", 1, "e")
        if data.draw(st.booleans())
        else Missing(file, "gone")
        for file in selection.files()
    }
    made = make_plan(Request(selection, policy=policy), "label", probes, {})
    assert [planned.file for planned in made.files] == list(selection.files())
    assert len(set(selection.files())) == len(selection.files())
    assert {p.file for p in made.to_run} == {f for f, p in probes.items() if isinstance(p, Offer)}
