"""The Answers page: ask a model with and without sources, and check both answers side by side."""

from __future__ import annotations

import streamlit as st

from pages.components.answers.ask_view import ask_about_trips, ask_documents, show_key_notice
from pages.components.answers.conversation_view import is_running
from pages.components.answers.demo_view import show_demo
from pages.components.answers.document_view import open_documents, show_documents
from pages.components.answers.page_link import URL, VIEWS, adopt_link, current_link
from pages.components.answers.price_view import show_prices
from pages.components.answers.suite_view import show_suites
from pages.components.common.frame import page_title
from pages.components.common.messages import reported
from pages.components.common.navigation import require_app
from pages.components.common.themed import follow_theme

require_app()


def show_page() -> None:
    """Draw everything below the title."""
    URL.load(adopt_link)
    URL.show_problems()
    documents = open_documents().documents()
    view = st.segmented_control(
        "View",
        list(VIEWS),
        format_func=lambda name: f":yellow[{VIEWS[name]}]",
        default=None if "view" in st.session_state else "demo",
        required=True,
        label_visibility="collapsed",
        key="view",
        persist_state="session",
    )
    with reported():
        if view == "demo":
            show_demo()
        elif view == "library":
            show_documents(documents)
        elif view == "trips":
            show_key_notice()
            ask_about_trips()
        elif view == "suites":
            show_suites()
        else:
            show_key_notice()
            ask_documents(documents)
    below = st.empty()
    # Prices would move while answers arrive above them.
    if view not in ("demo", "library") and not is_running(str(view)):
        with below.container(), reported():
            show_prices()
    URL.save(None)  # the heartbeat writes the address, because a question changes at each letter


def keep_up() -> None:
    """Keep the page's address, and draw the page again when the theme changes."""
    URL.confirm(current_link())
    follow_theme()


page_title("Answers", heartbeat=keep_up)
with reported():
    show_page()
