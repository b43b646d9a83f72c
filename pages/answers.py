"""The Answers page: ask a model with and without sources, and check both answers side by side."""

from __future__ import annotations

import streamlit as st

from pages.components.answers.ask_view import (
    MOST_LETTERS,
    ask_about_trips,
    ask_documents,
    show_key_notice,
)
from pages.components.answers.conversation_view import is_running
from pages.components.answers.demo_view import SHOWN, is_kept, show_demo
from pages.components.answers.document_view import open_documents, show_documents
from pages.components.answers.price_view import show_prices
from pages.components.answers.suite_view import show_suites
from pages.components.common.frame import page_title
from pages.components.common.messages import reported
from pages.components.common.navigation import require_app
from pages.components.common.params import describe_invalid
from pages.components.common.themed import follow_theme
from pages.components.common.url_state import Params, UrlState
from pipeline.answers.demo import example_name
from pipeline.core.datasets import either_of

VIEWS = {
    "demo": "Demo",
    "documents": "Ask documents",
    "trips": "Ask about the loaded trips",
    "library": "Documents",
    "suites": "Question sets",
}
_URL = UrlState(
    "the answers",
    params=("mode", "question", "answer"),
    widgets=("view", "question", "demo question", SHOWN),
)

require_app()


def show_page() -> None:
    """Draw everything below the title."""
    _URL.load(_adopt)
    _URL.show_problems()
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
    _URL.save(None)  # the heartbeat writes the address, because a question changes at each letter


def _adopt(link: Params) -> list[str]:
    """Open the view of a link, and put its question into the field; nothing is asked."""
    state, problems = st.session_state, []
    if mode := link.get("mode", [""])[-1]:
        if mode in VIEWS:
            state.view = mode
        else:
            problems.append(f"There is no mode {mode[:40]!r}: use {either_of(VIEWS)}.")
    if answer := link.get("answer", [""])[-1]:
        if name := example_name(answer):
            state["demo question"] = name
        elif not is_kept(answer):
            instead = "The questions of the demo are shown."
            problems.append(
                describe_invalid("answer", answer, "no such comparison is kept here", instead)
            )
        if name or not problems:
            state[SHOWN] = answer
            state.setdefault("view", "demo")
    question = link.get("question", [""])[-1].strip()
    if len(question) > MOST_LETTERS:
        problems.append(f"The question has more than {MOST_LETTERS:,} letters, so it is left out.")
    elif question:
        state.question = question
        state.setdefault("view", "documents")
    return problems


def keep_up() -> None:
    """Keep the page's address, and draw the page again when the theme changes."""
    state = st.session_state
    mode = state.get("view")
    params = {"mode": [str(mode)]} if mode else {}
    question = str(state.get("question") or "").strip()
    if question and mode == "documents":
        params["question"] = [question]
    if mode == "demo" and (shown := str(state.get(SHOWN) or "")):
        params["answer"] = [shown]
    _URL.confirm(params if params else None)
    follow_theme()


page_title("Answers", heartbeat=keep_up)
with reported():
    show_page()
