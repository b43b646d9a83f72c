"""Draw the two views that ask a model: about documents, and about the loaded trips."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import streamlit as st

from pages.components.answers.conversation import AnswerPair
from pages.components.answers.conversation_view import (
    conversation_about,
    new_comparison,
    offer_to_ask,
    pick_asking_options,
    pressed_comparison,
    show_conversation,
    start_comparison,
)
from pages.components.answers.retrieval_options import find_passages, pick_retrieval
from pages.components.answers.truth_view import pick_truth, show_picked_truth
from pages.components.common.safe_markdown import inert
from pipeline.answers.documents.documents import Document
from pipeline.answers.model.providers import open_model
from pipeline.core.settings.settings import load_settings

_INPUT_HEIGHT = 68  # pixels: a text field with its label
MOST_LETTERS = 2000  # of a question
_SHORT_QUESTION = 80  # characters: two lines on a phone


def show_key_notice() -> None:
    """Say where questions go, or what works without a model."""
    model = open_model(load_settings())
    if model.is_ready:
        st.caption(inert(model.data_notice))
        return
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    row.markdown(
        ":material/key_off: No model is set up: give a Gemini key, or the address of a local "
        "server such as Ollama. Search, prompts to copy, exact answers about the trips, and "
        "checking of any pasted answer work without one.",
        width="stretch",
    )
    row.page_link("pages/setup.py", label="Set it up", icon=":material/key:")


def ask_documents(documents: Sequence[Document]) -> None:
    """Draw a conversation about documents."""
    if not documents:
        st.info("No documents are stored yet.")
        st.button(
            "Add a document",
            icon=":material/add:",
            key="add document",
            on_click=lambda: st.session_state.update(view="library"),
        )
        return
    conversation = conversation_about("documents")
    typed = str(st.session_state.get("question") or "").strip()
    if pressed_comparison() and typed:  # which may be newer than the comparison that was drawn
        comparison = new_comparison(typed, find_passages(typed, documents))
        start_comparison("documents", comparison)
    question = _pick_question(conversation)
    row = st.container(horizontal=True)
    with row.popover("Options"):
        pick_retrieval(question, documents, fixed=bool(conversation))
        pick_asking_options(fixed=bool(conversation))
    passages = conversation[0].passages if conversation else find_passages(question, documents)
    if question and not passages:
        st.info("No passage has a word of the question. Put it in other words.")
    if conversation:
        show_conversation(row, "documents", partial(find_passages, documents=documents, now=True))
    elif question:
        offer_to_ask(row, "documents", new_comparison(question, passages))
    else:
        st.caption("Type a question: the passages that may answer it show as you type.")


def _pick_question(conversation: Sequence[AnswerPair]) -> str:
    """Draw the input for a question and return it; the question of a conversation is text."""
    if conversation:
        question = conversation[0].question
        # As high as the input, so that nothing below moves, unless it is too long for that.
        height: Literal["content"] | int = "content"
        if len(question) <= _SHORT_QUESTION:
            height = _INPUT_HEIGHT
        place = st.container(height=height, border=False, vertical_alignment="center")
        place.markdown(f"**{inert(question)}**")
        return question
    typed = st.text_input(
        "Question",
        key="question",
        placeholder="What is new, and when was it released?",
        max_chars=MOST_LETTERS,
        live=True,
        persist_state="session",
    )
    return str(typed or "").strip()


def ask_about_trips() -> None:
    """Draw a conversation about the loaded trips, whose exact answer is known."""
    conversation = conversation_about("trips")
    if comparison := pressed_comparison():
        start_comparison("trips", comparison)
    truth = conversation[0].truth if conversation else pick_truth()
    if truth is None:
        return
    if conversation:
        show_picked_truth(truth)
    row = st.container(horizontal=True)
    with row.popover("Options"):
        pick_asking_options(fixed=bool(conversation))
    if conversation:
        show_conversation(row, "trips", lambda _question: [])
    else:
        offer_to_ask(row, "trips", new_comparison(truth.question, [], truth))
