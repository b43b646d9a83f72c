"""Who looks at the pages, and the buttons that only those get who may change something.

Where sign-in is on, nothing is drawn before `admit` has let somebody in. Whatever writes, runs or
is paid for stands behind `change_button` or `change_form_button`: for those who may only look it is
disabled and says why, and a press that comes all the same does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.shared.neutral import inert
from pages.shared.words import plain
from pipeline.access import Role, find_role, is_required, read_lists
from pipeline.errors import FaregroundError, UsageError

ONLY_LOOKING = "You may look at everything here, and change nothing."

_REFUSALS = {
    Role.UNVERIFIED: "The sign-in provider has not verified this e-mail address, so it may not be "
    "yours. Verify it there, then sign in again.",
    Role.STRANGER: "This address is not on the list of those who may use this Fareground. Ask "
    "whoever runs it to add you, or sign in as somebody else.",
}


def role() -> Role:
    """Return what the person at this session may do; raise UsageError where that is unclear."""
    lists = read_lists()
    return find_role(_claims(), lists) if is_required(lists) else Role.EDITOR


def _claims() -> dict[str, Any]:
    return dict(st.user.to_dict())


def may_look() -> bool:
    """Whether the pages are for the person at this session."""
    try:
        return role().may_look
    except FaregroundError:
        return False


def admit() -> None:
    """Go on for those who may look; for all others draw the way in, and end the run here."""
    try:
        found = role()
    except FaregroundError as error:
        st.title("Fareground")
        st.error(f"{plain(error.problem)}  \n{plain(error.cure)}", icon=":material/error:")
        st.stop()
    if not found.may_look:
        _show_way_in(found)
        st.stop()


def show_person() -> None:
    """Say who is signed in and what they may do, with the way out; nothing where sign-in is off."""
    claims = _claims()
    if claims.get("is_logged_in") is not True:
        return
    row = st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center")
    may = "" if may_change() else " · may look, not change"
    row.caption(f":material/person: {inert(str(claims.get('email')))}{may}", width="content")
    row.button("Sign out", key="sign out", type="tertiary", on_click=st.logout)


def may_change() -> bool:
    """Whether the person at this session may run, cancel, save, add and remove."""
    try:
        return role() == Role.EDITOR
    except FaregroundError:
        return False


def require_change() -> None:
    """Raise UsageError for those who may only look: for what several buttons lead to."""
    if not may_change():
        raise UsageError(ONLY_LOOKING, cure="Ask whoever runs this Fareground.")


def change_button(place: Any, label: str, **options: Any) -> bool:
    """Draw a button that changes, runs or costs something, and return whether it does so now.

    Args:
        place: `st`, or a container.
        options: Those of `st.button`.
    """
    return _draw(place.button, label, options)


def change_form_button(label: str, **options: Any) -> bool:
    """Draw the button of a form that changes something; as `change_button`."""
    return _draw(st.form_submit_button, label, options)


def _draw(widget: Callable[..., bool], label: str, options: dict[str, Any]) -> bool:
    if not may_change():
        label = re.sub(r"^:orange\[(.*?)\]$", r"\1", label).replace("**", "")
        options |= {"disabled": True, "help": ONLY_LOOKING, "on_click": None}
    elif (act := options.get("on_click")) is not None:
        # The rights may have gone since the button was drawn.
        options["on_click"] = lambda *values: act(*values) if may_change() else None
    pressed = widget(label, **options)
    return bool(pressed) and may_change()


def _show_way_in(found: Role) -> None:
    st.title("Fareground")
    box = st.container(border=True, width=520)
    if found == Role.SIGNED_OUT:
        box.markdown("This Fareground is for people who are on its list. Sign in to go on.")
        box.button(
            ":orange[:material/login: **Sign in**]",
            type="primary",
            key="sign in",
            on_click=st.login,
        )
        return
    box.markdown(f"You are signed in as **{inert(str(_claims().get('email') or 'nobody'))}**.")
    box.warning(_REFUSALS[found], icon=":material/lock:")
    box.button("Sign out", icon=":material/logout:", key="sign out", on_click=st.logout)
