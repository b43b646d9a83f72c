"""The cards of the Setup page: for each thing to set up its state, a check, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.access import change_button
from pages.components.common.messages import reported
from pages.components.common.tasks import await_result
from pages.components.common.words import plain
from pages.components.setup.doctor import (
    GLYPH_MARKS,
    current_examination,
    is_examining,
    start_examination,
    worst_result,
)
from pages.components.setup.settings import edit_group, find_group_faults
from pipeline.answers.model import Model
from pipeline.answers.model.providers import all_models
from pipeline.core.access import is_required, read_lists
from pipeline.core.settings.settings import Settings, group_fields, load_settings
from pipeline.core.tasks import run_in_background
from pipeline.ops.setting_values import SettingValue
from pipeline.runs import notify
from pipeline.warehouse import Backend
from pipeline.warehouse.registry import DEFAULT_TARGET, all_backends

_MACHINE, _NOTIFICATIONS, _SIGN_IN = "This machine", "Notifications", "Sign-in"


@dataclass(frozen=True)
class SetupCard:
    """A thing to set up.

    Attributes:
        group: The group of its settings.
        state: Returns in words whether it is set up.
        checks: Names of the doctor's checks of it; none where it is tried in another way.
        target: The target whose checks they are.
        backend: The warehouse that it is, if it is one.
    """

    title: str
    icon: str
    group: str
    state: Callable[[Settings], str]
    checks: tuple[str, ...] = ()
    target: str = DEFAULT_TARGET
    backend: Backend | None = None


def show_cards(values: dict[str, SettingValue]) -> set[str]:
    """Draw the cards and return the groups of settings that can be edited in them.

    Args:
        values: The present value of every setting, by field.

    Raises UsageError for settings that cannot be used.
    """
    settings = load_settings()
    cards = list_cards(settings)
    grid = st.grid("auto", min_column_width=320)
    groups: set[str] = set()
    for card in cards:
        with grid.container(border=True), reported():
            # Two warehouses may have the settings of this machine; one card edits them.
            _show_card(card, settings, values, can_edit=card.group not in groups)
        groups.add(card.group)
    return groups


def list_cards(settings: Settings) -> list[SetupCard]:
    """Return the cards: the warehouses, then what can be set up beside them."""
    return [
        *(_warehouse_card(backend, settings) for backend in all_backends()),
        *map(_model_card, all_models(settings)),
        SetupCard(_NOTIFICATIONS, ":material/notifications:", _NOTIFICATIONS, _describe_channels),
        SetupCard(
            _SIGN_IN,
            ":material/lock:",
            _SIGN_IN,
            lambda _: "● on" if is_required(read_lists()) else "○ off: everybody may edit",
            ("sign-in",),
        ),
    ]


def _model_card(model: Model) -> SetupCard:
    default = model.default_model or "the first model that it lists"
    state = f"● ready: {default}" if model.is_ready else "○ not set up"
    return SetupCard(
        model.label, ":material/forum:", model.label, lambda _: state, (model.label.lower(),)
    )


def _warehouse_card(backend: Backend, settings: Settings) -> SetupCard:
    names = tuple(check.name for check in backend.checks(settings))
    file = backend.database(settings)

    def state(settings: Settings) -> str:
        return f"● {backend.storage}" if backend.is_configured(settings) else "○ not set up"

    return SetupCard(
        f"{backend.label} warehouse",
        ":material/database:" if file else ":material/cloud:",
        backend.label if backend.label in group_fields() else _MACHINE,
        state,
        ("settings", "folder", "disk", *names) if file else ("settings", *names),
        backend.name,
        backend,
    )


def _describe_channels(settings: Settings) -> str:
    channels = [
        "webhook" if settings.notify_webhook.get_secret_value() else "",
        "e-mail" if settings.notify_email else "",
    ]
    names = " and ".join(filter(None, channels))
    return f"● {names}" if names else "○ nobody is notified"


def _show_card(
    card: SetupCard, settings: Settings, values: dict[str, SettingValue], *, can_edit: bool
) -> None:
    fields = group_fields().get(card.group, ())
    st.markdown(f"##### {card.icon} {plain(card.title)}")
    faults = find_group_faults([values[field] for field in fields])
    st.markdown(faults or _checked_state(card) or plain(card.state(settings)))
    row = st.container(horizontal=True, vertical_alignment="center")
    busy = is_examining()
    if card.checks and change_button(
        row,
        "Check",
        icon=":material/stethoscope:",
        key=f"check {card.title}",
        disabled=busy,
        help="Show the result below, under Doctor.",
    ):
        start_examination(card.target, card.checks)
        st.rerun()
    if card.group == _NOTIFICATIONS:
        _offer_test(row, settings)
    # A file on this machine needs no setting up: the first backfill makes it.
    if card.backend is not None and card.backend.database(settings) is None:
        _offer_set_up(row, card, busy)
    if fields and can_edit:
        with row.popover("Edit", icon=":material/edit:"):
            edit_group(card.group, [values[field] for field in fields])


def _checked_state(card: SetupCard) -> str:
    """Return how the checks of a card went in the newest examination; "" if it has none of them.

    One line, whatever the checks found: a longer text would move what is below.
    """
    examination = current_examination()
    if examination is None or examination.target != card.target:
        return ""
    if not set(card.checks) & set(examination.check_names):
        return ""
    if not examination.task.done():
        return "◌ checking …"
    worst = worst_result(r for r in examination.results() if r.name in card.checks)
    if worst is None:
        return ""
    return f"{GLYPH_MARKS[worst.state]}" + ("" if worst.state == "ok" else f": {plain(worst.name)}")


def _offer_test(row: DeltaGenerator, settings: Settings) -> None:
    """Draw the button that sends a test notification, and say how that went."""
    if change_button(
        row, "Send a test notification", icon=":material/send:", key="send test notification"
    ):
        task = run_in_background(lambda: notify.send_test(settings), "test notification")
        for level, sentence in await_result(task, "Sending a test notification …"):
            show = st.success if level == "info" else st.warning
            show(plain(f"{sentence[0].upper()}{sentence[1:]}."))


def _offer_set_up(row: DeltaGenerator, card: SetupCard, busy: bool) -> None:
    """Draw the button that creates what a warehouse needs, and say what was created."""
    backend = card.backend
    assert backend is not None
    if change_button(
        row,
        "Set up",
        icon=":material/construction:",
        key=f"set up {backend.name}",
        disabled=busy or not backend.is_configured(load_settings()),
        help="Create what the warehouse needs and does not have; nothing else changes.",
    ):
        settings = load_settings()
        task = run_in_background(lambda: backend.set_up(settings), "set up")
        sentences = await_result(task, f"Setting up {backend.label} …")
        st.success("  \n".join(map(plain, sentences)), icon=":material/check:")
        start_examination(card.target, card.checks)
