"""Plan and start backfills from any page, and read the ledger they write."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.access import change_button, require_editor
from pages.components.common.runs import Activity, jobs, scheduler
from pages.components.common.target import backend, target
from pages.components.common.tasks import await_result
from pages.components.common.words import files_in_words, months_in_words, plain
from pipeline.core.errors import UsageError, WarehouseBusy
from pipeline.core.settings.settings import load_settings
from pipeline.core.tasks import Task, run_in_background
from pipeline.core.trips import TripFile
from pipeline.core.upgrades import under_way
from pipeline.runs.backfill import Backfill, prepare_plan
from pipeline.runs.plan import Plan, Request
from pipeline.warehouse.ledger import FileRecord
from pipeline.warehouse.registry import open_warehouse

_PAGE_PATIENCE = 15.0  # seconds a page repeats a request that Google Cloud does not answer


def await_plan(request: Request, activity: Activity, *, fresh: bool = False) -> Plan:
    """Return the plan of a request; it is made at most once a minute and whenever a run ends.

    With `fresh` it is made anew, for a source that this page has just changed.

    While the source is asked a spinner turns, and any other click is served at once. Raises what
    `prepare_plan` raises.
    """
    sentence = f"Checking {files_in_words(len(request.files()))} at {plain(request.source)} …"
    if fresh:
        _make_plan.clear(request, activity.mark)
    try:
        return await_result(_make_plan(request, activity.mark), sentence)
    except Exception:
        _make_plan.clear(request, activity.mark)  # the cause may be gone at the next call
        raise


@st.cache_resource(ttl=60, max_entries=50, show_spinner=False)
def _make_plan(
    request: Request,
    mark: tuple[str, ...],  # noqa: ARG001  part of the key
) -> Task[Plan, None]:
    return run_in_background(lambda: prepare_plan(request, load_settings()), "plan")


def start_backfill(plan: Plan, *, replace_real: bool = False) -> Backfill:
    """Start a backfill in the background and return it; raise WarehouseBusy while another runs.

    Args:
        plan: What to load.
        replace_real: Whether a person has agreed that the sample replaces real months.
    """
    require_editor()
    if plan.replaced_real and not replace_real:
        raise UsageError(
            f"The sample would replace {months_in_words(plan.replaced_real, 'real')}.",
            cure="Start it on the Backfill page, which asks for your consent.",
        )
    if not plan.to_run:  # the plan was drawn too long ago
        raise UsageError("Nothing is left to load.", cure=f"{plan.files[0].reason}.")
    return jobs().start(plan, settings=load_settings())


def read_ledger(activity: Activity) -> dict[TripFile, FileRecord] | None:
    """Return the records of the ledger, or None while a run of another process holds it.

    It is read again when a run starts or ends, and when a file of a run of this process is
    finished.
    """
    ours = activity.run is None or activity.backfill is not None
    key = (target(), (*activity.mark, activity.finished if ours else 0), not ours)
    reading = _read_records(*key)
    newest = _newest_records(target())
    database = backend().database(load_settings())
    if activity.run is not None and database is None and not reading.done():
        # Another machine takes seconds to answer; the page shows the states of the run meanwhile.
        return dict(newest)
    try:
        records = await_result(
            reading,
            "Reading the ledger …",
            lambda: plain(under_way(database.path)) if database else "",
        )
    except WarehouseBusy:
        _read_records.clear(*key)
        if ours:
            raise
        return None
    except Exception:
        _read_records.clear(*key)
        raise
    newest.update(records)
    return records


@st.cache_resource(ttl=300, max_entries=6, show_spinner=False)
def _read_records(
    target: str,
    mark: object,  # noqa: ARG001  part of the key
    hurry: bool,
) -> Task[dict[TripFile, FileRecord], None]:
    settings = load_settings()
    patience = {"gcp_retry_seconds": min(_PAGE_PATIENCE, settings.gcp_retry_seconds)}
    if hurry:
        patience["busy_wait_seconds"] = 0.05
    settings = settings.model_copy(update=patience)

    def read() -> dict[TripFile, FileRecord]:
        with open_warehouse(target, settings) as warehouse:
            return warehouse.records()

    return run_in_background(read, "ledger")


@st.cache_resource(show_spinner=False)
def _newest_records(target: str) -> dict[TripFile, FileRecord]:  # noqa: ARG001  the key
    """Return the newest known records of a warehouse's ledger, for the caller to update."""
    return {}


def forget_plans_and_ledger() -> None:
    """Forget what was read under settings that have changed; a running backfill goes on."""
    _make_plan.clear()
    _read_records.clear()
    _newest_records.clear()
    scheduler.clear()


def show_cancel(place: DeltaGenerator, activity: Activity) -> None:
    """Draw the button that cancels the running backfill; nothing for one of another process."""
    backfill = activity.backfill
    if backfill is None:
        return
    cancelling = backfill.cancel.is_set()
    change_button(
        place,
        "Cancelling …" if cancelling else "Cancel",
        icon=":material/stop:",
        disabled=cancelling,
        on_click=backfill.cancel.set,
        key="cancel",
    )
