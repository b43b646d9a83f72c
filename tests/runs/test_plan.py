"""Plans: the files that a backfill runs, by selection, policy, ledger and source."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.datasets import DATASETS, GREEN_TAXIS, Dataset
from pipeline.core.errors import UsageError
from pipeline.core.trips import Month, Selection, TripFile
from pipeline.files.offers import Missing, Offer, Probe, Unknown
from pipeline.runs.plan import FileState, Plan, Request, find_state, make_plan
from pipeline.runs.policy import Policy
from pipeline.warehouse.ledger import FileRecord, LedgerEntry

FILE = TripFile(GREEN_TAXIS, Month(2020, 4))
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
    ledger_record: FileRecord | None,
    policy: Policy,
    force: bool = False,
    source: str = "folder",
) -> Plan:
    selection = Selection((GREEN_TAXIS,), FILE.month, FILE.month)
    plan_request = Request(selection, source=source, policy=policy, force=force)
    return make_plan(
        plan_request, "A folder", {FILE: probe}, {FILE: ledger_record} if ledger_record else {}
    )


M, MF, ALL = Policy.MISSING, Policy.MISSING_AND_FAILED, Policy.ALL
CASES = [
    # probe, ledger record, state of the file, policies that run it
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


@pytest.mark.parametrize(("probe", "ledger_record", "state", "takers"), CASES)
@pytest.mark.parametrize("policy", list(Policy))
def test_plan_runs_exactly_the_files_of_its_policy(
    probe: Probe, ledger_record: FileRecord | None, state: str, takers: set[Policy], policy: Policy
) -> None:
    (planned,) = plan(probe, ledger_record, policy).files
    assert planned.state == state
    assert planned.runs == (policy in takers)
    assert planned.reason


@pytest.mark.parametrize(
    "ledger_record", [None, record(LOADED), record(FAILED), record(LOADED, FAILED)]
)
def test_force_runs_every_published_file(ledger_record: FileRecord | None) -> None:
    assert plan(OFFER, ledger_record, Policy.MISSING, force=True).to_run
    assert not plan(GONE, ledger_record, Policy.MISSING, force=True).to_run


def test_file_of_another_source_is_not_stale_and_policy_all_replaces_it() -> None:
    (planned,) = plan(CHANGED, record(LOADED), MF, source="tlc").files
    assert (planned.state, planned.runs) == (FileState.LOADED, False)
    assert plan(CHANGED, record(LOADED), ALL, source="tlc").to_run


@pytest.mark.parametrize("source", ["another/folder", "https://trips.example/", "upload"])
def test_files_of_ones_own_are_compared_with_trips_of_another_source(source: str) -> None:
    (planned,) = plan(OFFER, record(LOADED), MF, source=source).files
    assert (planned.state, planned.runs) == (FileState.LOADED, True)
    assert planned.reason == "loaded 2026-01-02 03:04 UTC from folder; checked for changes"
    assert not plan(OFFER, record(LOADED), M, source=source).to_run
    assert not plan(GONE, record(LOADED), MF, source=source).to_run
    public = record(replace(LOADED, source="github"))
    assert plan(OFFER, public, MF, source=source).to_run
    assert not plan(OFFER, public, MF, source="tlc").to_run


@pytest.mark.parametrize("policy", list(Policy))
def test_real_trips_replace_synthetic_ones_under_every_policy(policy: Policy) -> None:
    synthetic = record(replace(LOADED, source="sample"))
    planned = plan(OFFER, synthetic, policy, source="tlc")
    assert [file.replaces_sample for file in planned.to_run] == [True]
    sentence = "1 file to load, 100 bytes, from A folder. Replaces 1 sample month."
    assert planned.summary() == sentence


@pytest.mark.parametrize("policy", list(Policy))
def test_sample_replaces_real_trips_only_by_force(policy: Policy) -> None:
    protected = plan(OFFER, record(LOADED), policy, source="sample")
    assert not protected.is_loaded
    assert protected.summary() == (
        "Nothing to load: real trips of 1 month are loaded; the sample replaces them only with "
        "“Load even if unchanged” (--force)."
    )
    (planned,) = protected.files
    assert not planned.runs
    assert planned.reason == "real trips are loaded from folder; the sample stays out"
    assert plan(OFFER, record(LOADED), policy, source="sample", force=True).to_run


def test_plan_of_loaded_files_says_that_they_are_loaded() -> None:
    assert plan(OFFER, record(LOADED), MF).summary() == "The file is loaded."
    assert plan(OFFER, record(FAILED), M).summary().startswith("Nothing to load: 1 failed")


def test_many_months_that_are_late_are_said_once() -> None:
    files = Selection(tuple(DATASETS.values()), Month(2020, 4), Month(2025, 7)).files()
    probes: dict[TripFile, Probe] = {
        file: replace(OFFER, file=file)
        if file.month == Month(2020, 4)
        else Missing(file, "not published")
        for file in files
    }
    request = Request(Selection(tuple(DATASETS.values()), Month(2020, 4), Month(2025, 7)), "tlc")
    planned = make_plan(request, "TLC parquet", probes, {})
    assert planned.summary("40 s") == (
        "3 of 192 files to load, 300 bytes, about 40 s, from TLC parquet. "
        "63 months are not published yet (2020-05 to 2025-07)."
    )
    closed = make_plan(replace(request, source="github"), "GitHub releases", probes, {})
    assert "63 months are not in GitHub releases (2020-05 to 2025-07)." in closed.summary()


def test_months_of_one_color_that_are_absent_are_named_by_it() -> None:
    yellow, green = (TripFile(DATASETS[name], Month(2013, 1)) for name in ("yellow", "green"))
    selection = Selection((yellow.dataset, green.dataset), Month(2013, 1), Month(2013, 1))
    probes: dict[TripFile, Probe] = {yellow: replace(OFFER, file=yellow), green: Missing(green, "")}
    summary = make_plan(Request(selection, "tlc"), "TLC parquet", probes, {}).summary()
    assert summary.endswith("1 green month is not in TLC parquet (2013-01).")


def test_reason_of_skipped_file_names_time_and_source_of_load() -> None:
    (planned,) = plan(OFFER, record(LOADED), MF).files
    assert planned.reason == "loaded 2026-01-02 03:04 UTC from folder"


def test_plan_names_unreachable_source() -> None:
    (planned,) = plan(DOWN, None, MF).files
    assert planned.reason == "not loaded yet; unreachable"


def test_state_without_probe_comes_from_ledger() -> None:
    assert find_state(None) == FileState.MISSING
    assert find_state(record(UNAVAILABLE)) == FileState.UNAVAILABLE
    assert find_state(record(LOADED)) == FileState.LOADED
    assert find_state(record(LOADED, FAILED)) == FileState.FAILED
    assert find_state(record(LOADED, UNAVAILABLE)) == FileState.LOADED


def test_plan_sums_known_sizes_of_files_to_run() -> None:
    assert plan(OFFER, None, MF).bytes == 100
    assert plan(DOWN, None, MF).bytes is None
    assert plan(OFFER, record(LOADED), MF).bytes is None


def test_unknown_policy_is_refused_with_known_ones() -> None:
    with pytest.raises(UsageError, match="missing, missing-and-failed, all"):
        Policy.parse("everything")


months = st.integers(0, 35).map(Month(2019, 1).plus)


@given(
    st.lists(st.sampled_from(list(DATASETS.values())), min_size=1, unique=True),
    months,
    months,
    st.sampled_from(Policy),
    st.data(),
)
def test_plan_has_every_file_of_selection_once(
    datasets: list[Dataset],
    first_month: Month,
    last_month: Month,
    policy: Policy,
    data: st.DataObject,
) -> None:
    selection = Selection(
        tuple(datasets), min(first_month, last_month), max(first_month, last_month)
    )
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
