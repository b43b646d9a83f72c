"""Sign-in on the pages, and the buttons that only editors can press.

Where sign-in is on, `admit` draws nothing of a page before somebody has signed in. Whatever writes,
runs or is paid for stands behind `change_button` or `change_form_button`. For viewers it is
disabled and says why, and a press that comes anyway does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.components.common.safe_markdown import inert
from pages.components.common.words import plain
from pipeline.core.access import Role, find_role, is_required, read_lists
from pipeline.core.errors import FaregroundError, UsageError

READ_ONLY = "You have read-only access."

_REFUSALS = {
    Role.UNVERIFIED: "The sign-in provider has not verified this e-mail address, so it may not be "
    "yours. Verify it there, then sign in again.",
    Role.NOT_LISTED: "This address is not on the list of those who may use this Fareground. Ask "
    "whoever runs it to add you, or sign in as somebody else.",
}


def role() -> Role:
    """Return the role of the person at this session; raise UsageError for invalid settings."""
    lists = read_lists()
    return find_role(_claims(), lists) if is_required(lists) else Role.EDITOR


def _claims() -> dict[str, Any]:
    return dict(st.user.to_dict())


def can_view() -> bool:
    """Return whether the person at this session may see the pages."""
    try:
        return role().can_view
    except FaregroundError:
        return False


def admit() -> None:
    """Return for editors and viewers; for all others draw the sign-in and end this run."""
    try:
        current_role = role()
    except FaregroundError as error:
        st.title("Fareground")
        st.error(f"{plain(error.problem)}  \n{plain(error.cure)}", icon=":material/error:")
        st.stop()
    if not current_role.can_view:
        _show_sign_in(current_role)
        st.stop()


def show_person() -> None:
    """Show who is signed in, with a button to sign out; nothing where sign-in is off."""
    claims = _claims()
    if claims.get("is_logged_in") is not True:
        return
    row = st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center")
    access = "" if can_edit() else " · read-only"
    row.caption(f":material/person: {inert(str(claims.get('email')))}{access}", width="content")
    row.button("Sign out", key="sign out", type="tertiary", on_click=st.logout)


def can_edit() -> bool:
    """Return whether the person at this session may run, cancel, save, add and remove."""
    try:
        return role() == Role.EDITOR
    except FaregroundError:
        return False


def require_editor() -> None:
    """Raise UsageError unless the person is an editor; for work that several buttons start."""
    if not can_edit():
        raise UsageError(READ_ONLY, cure="Ask whoever runs this Fareground.")


def change_button(place: Any, label: str, **options: Any) -> bool:
    """Draw a button that changes, runs or costs something; return whether an editor pressed it.

    Args:
        place: `st`, or a container.
        options: Those of `st.button`.
    """
    return _draw(place.button, label, options)


def change_form_button(label: str, **options: Any) -> bool:
    """Draw the submit button of a form that changes something, as `change_button` does."""
    return _draw(st.form_submit_button, label, options)


def _draw(widget: Callable[..., bool], label: str, options: dict[str, Any]) -> bool:
    if not can_edit():
        label = re.sub(r"^:orange\[(.*?)\]$", r"\1", label).replace("**", "")
        options |= {"disabled": True, "help": READ_ONLY, "on_click": None}
    elif (act := options.get("on_click")) is not None:
        # The person may have stopped being an editor since the button was drawn.
        options["on_click"] = lambda *values: act(*values) if can_edit() else None
    pressed = widget(label, **options)
    return bool(pressed) and can_edit()


def _show_sign_in(current_role: Role) -> None:
    st.title("Fareground")
    box = st.container(border=True, width=520)
    if current_role == Role.SIGNED_OUT:
        box.markdown("This Fareground is for people who are on its list. Sign in to go on.")
        box.button(
            ":orange[:material/login: **Sign in**]",
            type="primary",
            key="sign in",
            on_click=st.login,
        )
        return
    box.markdown(f"You are signed in as **{inert(str(_claims().get('email') or 'nobody'))}**.")
    box.warning(_REFUSALS[current_role], icon=":material/lock:")
    box.button("Sign out", icon=":material/logout:", key="sign out", on_click=st.logout)
