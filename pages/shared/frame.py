"""The frame every page stands in: navigation, errors, and the watch over the run that is on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import Page

from pages.shared.background import ask, await_answer
from pages.shared.kept import enter
from pages.shared.people import admit, may_look, require_change, show_person
from pages.shared.runs import files_of, history, jobs, scheduler
from pages.shared.target import TARGET_NAMES, confirm_target, pick_target, target
from pages.shared.words import files_in_words, plain
from pipeline.backfill import Backfill, prepare_plan
from pipeline.errors import FaregroundError, UsageError, WarehouseBusy
from pipeline.locks import running_run
from pipeline.plan import Plan, Request
from pipeline.redact import guard_output
from pipeline.run_records import GLYPHS, Run, RunFile
from pipeline.settings import load_settings
from pipeline.trips import TripFile
from pipeline.upgrades import under_way
from pipeline.warehouse import TARGETS, FileRecord, open_warehouse

_NAVIGATED = "app.py has run in this session"
_WATCH_SECONDS = 1.0
_PAGE_PATIENCE = 15.0  # seconds a page repeats a request that Google Cloud does not answer
_IDLE_SECONDS = 3.0  # how soon an idle page notices a run that was started elsewhere


def navigate(position: Literal["top", "hidden"]) -> Page:
    """Declare the app's pages and return the one to run."""
    # Without app.py's page config a page's icon would be the tab's, fetched from another machine.
    icons = position == "top"
    return st.navigation(
        [
            st.Page(
                "pages/backfill.py",
                title="Backfill",
                icon=":material/download:" if icons else None,
            ),
            st.Page(
                "pages/preview.py",
                title="Preview",
                icon=":material/search:" if icons else None,
            ),
            st.Page(
                "pages/explore.py",
                title="Explore",
                icon=":material/monitoring:" if icons else None,
            ),
            st.Page(
                "pages/answers.py",
                title="Answers",
                icon=":material/forum:" if icons else None,
            ),
            st.Page("pages/runs.py", title="Runs", icon=":material/history:" if icons else None),
            st.Page("pages/setup.py", title="Setup", icon=":material/settings:" if icons else None),
        ],
        position=position,
    )


def navigate_app() -> Page:
    """Declare the pages from app.py, draw what stands above each of them, and note it has run."""
    guard_output()
    st.session_state[_NAVIGATED] = True
    page = navigate("top" if may_look() else "hidden")
    enter(page.title)
    admit()
    show_person()
    with reported():
        pick_target()
    return page


def require_app() -> None:
    """Start over with app.py where Streamlit has run a page without it.

    A server whose very first visitor comes by a link to a page does that, and would show
    Streamlit's own menu to everyone from then on. To be called first thing in every page.
    """
    if _NAVIGATED not in st.session_state:
        navigate("hidden")
        st.rerun()


def show_error(error: FaregroundError) -> None:
    """Show what happened and what to do about it."""
    st.error(f"{plain(error.problem)}  \n{plain(error.cure)}", icon=":material/error:")


def show_synthetic(place: DeltaGenerator) -> None:
    """Say that the trips shown are made up; to stand wherever those of the sample show."""
    place.badge("synthetic trips", icon=":material/science:", color="violet")


@contextmanager
def reported() -> Iterator[None]:
    """Show our errors as a message; what follows the block goes on."""
    try:
        yield
    except FaregroundError as error:
        show_error(error)


@dataclass(frozen=True)
class Now:
    """What is going on: the run that is on, if any, and the newest one that has ended.

    `backfill` is the run that is on, if it is in this process; `files` are its files. `elsewhere`
    is the run that is on in the other warehouse, if any.
    """

    run: Run | None
    backfill: Backfill | None
    files: tuple[RunFile, ...]
    ended: Run | None
    elsewhere: Run | None = None

    @property
    def finished(self) -> int:
        """How many files of the run that is on are finished."""
        return sum(file.state not in ("queued", "running") for file in self.files)

    @property
    def mark(self) -> tuple[str, ...]:
        """A value that differs when a run has begun or ended since."""
        ids = (self.run.run_id if self.run else "", self.ended.run_id if self.ended else "")
        return (*ids, self.ended.state if self.ended else "")


def look() -> Now:
    """Return what is going on now."""
    backfill = jobs().current(target())
    settings = load_settings()
    run = running_run(target(), settings)
    others = (running_run(name, settings) for name in TARGETS if name != target())
    elsewhere = next(filter(None, others), None)
    ended = next((r for r in history().runs(10, target()) if r.state != "running"), None)
    if run is None:
        return Now(None, None, (), ended, elsewhere)
    ours = backfill if backfill is not None and backfill.run_id == run.run_id else None
    return Now(run, ours, tuple(files_of(run)), ended, elsewhere)


