"""The widgets of a choice, kept the same as the address of their page."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from pages.shared.choice import (
    FIRST_MONTH,
    PARAMS,
    SOURCES,
    Choice,
    Params,
    is_news,
    read_params,
    write_params,
)
from pages.shared.glossary import explain
from pages.shared.kept import keep, restore
from pages.shared.rows import below_label, keep_room
from pages.shared.target import read_target_address
from pages.shared.words import plain
from pipeline.plan import Policy
from pipeline.trips import Color, Month, months_between

_NEVER_EMPTY = ("colors", "first", "last", "source", "policy")
_WIDGETS = (*_NEVER_EMPTY, "place", "force")
PLACE = "place"  # the source is the folder or URL typed in beside it


def adopt(choice: Choice) -> None:
    """Put a choice into the widgets."""
    state = st.session_state
    state.colors = [color.value for color in choice.colors]
    state.first, state.last = str(choice.first), str(choice.last)
    state.source = choice.source if choice.source in SOURCES else PLACE
    state.place = "" if choice.source in SOURCES else choice.source
    state.policy, state.force = choice.policy.value, choice.force


def pick_choice() -> Choice:
    """Draw the choice, keep it the same as the page's address, and return it."""
    state = st.session_state
    address = read_address(PARAMS if "link" in state else ())
    known = state.setdefault("addresses", [])
    if "link" not in state or is_news(address, known):
        linked, problems = read_params(address)
        adopt(linked)
        # Last, because a click may stop this run of the page at any line and start another.
        known[:] = [address]
        state.link = (linked, problems)
    else:
        restore(_WIDGETS, emptied=any(state.get(name) is None for name in _NEVER_EMPTY))
    choice = draw_choice()
    keep(_WIDGETS)
    linked, problems = state.link
    if problems and choice == linked:
        st.warning("  \n".join(map(plain, problems)), icon=":material/link_off:")
    write_address(write_params(choice), known, address)
    return choice


def read_address(names: Collection[str] = ()) -> Params:
    """Return the query parameters of the page's address that are about the choice, as the
    browser sent them.

    An address with a name that is not among `names` is none of this page's: hasty clicks from page
    to page can leave that of another one. Without `names` any is taken.
    """
    found = st.query_params.keys() - read_target_address().keys()
    if names and not found <= set(names):
        return {}
    return {name: st.query_params.get_all(name) for name in found}


def write_address(params: Params, known: list[Params], address: Params) -> None:
    """Make these the query parameters of the page's address, and the newest of those known.

    Args:
        address: What the browser has as the page's address.
    """
    if params != known[-1] or not address:
        st.query_params.from_dict(params | read_target_address())
    if params != known[-1]:
        known.append(params)


def keep_address(known: list[Params], names: Collection[str]) -> None:
    """Take note of the newest address that the browser has got; write it again if it lost it.

    A browser drops what an address says at the first click in the navigation. Two such clicks in a
    hurry, away and back, send the page its old address, which the browser then has no more.

    Args:
        names: Those of all query parameters that the page's address may have.
    """
    address = read_address(names)
    is_news(address, known)
    if known and known[-1] and not address:
        write_address(known[-1], known, address)


def confirm_address() -> None:
    """Keep the address of the choice; to be called every few seconds."""
    keep_address(st.session_state.get("addresses", []), PARAMS)


def draw_choice() -> Choice:
    """Draw the widgets and return what is picked in them."""
    months = [str(month) for month in months_between(FIRST_MONTH, Month.current())]
    with st.container(border=True):
        row = st.container(horizontal=True)
        colors = row.pills(
            "Colors",
            [color.value for color in Color],
            selection_mode="multi",
            format_func=lambda color: f":yellow[{color}]",
            key="colors",
            width=128,
            persist_state="session",
        )
        span = keep_room(row)
        first = span.selectbox("From", months, key="first", width=130, persist_state="session")
        last = span.selectbox("To", months, key="last", width=130, persist_state="session")
        box = keep_room(row)
        source = box.selectbox(
            "Source",
            [*SOURCES, PLACE],
            format_func=lambda word: SOURCES.get(word, "A folder or URL"),
            key="source",
            width=226,
            persist_state="session",
        )
        if source == PLACE:
            source = row.text_input(
                "Folder or URL",
                key="place",
                placeholder="/data/trips or https://host/trips",
                width=340,
                persist_state="session",
            ).strip()
        policy = row.segmented_control(
            "Policy",
            [policy.value for policy in Policy],
            format_func=lambda policy: f":yellow[{policy}]",
            key="policy",
            width=268,
            required=True,
            persist_state="session",
            help="\n".join(
                [
                    f"{explain('policy')}\n",
                    *(f"- **{policy}**: {policy.meaning}" for policy in Policy),
                    f"\nStale: {explain('stale')}",
                ]
            ),
        )
        with below_label(row).popover("More", icon=":material/tune:"):
            force = st.toggle(
                "Load even if unchanged",
                key="force",
                persist_state="session",
                help="The same as --force: files are fetched and loaded again whatever the "
                "ledger says.",
            )
        if force:
            st.caption("Forced: every file that the source has is loaded again.")
    if policy is None:
        st.rerun()  # what was chosen before is put back then
    return Choice(
        tuple(color for color in Color if color in colors),
        Month.parse(first),
        Month.parse(last),
        source,
        Policy(policy),
        force,
    )
