"""The settings on the Setup page: value, origin and meaning of each, in forms that save it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, get_args, get_origin

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.access import change_button, change_form_button, require_editor
from pages.components.common.backfills import forget_plans_and_ledger
from pages.components.common.messages import reported
from pages.components.common.words import plain
from pipeline.core.errors import UsageError
from pipeline.core.settings import settings as source
from pipeline.core.settings.settings import Settings, group_fields
from pipeline.ops.setting_values import (
    SettingValue,
    find_fault,
    save_values,
)

_SAVED = "what was just saved, and of which group"
_ASKED = "changes with secrets that are to be confirmed, and of which group"
_SAVES = (
    "how often settings were saved"  # part of each key, so that a saved secret leaves its field
)
_REMOVE = "\0"  # the text of a field whose secret is to be removed


def show_more_settings(values: Mapping[str, SettingValue], shown: Collection[str]) -> None:
    """Draw a form for each group of settings that has no card.

    Args:
        values: The present value of every setting, by field.
        shown: The groups that have a card.
    """
    st.caption(
        "The environment takes precedence, then `.streamlit/secrets.toml`, then what is saved "
        "here. Empty a field to restore its default."
    )
    for group, fields in group_fields().items():
        if group in shown:
            continue
        faults = find_group_faults([values[field] for field in fields])
        title = f"{group} · {faults}" if faults else group
        with st.expander(title, expanded=bool(faults)):
            edit_group(group, [values[field] for field in fields])


def find_group_faults(values: Iterable[SettingValue]) -> str:
    """Return in Markdown how many of some settings cannot be used; "" for none."""
    faults = sum(bool(value.fault) for value in values)
    if not faults:
        return ""
    return f":red[✕ {faults} {'setting' if faults == 1 else 'settings'} cannot be used]"


def edit_group(group: str, values: list[SettingValue]) -> None:
    """Draw the form of a group of settings, and save what is changed in it.

    Before a secret is saved, a question below the form says where it will be written.
    """
    saved_group, sentence = st.session_state.get(_SAVED, ("", ""))
    if saved_group == group:
        st.success(sentence, icon=":material/check:")
        del st.session_state[_SAVED]
    with st.form(f"settings {group}", border=False):
        grid = st.grid("auto", min_column_width=280)
        texts = {value.field: _show_value(grid, value) for value in values}
        if any(value.editable for value in values):
            pressed = change_form_button("Save", icon=":material/save:", key=f"save {group}")
        else:
            pressed = change_form_button("Save", disabled=True, key=f"save {group}")
    if pressed:
        with reported():
            _check_and_save(group, _find_changes(values, texts))
    asked_group, changes = st.session_state.get(_ASKED, ("", {}))
    if asked_group == group:
        _confirm(group, changes)


def _show_value(grid: DeltaGenerator, value: SettingValue) -> str:
    """Draw one setting and return the text of its field; for a secret only a new text."""
    key = _key_of(value)
    first_text = _first_text(value)
    cell = grid.container(gap="xsmall")
    kind = Settings.model_fields[value.field].annotation
    if value.secret:
        text = cell.text_input(
            value.label,
            type="password",
            key=key,
            placeholder="•••••••• (type to replace it)" if value.is_set else "",
            disabled=not value.editable,
            autocomplete="off",
        )
    elif first_text in (options := _options(kind)) and not value.fault:
        text = cell.selectbox(
            value.label,
            options,
            index=options.index(first_text),
            key=key,
            disabled=not value.editable,
        )
    else:
        text = cell.text_input(
            value.label,
            value=first_text,
            key=key,
            disabled=not value.editable,
        )
    cell.caption(_describe(value))
    removable = value.secret and value.is_set and value.editable
    if removable and cell.checkbox(f"Remove {value.label}", key=f"remove {key}"):
        return _REMOVE
    return (text or "").strip()


def _key_of(value: SettingValue) -> str:
    return f"{value.field} {st.session_state.get(_SAVES, 0)}"


def _first_text(value: SettingValue) -> str:
    """Return the text with which a setting was first shown in this form.

    Somebody else may have saved another one since. It is no change of the person at this browser,
    whose field still has the text from before.
    """
    return str(st.session_state.setdefault(f"first {_key_of(value)}", value.text))


def _options(kind: object) -> list[str]:
    return list(get_args(kind)) if get_origin(kind) is Literal else []


def _describe(value: SettingValue) -> str:
    """Return a setting's variable and meaning and, on a second line, where its value is from."""
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
        state += f" · :material/lock: change it {where}"
    return f"`{value.variable}` · {plain(value.description)}  \n{state}"


def _find_changes(values: list[SettingValue], texts: Mapping[str, str]) -> dict[str, str]:
    """Return the new text of each changed setting; an empty text means its default."""
    changes = {}
    for value in values:
        text = texts[value.field]
        default = Settings.model_fields[value.field].default
        if not value.editable:
            continue
        if value.secret:
            if text:
                changes[value.field] = "" if text == _REMOVE else text
        elif text != _first_text(value):
            changes[value.field] = "" if text == str(default) else text
    return changes


def _check_and_save(group: str, changes: dict[str, str]) -> None:
    """Save changes, or have them confirmed first if secrets are among them."""
    st.session_state.pop(_ASKED, None)
    if not changes:
        st.info("Nothing has changed, so nothing was saved.")
        return
    faults = [
        f"{source.variable_name(field)} {fault}"
        for field, text in changes.items()
        if text and (fault := find_fault(field, text))
    ]
    if faults:
        raise UsageError(
            "Nothing was saved: " + "; ".join(f.rstrip(".") for f in faults) + ".",
            cure="Correct what is named, then save again.",
        )
    if any(source.is_secret(field) for field in changes):
        st.session_state[_ASKED] = (group, changes)
    else:
        _save(group, changes)


def _confirm(group: str, changes: dict[str, str]) -> None:
    """Ask whether secrets shall be written to a file, and save the changes if so.

    No dialog: the form may be in a popover, which would hide it.
    """
    names = [source.variable_name(f) for f in changes if source.is_secret(f)]
    st.markdown(
        f"**{plain(', '.join(names))}** will be written to"
        if any(changes[f] for f in changes if source.is_secret(f))
        else f"**{plain(', '.join(names))}** will be removed from"
    )
    st.code(str(source.SECRETS_PATH.resolve()), language=None, wrap_lines=True)
    st.markdown(
        "Only your user can read that file, and git ignores it. The rest of it stays unchanged. "
        "The app never shows, logs or exports a secret."
    )
    row = st.container(horizontal=True)
    if change_button(row, ":orange[**Write**]", type="primary", key="confirm"):
        with reported():
            _save(group, changes)
    if row.button("Cancel", key="cancel"):
        del st.session_state[_ASKED]
        st.rerun()


def _save(group: str, changes: dict[str, str]) -> None:
    require_editor()
    st.session_state.pop(_ASKED, None)
    save_values(changes)
    names = ", ".join(source.variable_name(field) for field in changes)
    st.session_state[_SAVED] = (group, f"Saved: {plain(names)}.")
    st.session_state[_SAVES] = st.session_state.get(_SAVES, 0) + 1
    forget_plans_and_ledger()
    st.rerun()