def live(
    title: str,
    body: Callable[[Now], None],
    beat: Callable[[], object] = lambda: None,
    *,
    still: bool = False,
) -> None:
    """Draw a page: again every second while a run is on, otherwise once.

    When a run begins or ends, wherever it was started, the whole page is drawn anew. `beat` is
    called every few seconds meanwhile, and draws nothing. A `still` page is drawn again only when
    a file of a run is finished.
    """
    try:
        scheduler()
        began = look()
    except FaregroundError as error:
        st.title(title)
        show_error(error)
        st.page_link(
            "pages/setup.py", label="To the Setup page", icon=":material/settings:", width="content"
        )
        return
    with reported():
        if began.run is None or still:
            _draw(title, body, began)

        def watch() -> None:
            with reported():
                beat()
                confirm_target()
                now = look()
                news = (now.mark, now.elsewhere) != (began.mark, began.elsewhere)
                if news or (still and now.finished != began.finished):
                    st.empty()  # a click that came meanwhile goes first: `rerun` would lose it
                    st.rerun()
                if now.run is not None and not still:
                    _draw(title, body, now)

        st.fragment(run_every=_WATCH_SECONDS if began.run else _IDLE_SECONDS)(watch)()


def _draw(title: str, body: Callable[[Now], None], now: Now) -> None:
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    row.title(title, width="content")
    _show_badges(row, now)
    body(now)


def stand(title: str, beat: Callable[[], object] = lambda: None) -> None:
    """Draw the title of a page that is not drawn anew by itself, and the run that is on beside it.

    For pages where people type or watch something of their own; `live` is for all others. `beat`
    is called every few seconds, and draws nothing. What is wrong is for the page to say: beside
    its title there is no room.
    """
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    row.title(title, width="content")

    def watch() -> None:
        with suppress(FaregroundError):
            beat()
            confirm_target()
            _show_badges(st.container(), look())

    with row:
        st.fragment(run_every=_IDLE_SECONDS)(watch)()


def _show_badges(place: DeltaGenerator, now: Now) -> None:
    if now.run is not None:
        place.page_link(
            "pages/backfill.py",
            # Short, so that beside a title it is whole on a phone.
            label=f"{GLYPHS['running']} **Running:** {now.finished:,} of "
            f"{files_in_words(len(now.files))}",
            icon="",
            help="A backfill is on: to the Backfill page",
        )
    if now.elsewhere is not None:
        other = now.elsewhere.request.target
        place.page_link(
            "pages/backfill.py",
            label=f"{GLYPHS['running']} **Running in {TARGET_NAMES[other]}**",
            icon="",
            query_params={"target": other},
            help="A backfill of the other warehouse is on: to its Backfill page",
        )


def start(plan: Plan) -> Backfill:
    """Start a backfill in the background and return it; raises WarehouseBusy while one runs."""
    require_change()
    if not plan.to_run:  # the last look was too long ago
        raise UsageError("Nothing is left to run.", cure=f"{plan.files[0].reason}.")
    return jobs().start(plan, settings=load_settings())


def await_plan(request: Request, now: Now) -> Plan:
    """Return the plan of a request, asking the source at most once a minute.

    While the source is asked a spinner turns, and any other click is served at once. Raises what
    `prepare_plan` raises.
    """
    saying = f"Asking {plain(request.source)} for {files_in_words(len(request.files()))} …"
    try:
        return await_answer(_ask_plan(request, now.mark), saying)
    except Exception:
        _ask_plan.clear(request, now.mark)  # the next look may find it mended
        raise


@st.cache_resource(ttl=60, max_entries=50, show_spinner=False)
def _ask_plan(request: Request, mark: tuple[str, ...]) -> Future[Plan]:  # noqa: ARG001  in the key
    return ask(lambda: prepare_plan(request, load_settings()), "plan")


def ledger(now: Now) -> dict[TripFile, FileRecord] | None:
    """Return what the ledger knows, or None while a run of another process holds it.

    It is read again when a run has begun or ended, or a file of our own run is finished.
    """
    ours = now.run is None or now.backfill is not None
    key = (target(), (*now.mark, now.finished if ours else 0), not ours)
    reading = _ask_ledger(*key)
    if now.run is not None and target() == "gcp" and not reading.done():
        return dict(_newest_ledger())  # the states of the run come first anyhow
    try:
        warehouse = load_settings().warehouse_path
        records = await_answer(reading, "Reading the ledger …", lambda: plain(under_way(warehouse)))
    except WarehouseBusy:
        _ask_ledger.clear(*key)
        if ours:
            raise
        return None
    except Exception:
        _ask_ledger.clear(*key)
        raise
    if target() == "gcp":
        _newest_ledger().update(records)
    return records


@st.cache_resource(ttl=300, max_entries=6, show_spinner=False)
def _ask_ledger(
    target: str,
    mark: object,  # noqa: ARG001  part of the key
    hurry: bool,
) -> Future[dict[TripFile, FileRecord]]:
    settings = load_settings()
    patience = {"gcp_retry_seconds": min(_PAGE_PATIENCE, settings.gcp_retry_seconds)}
    if hurry:
        patience["busy_wait_seconds"] = 0.05
    settings = settings.model_copy(update=patience)

    def read() -> dict[TripFile, FileRecord]:
        with open_warehouse(target, settings) as warehouse:
            return warehouse.records()

    return ask(read, "ledger")


@st.cache_resource(show_spinner=False)
def _newest_ledger() -> dict[TripFile, FileRecord]:
    """Return what was last known of the ledger in Google Cloud, to be kept up to date."""
    return {}


def forget_answers() -> None:
    """Forget what was asked under settings that have changed; a run that is on goes on."""
    _ask_plan.clear()
    _ask_ledger.clear()
    _newest_ledger.clear()
    scheduler.clear()
