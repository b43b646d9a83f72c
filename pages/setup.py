"""The Setup page: what is set up, whether it works, and every setting."""

from __future__ import annotations

import streamlit as st

from pages.components.common.export_panel import offer_export
from pages.components.common.frame import page_title
from pages.components.common.messages import reported
from pages.components.common.navigation import require_app
from pages.components.common.tab_param import TabParam
from pages.components.common.url_state import UrlState
from pages.components.setup.cards import show_cards
from pages.components.setup.doctor import is_examining, show_doctor
from pages.components.setup.sample import show_sample
from pages.components.setup.settings import show_more_settings
from pipeline import __version__
from pipeline.ops.setting_values import read_values

_TABS = TabParam("setup tab", {"doctor": "Doctor", "settings": "More settings"})
_URL = UrlState("the setup", params=("tab",), widgets=(_TABS.key,))

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
    _URL.load(_TABS.adopt)
    _URL.show_problems()

    def show_settings() -> None:
        show_more_settings(values, groups)
        st.caption(f"Fareground {__version__}")  # not below the tabs, where results would move it

    # Tabs, because the results of the doctor come one by one and would move what is below them.
    _TABS.draw(
        {"doctor": lambda: show_doctor(was_running=was_running), "settings": show_settings},
        always=_TABS.titles,
    )
    _URL.save(_TABS.params())


page_title("Setup", heartbeat=_URL.confirm)
with reported():
    show_page()
