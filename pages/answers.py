"""The same question with and without sources, side by side, with what is known of each answer."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.compare import show_round, stop_all
from pages.shared.conversation import Round, make_round
from pages.shared.documents import documents, show_documents
from pages.shared.finding import find_passages, pick_passages
from pages.shared.frame import reported, require_app, stand
from pages.shared.models import pick_model
from pages.shared.neutral import inert
from pages.shared.people import change_button, may_change
from pages.shared.prices import show_prices
from pages.shared.suites import show_suites
from pages.shared.truths import pick_truth
from pipeline.answers.documents import Document
from pipeline.answers.gemini import has_key
from pipeline.answers.retrieval import Passage
from pipeline.answers.truths import Truth
from pipeline.settings import load_settings

require_app()

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
    if view != "kept":
        with reported():
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
    above, below = places(rounds)
    if rounds:
        with below:
            continue_rounds("documents", rounds, kept)
        return
    with above:
        question = str(
            st.text_input(
                "Question",
                key="question",
                placeholder="What is new, and when was it released?",
                max_chars=2000,
                live=True,
                persist_state="session",
            )
            or ""
        ).strip()
        passages = pick_passages(question, kept)
        if not question:
            st.caption("Type a question: the passages that may answer it show as you type.")
            return
        if not passages:
            st.info("No passage has a word of the question. Put it in other words.")
    ask("documents", question, passages, None, above, below)


def ask_about_trips() -> None:
    """Draw a comparison over the loaded trips, whose exact answer is known."""
    rounds = rounds_of("trips")
    above, below = places(rounds)
    if rounds:
        with below:
            continue_rounds("trips", rounds, [])
        return
    with above:
        truth = pick_truth()
        if truth is None:
            return
        st.markdown(f"**{inert(truth.question)}**")
    ask("trips", truth.question, [], truth, above, below)


def places(rounds: list[Round]) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Return where a question is picked and where it is answered, one below the other.

    While answers stream in, the first is emptied at once: what it held would stay on the page,
    faded, until the last word has come.
    """
    return st.empty() if rounds else st.container(), st.container()


def ask(
    subject: str,
    question: str,
    passages: list[Passage],
    truth: Truth | None,
    above: DeltaGenerator,
    below: DeltaGenerator,
) -> None:
    """Draw the buttons and the round that is about to be asked; ask it when told to."""
    settings = load_settings()
    row = above.container(horizontal=True, vertical_alignment="bottom")
    model = pick_model(row, settings)
    may_abstain = row.toggle(
        "The plain side may say it does not know",
        value=True,
        key="may abstain",
        persist_state="session",
        help="The side with sources always may.",
    )
    number = st.session_state.setdefault("round number", 1)
    current = make_round(number, question, passages, truth, (), may_abstain=may_abstain)
    ready = has_key(settings)
    if change_button(
        row,
        ":orange[:material/forum: **Ask both**]" if ready else ":material/forum: Ask both",
        type="primary",
        disabled=not ready,
        key=f"ask {subject}",
        help=None if ready else "This needs a Gemini API key.",
    ):
        begin(subject, current, model)
    with below:
        show_round(current, newest=True)


def begin(subject: str, current: Round, model: str) -> None:
    """Ask both sides, and draw the page anew with them."""
    current.start(load_settings(), model)
    rounds_of(subject).append(current)
    st.session_state["round number"] = current.number + 1
    st.rerun()


def continue_rounds(subject: str, rounds: list[Round], kept: list[Document]) -> None:
    """Draw a conversation, with Stop while an answer is on its way, then a follow-up."""
    running = any(current.running for current in rounds)
    row = st.container(horizontal=True)
    row.button(
        "Stop",
        icon=":material/stop:",
        key=f"stop {subject}",
        disabled=not running,
        on_click=stop_all,
        args=(rounds,),
    )
    if row.button("New question", icon=":material/add:", key=f"new {subject}"):
        stop_all(rounds)
        rounds.clear()
        st.rerun()
    newest = rounds[-1]
    if newest.failed and change_button(
        row, "Ask again", icon=":material/replay:", disabled=running, key=f"again {subject}"
    ):
        newest.start(load_settings(), model_of(newest))
        st.rerun()
    for position, current in enumerate(rounds):
        show_round(current, newest=position == len(rounds) - 1)
    if not running:
        follow_up(subject, rounds, kept)


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
    begin(subject, current, model_of(newest))


def model_of(current: Round) -> str:
    """Return the model that both sides of a round were asked with."""
    return next(iter(current.asked.values())).reply.model


def rounds_of(subject: str) -> list[Round]:
    """Return the conversation of this session about documents or trips."""
    rounds: list[Round] = st.session_state.setdefault(f"rounds about {subject}", [])
    return rounds


stand("Answers")
with reported():
    show_page()
