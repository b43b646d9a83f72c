"""Every setting with its value, its origin and its meaning, to be changed and saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args, get_origin

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.frame import forget_answers, reported
from pages.shared.people import change_button, change_form_button, require_change
from pages.shared.words import plain
from pipeline import settings as source
from pipeline.errors import UsageError
from pipeline.setting_values import (
    SettingValue,
    find_fault,
    group_fields,
    read_values,
    save_values,
)
from pipeline.settings import Settings

_SAVED = "what was just saved"
_ROUND = "how often settings were saved"  # part of the keys: a saved secret leaves its field
_OPEN = ("Google Cloud", "Gemini")  # the groups that a newcomer fills in


def show_settings() -> None:
    """Draw the settings, a form for each group; raise UsageError where a file is damaged."""
    st.subheader("Settings")
    st.caption(
        "The environment goes first, then `.streamlit/secrets.toml`, then what is saved here. "
        "Empty a field to go back to its default."
    )
    if saved := st.session_state.pop(_SAVED, ""):
        st.success(saved, icon=":material/check:")
    values = read_values()
    for group, fields in group_fields().items():
        faults = sum(bool(values[field].fault) for field in fields)
        title = f"{group} · :red[✕ {faults} cannot be used]" if faults else group
        with st.expander(title, expanded=group in _OPEN or bool(faults)):
            _show_group(group, [values[field] for field in fields])


def _show_group(group: str, values: list[SettingValue]) -> None:
    with st.form(f"settings {group}", border=False):
        grid = st.grid("auto", min_column_width=330)
        typed = {value.field: _show_value(grid, value) for value in values}
        pressed = change_form_button("Save", icon=":material/save:", key=f"save {group}")
    if pressed:
        with reported():
            _take(_find_changes(values, typed))


def _show_value(grid: DeltaGenerator, value: SettingValue) -> str:
    """Draw one setting and return what stands in its field; for a secret only what was typed."""
    key = f"{value.field} {st.session_state.get(_ROUND, 0)}"
    cell = grid.container(gap="xsmall")
    kind = Settings.model_fields[value.field].annotation
    if value.secret:
        text = cell.text_input(
            value.variable,
            type="password",
            key=key,
            placeholder="•••••••• (type to replace it)" if value.is_set else "",
            disabled=not value.editable,
            autocomplete="off",
        )
    elif get_origin(kind) is Literal and not value.fault:
        options = list(get_args(kind))
        text = cell.selectbox(
            value.variable,
            options,
            index=options.index(value.text),
            key=key,
            disabled=not value.editable,
        )
    else:
        text = cell.text_input(
            value.variable,
            value=value.text,
            key=key,
            disabled=not value.editable,
        )
    cell.caption(_describe(value))
    removable = value.secret and value.is_set and value.editable
    if removable and cell.checkbox(f"Remove {value.variable}", key=f"remove {key}"):
        return _REMOVE
    return (text or "").strip()


_REMOVE = "\0"  # what a field says whose secret is to go


def _describe(value: SettingValue) -> str:
    """Return what a setting is and, on a line of its own, where its value comes from."""
    if value.fault:
        state = f":red[✕ {plain(value.fault)}] · {plain(value.origin)}"
    elif not value.is_set:
        state = "○ not set"
    elif value.origin == "default":
        state = "○ default"
    else:
        state = f"● {'set, ' if value.secret else ''}{plain(value.origin)}"
    if not value.editable:
        where = "there" if value.origin != "default" else "in the environment or secrets.toml"
        state += f" · :material/lock: to be changed {where}"
    return f"{plain(value.description)}  \n{state}"


def _find_changes(values: list[SettingValue], typed: Mapping[str, str]) -> dict[str, str]:
    changes = {}
    for value in values:
        text = typed[value.field]
        default = Settings.model_fields[value.field].default
        if not value.editable:
            continue
        if value.secret:
            if text:
                changes[value.field] = "" if text == _REMOVE else text
        elif text != value.text:
            changes[value.field] = "" if text == str(default) else text
    return changes


def _take(changes: dict[str, str]) -> None:
    """Save changes; where secrets are among them, once that was confirmed."""
    if not changes:
        st.info("Nothing was changed, so nothing was saved.")
        return
    faults = [
        f"{source.variable_name(field)} {fault}"
        for field, text in changes.items()
        if text and (fault := find_fault(field, text))
    ]
    if faults:
        raise UsageError(
            "Nothing was saved: " + "; ".join(f.rstrip(".") for f in faults) + ".",
            cure="Mend what is named, and save again.",
        )
    if any(source.is_secret(field) for field in changes):
        _confirm(changes)
    else:
        _save(changes)


@st.dialog("Write secrets to a file?")
def _confirm(changes: dict[str, str]) -> None:
    names = [source.variable_name(f) for f in changes if source.is_secret(f)]
    st.markdown(
        f"**{plain(', '.join(names))}** will be written to"
        if any(changes[f] for f in changes if source.is_secret(f))
        else f"**{plain(', '.join(names))}** will be removed from"
    )
    st.code(str(source.SECRETS_PATH.resolve()), language=None, wrap_lines=True)
    st.markdown(
        "Only you can read that file, and git leaves it out. All else in it stays as it is. The "
        "app shows a secret to nobody, and never logs or exports it."
    )
    row = st.container(horizontal=True)
    if change_button(row, ":orange[**Write**]", type="primary", key="confirm"):
        with reported():
            _save(changes)
    if row.button("Cancel", key="cancel"):
        st.rerun()


def _save(changes: dict[str, str]) -> None:
    require_change()
    save_values(changes)
    names = ", ".join(source.variable_name(field) for field in changes)
    st.session_state[_SAVED] = f"Saved: {plain(names)}."
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    forget_answers()
    st.rerun()
