"""The Setup page: what is set up, whether it works, and every setting."""

from __future__ import annotations

import streamlit as st

from pages.components.common.export_panel import offer_export
from pages.components.common.frame import page_title
from pages.components.common.messages import reported
from pages.components.common.navigation import require_app
from pages.components.setup.cards import show_cards
from pages.components.setup.doctor import is_examining, show_doctor
from pages.components.setup.sample import show_sample
from pages.components.setup.settings import show_more_settings
from pipeline import __version__
from pipeline.ops.setting_values import read_values

require_app()


def show_page() -> None:
    """Draw everything below the title."""
    values = read_values()
    groups: set[str] = set()
    was_running = is_examining()
    with reported():  # with settings that cannot be used, every group is below
        groups = show_cards(values)
        show_sample()
        offer_export("setup-export")
    # Tabs, because the results of the doctor come one by one and would move what is below them.
    doctor, more = st.tabs([":yellow[Doctor]", ":yellow[More settings]"], key="setup tab")
    with doctor:
        show_doctor(was_running=was_running)
    with more:
        show_more_settings(values, groups)
        st.caption(f"Fareground {__version__}")  # not below the tabs, where results would move it


page_title("Setup")
with reported():
    show_page()
