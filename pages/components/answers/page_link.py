"""Read and write the query parameters of the Answers page: view, question and comparison."""

from __future__ import annotations

import streamlit as st

from pages.components.answers.ask_view import MOST_LETTERS
from pages.components.answers.demo_view import SHOWN, is_kept
from pages.components.common.params import describe_invalid
from pages.components.common.url_state import Params, UrlState
from pipeline.answers.demo import example_name
from pipeline.core.datasets import either_of
from pipeline.core.errors import StorageError

VIEWS = {
    "demo": "Demo",
    "documents": "Ask documents",
    "trips": "Ask about the loaded trips",
    "library": "Documents",
    "suites": "Question sets",
}
URL = UrlState(
    "the answers",
    params=("mode", "question", "answer"),
    widgets=("view", "question", "demo question", SHOWN),
)


def adopt_link(link: Params) -> list[str]:
    """Apply the parameters of a link to the session state; send no question to a model.

    Returns a sentence for each value that is invalid.
    """
    state, problems = st.session_state, []
    if mode := link.get("mode", [""])[-1]:
        if mode in VIEWS:
            state.view = mode
        else:
            problems.append(f"There is no mode {mode[:40]!r}: use {either_of(VIEWS)}.")
    if answer := link.get("answer", [""])[-1]:
        if name := example_name(answer):
            state["demo question"] = name
        if problem := "" if name else _problem_of(answer):
            problems.append(problem)
        else:
            state[SHOWN] = answer
            state.setdefault("view", "demo")
    question = link.get("question", [""])[-1].strip()
    if len(question) > MOST_LETTERS:
        problems.append(f"The question has more than {MOST_LETTERS:,} letters, so it is left out.")
    elif question:
        state.question = question
        state.setdefault("view", "documents")
    return problems


def _problem_of(answer: str) -> str:
    """Return a sentence saying why no comparison has this id; empty if one has."""
    instead = "The questions of the demo are shown."
    try:
        if is_kept(answer):
            return ""
    except StorageError as error:
        return f"{error} {instead}"
    return describe_invalid("answer", answer, "no such comparison is kept here", instead)


def current_link() -> Params | None:
    """Return the query parameters of what is shown, or None if nothing was chosen yet."""
    state = st.session_state
    mode = state.get("view")
    params = {"mode": [str(mode)]} if mode else {}
    question = str(state.get("question") or "").strip()
    if question and mode == "documents":
        params["question"] = [question]
    if mode == "demo" and (shown := str(state.get(SHOWN) or "")):
        params["answer"] = [shown]
    return params if params else None
