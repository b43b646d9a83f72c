"""The Preview page: look into a trip file before or after it is loaded, and load it."""

from __future__ import annotations

import streamlit as st

from pages.components.common.frame import page_title
from pages.components.common.messages import reported
from pages.components.common.navigation import require_app
from pages.components.common.source_consent import may_be_asked, offer_to_ask
from pages.components.common.themed import follow_theme
from pages.components.preview.facts import show_facts, show_table_facts
from pages.components.preview.file_picker import choose_file, confirm_file
from pages.components.preview.look import await_preview, offer_others
from pages.components.preview.tabs import show_table_tabs, show_tabs
from pipeline.preview.table import TablePreview

require_app()


def show_page() -> None:
    """Draw everything below the title."""
    chosen, preview = None, None
    with reported():
        chosen = choose_file()
        if chosen is None:
            st.info("Choose a source, folder or URL, or a file of your own, to see what is in it.")
        elif chosen.source is not None and not may_be_asked(chosen.source):
            offer_to_ask(chosen.source)
            return
        else:
            preview = await_preview(chosen)
    if chosen is None or preview is None:
        offer_others(chosen)
        return
    with reported():
        if isinstance(preview, TablePreview):
            show_table_facts(preview)
            show_table_tabs(preview)
        else:
            show_facts(preview, chosen)
            show_tabs(preview)


def keep_up() -> None:
    """Restore the page's query parameters, and redraw the chart when the theme changes."""
    confirm_file()
    follow_theme()


page_title("Preview", heartbeat=keep_up)
show_page()
