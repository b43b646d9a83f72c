"""The same question with and without sources, side by side, with what is known of each answer."""

from __future__ import annotations

from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.compare import show_round, stop_all
from pages.shared.conversation import Round, make_round
from pages.shared.documents import documents, show_documents
from pages.shared.finding import find_passages, pick_way
from pages.shared.frame import reported, require_app, stand
from pages.shared.models import pick_model, picked_model
from pages.shared.neutral import inert
from pages.shared.people import change_button, may_change
from pages.shared.prices import show_prices
from pages.shared.suites import show_suites
from pages.shared.themed import follow_theme
from pages.shared.truths import pick_truth, show_asked
from pipeline.answers.documents import Document
from pipeline.answers.gemini import has_key
from pipeline.answers.retrieval import Passage
from pipeline.answers.truths import Truth
from pipeline.settings import load_settings

require_app()

_QUESTION = 68  # pixels: a text field with its label
_SHORT = 80  # characters: two lines on a phone
_TOLD = "the button to ask was pressed"

VIEWS = {
    "documents": "Ask documents",
    "trips": "Ask about the loaded trips",
    "kept": "Documents",
    "suites": "Question sets",
}


def show_page() -> None:
    """Draw everything below the title."""
    show_key_line()
    kept = documents().documents()
    view = st.segmented_control(
        "View",
        list(VIEWS),
        format_func=lambda name: f":yellow[{VIEWS[name]}]",
        default="documents" if kept else "kept",
        required=True,
        label_visibility="collapsed",
        key="view",
        persist_state="session",
    )
    with reported():
        if view == "kept":
            show_documents(kept)
        elif view == "trips":
            ask_about_trips()
        elif view == "suites":
            show_suites()
        else:
            ask_documents(kept)
    below = st.empty()
    # Not while answers are on their way: it would be pushed down by what is said of them.
    if view != "kept" and not is_running(str(view)):
        with below.container(), reported():
            show_prices()


def show_key_line() -> None:
    """Say how a model is asked from here, or what works without one."""
    if has_key(load_settings()):
        st.caption(
            "Questions and sources go to the model's provider, which may use what is sent on its "
            "free tier."
        )
        return
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    row.markdown(
        ":material/key_off: No Gemini API key, so nothing is asked. Search, prompts to copy, exact "
        "answers about the trips, and checking of any pasted answer work. With a key of the free "
        "tier, the provider may use what is sent.",
        width="stretch",
    )
    row.page_link("pages/setup.py", label="Add a key", icon=":material/key:")


def ask_documents(kept: list[Document]) -> None:
    """Draw a comparison over documents."""
    if not kept:
        st.info("There is no document to ask yet.")
        st.button(
            "Add a document",
            icon=":material/add:",
            key="add document",
            on_click=lambda: st.session_state.update(view="kept"),
        )
        return
    rounds = rounds_of("documents")
    typed = str(st.session_state.get("question") or "").strip()
    if st.session_state.pop(_TOLD, None) and typed:  # which may be newer than what was drawn
        begin("documents", first_round(typed, find_passages(typed, kept), None), picked_model())
    question = pick_question(rounds)
    row = st.container(horizontal=True)
    with row.popover("Options"):
        pick_way(question, kept, fixed=bool(rounds))
        pick_terms(fixed=bool(rounds))
    passages = rounds[0].passages if rounds else find_passages(question, kept)
    if question and not passages:
        st.info("No passage has a word of the question. Put it in other words.")
    if rounds:
        continue_rounds(row, "documents", rounds, kept)
    elif question:
        offer_ask(row, "documents", first_round(question, passages, None))
    else:
        st.caption("Type a question: the passages that may answer it show as you type.")


def pick_question(rounds: list[Round]) -> str:
    """Draw the place for a question and return it; once it is asked, it stands there as text."""
    if rounds:
        question = rounds[0].question
        # As high as the widget, so that nothing below it moves, if it can be read whole in there.
        height: Literal["content"] | int = _QUESTION if len(question) <= _SHORT else "content"
        place = st.container(height=height, border=False, vertical_alignment="center")
        place.markdown(f"**{inert(question)}**")
        return question
    typed = st.text_input(
        "Question",
        key="question",
        placeholder="What is new, and when was it released?",
        max_chars=2000,
        live=True,
        persist_state="session",
    )
    return str(typed or "").strip()


