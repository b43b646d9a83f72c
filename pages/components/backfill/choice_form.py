"""The widgets that choose what a backfill loads, kept in step with the page's address."""

from __future__ import annotations

import streamlit as st

from pages.components.backfill.lower_tabs import LOWER_TABS
from pages.components.backfill.opening import MonthSpan, months_of, opening_choice
from pages.components.common.choice import PARAMS, Choice, read_params, write_params
from pages.components.common.glossary import explain
from pages.components.common.layout import keep_room
from pages.components.common.runs import Activity
from pages.components.common.source_consent import pick_source
from pages.components.common.url_state import Params, UrlState
from pages.components.common.words import dataset_label, plain
from pipeline.core.datasets import DATASETS
from pipeline.core.trips import Month, TripFile, months_between
from pipeline.runs.policy import Policy
from pipeline.warehouse.ledger import FileRecord

_REQUIRED = ("colors", "first", "last", "source", "policy")
_URL = UrlState("the choice", (*PARAMS, "tab"), (*_REQUIRED, "force", LOWER_TABS.key), _REQUIRED)


def pick_choice(activity: Activity, records: dict[TripFile, FileRecord]) -> Choice:
    """Draw the widgets, keep them in step with the page's address, and return what is chosen.

    Args:
        activity: What runs now, and what ran last: it gives the choice of an address without one.
        records: What the ledger has of each file, for the same purpose.
    """
    _URL.load(lambda link: _adopt(link, activity, records))
    choice = _draw()
    linked, problems = st.session_state.link
    if problems and choice == linked:
        st.warning("  \n".join(map(plain, problems)), icon=":material/link_off:")
    _URL.save(write_params(choice) | LOWER_TABS.params())
    return choice


def confirm_choice() -> None:
    """Keep the choice in the page's address; to be called every few seconds."""
    _URL.confirm()


def _adopt(link: Params, activity: Activity, records: dict[TripFile, FileRecord]) -> None:
    """Put the choice of a link into the widgets, and keep the problems that the link has."""
    state = st.session_state
    choice, problems = read_params(link) if link else (opening_choice(activity, records), [])
    state.colors = [dataset.name for dataset in choice.datasets]
    state.first, state.last = str(choice.first), str(choice.last)
    state.source = choice.source
    state.policy, state.force = choice.policy.value, choice.force
    state.link = (choice, [*problems, *LOWER_TABS.adopt(link)])


def _move_end() -> None:
    """Move the last month to the first one where it would lie before it."""
    st.session_state.last = max(st.session_state.first, st.session_state.last)


def _move_start() -> None:
    """Move the first month to the last one where it would lie behind it."""
    st.session_state.first = min(st.session_state.first, st.session_state.last)


def _fit_months() -> None:
    """Move the months into those of a source that was just chosen."""
    state = st.session_state
    first, last = map(str, _source_months())
    if state.first > last or state.last < first:
        state.first = state.last = last
    state.first, state.last = max(state.first, first), min(state.last, last)


def _source_months() -> MonthSpan:
    state = st.session_state
    return months_of(str(state.source or "").strip(), tuple(state.colors))


def _month_options() -> list[str]:
    """Return the months of the chosen source, the newest first, and those of the choice itself."""
    state = st.session_state
    first, last = _source_months()
    oldest, newest = min(str(first), state.first), max(str(last), state.last)
    return [str(m) for m in months_between(Month.parse(oldest), Month.parse(newest))][::-1]


def _draw() -> Choice:
    months = _month_options()
    with st.container(border=True):
        row = st.container(horizontal=True, vertical_alignment="bottom")
        colors = row.pills(
            "Taxis",
            list(DATASETS),
            selection_mode="multi",
            format_func=dataset_label,
            key="colors",
            width=208,
            persist_state="session",
        )
        span = keep_room(row)
        first = span.selectbox(
            "From", months, key="first", width=120, persist_state="session", on_change=_move_end
        )
        last = span.selectbox(
            "To", months, key="last", width=120, persist_state="session", on_change=_move_start
        )
        source = pick_source(keep_room(row), "source", 290, _fit_months)
        with row.popover("More", icon=":material/tune:"):
            policy, force = _draw_policy()
        if force:
            st.caption(
                "Load even if unchanged is on: every file that the source has is loaded again."
            )
    if policy is None:
        st.rerun()  # `load` puts the policy back that was chosen before
    return Choice(
        tuple(dataset for dataset in DATASETS.values() if dataset.name in colors),
        Month.parse(first),
        Month.parse(last),
        source,
        Policy(policy),
        force,
    )


def _draw_policy() -> tuple[str | None, bool]:
    policy = st.segmented_control(
        "Which files to load",
        [policy.value for policy in Policy],
        format_func=lambda policy: f":yellow[{Policy(policy).label}]",
        key="policy",
        required=True,
        persist_state="session",
        help=f"The policy. {explain('policy')}",
    )
    if policy:
        st.caption(Policy(policy).meaning)
    force = st.toggle(
        "Load even if unchanged",
        key="force",
        persist_state="session",
        help="The same as --force: fetch and load the files again, whatever the ledger says.",
    )
    return policy, force