def ask_about_trips() -> None:
    """Draw a comparison over the loaded trips, whose exact answer is known."""
    rounds = rounds_of("trips")
    if told := st.session_state.pop(_TOLD, None):
        begin("trips", told, picked_model())
    truth = rounds[0].truth if rounds else pick_truth()
    if truth is None:
        return
    if rounds:
        show_asked(truth)
    row = st.container(horizontal=True)
    with row.popover("Options"):
        pick_terms(fixed=bool(rounds))
    if rounds:
        continue_rounds(row, "trips", rounds, [])
    else:
        offer_ask(row, "trips", first_round(truth.question, [], truth))


def pick_terms(*, fixed: bool) -> None:
    """Draw on which terms both sides are asked."""
    pick_model(load_settings(), fixed=fixed)
    st.toggle(
        "The plain side may say it does not know",
        value=True,
        key="may abstain",
        persist_state="session",
        disabled=fixed,
        help="The side with sources always may.",
    )


def first_round(question: str, passages: list[Passage], truth: Truth | None) -> Round:
    """Return a round that begins a conversation, on the terms that are picked."""
    number = st.session_state.setdefault("round number", 1)
    may_abstain = bool(st.session_state.get("may abstain", True))
    return make_round(number, question, passages, truth, (), may_abstain=may_abstain)


def offer_ask(row: DeltaGenerator, subject: str, current: Round) -> None:
    """Draw the round that is about to be asked, and the button that asks it.

    It is asked before anything is drawn anew: a page that is left half drawn and drawn again is
    empty for a moment.
    """
    ready = has_key(load_settings())
    change_button(
        row.empty().container(width="content"),  # alone, it would stay while it has the focus
        ":orange[:material/forum: **Ask both**]" if ready else ":material/forum: Ask both",
        type="primary",
        disabled=not ready,
        key=f"ask {subject}",
        help=None if ready else "This needs a Gemini API key.",
        on_click=lambda: st.session_state.update({_TOLD: current}),
    )
    show_round(current, newest=True)


def begin(subject: str, current: Round, model: str) -> None:
    """Ask both sides, and take the round into its conversation."""
    current.start(load_settings(), model)
    rounds_of(subject).append(current)
    st.session_state["round number"] = current.number + 1


def continue_rounds(
    row: DeltaGenerator, subject: str, rounds: list[Round], kept: list[Document]
) -> None:
    """Draw a conversation, with Stop beside its newest question, then the place for a follow-up.

    What was picked for the first question stays where it was, so that nothing moves while the
    answers are read.
    """
    offer_stop(row.empty(), subject, rounds, 0)
    if row.button("New question", icon=":material/add:", key=f"new {subject}"):
        stop_all(rounds)
        rounds.clear()
        st.rerun()
    turns, below = st.container(), st.empty()
    with turns:
        for position, current in enumerate(rounds):
            if position:
                head = st.container(horizontal=True, vertical_alignment="center")
                head.header(inert(current.question), anchor=False)
                offer_stop(head, subject, rounds, position)
            show_round(current, newest=current is rounds[-1])
    if not is_running(subject):
        with below.container():
            follow_up(subject, rounds, kept)


def offer_stop(place: DeltaGenerator, subject: str, rounds: list[Round], position: int) -> None:
    """Draw Stop beside a question; without use once both have answered, but never gone."""
    place.button(
        "Stop",
        icon=":material/stop:",
        key=f"stop {subject} {position}",
        disabled=not rounds[position].running,
        on_click=stop_all,
        args=([rounds[position]],),
    )


def follow_up(subject: str, rounds: list[Round], kept: list[Document]) -> None:
    """Draw a question that goes on with the conversation."""
    question = st.chat_input(
        "A follow-up question, to both sides",
        key=f"follow-up {subject}",
        max_chars=2000,
        disabled=not may_change(),
    )
    if not question or not may_change():
        return
    newest = rounds[-1]
    # A follow-up alone ("and since when?") finds little: the question before it is searched too.
    asked = f"{newest.question} {question}"
    passages = find_passages(asked, kept, now=True) if kept else []
    current = make_round(
        st.session_state["round number"],
        str(question),
        passages,
        newest.truth,
        rounds,
        may_abstain=bool(st.session_state.get("may abstain", True)),
    )
    begin(subject, current, newest.model)
    st.rerun()


def is_running(subject: str) -> bool:
    """Whether an answer of the conversation about documents or trips is on its way."""
    return any(current.running for current in rounds_of(subject))


def rounds_of(subject: str) -> list[Round]:
    """Return the conversation of this session about documents or trips."""
    rounds: list[Round] = st.session_state.setdefault(f"rounds about {subject}", [])
    return rounds


stand("Answers", beat=follow_theme)
with reported():
    show_page()
