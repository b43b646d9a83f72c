"""Draw a conversation: the first question, Stop, the answers, and a follow-up question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.answers.comparison_view import show_comparison
from pages.components.answers.conversation import AnswerPair, make_comparison
from pages.components.answers.model_picker import pick_model, picked_models
from pages.components.common.access import can_edit, change_button
from pages.components.common.safe_markdown import inert
from pipeline.answers.documents.retrieval import Passage
from pipeline.answers.model.prompts import Side
from pipeline.answers.model.providers import open_model
from pipeline.answers.truths.truths import GroundTruth
from pipeline.core.settings.settings import load_settings

_PRESSED = "comparison to start"  # set by the button, before the page is drawn
_DRAWN = "comparison that was drawn"  # the newest that was not started


def conversation_about(subject: str) -> list[AnswerPair]:
    """Return the session's conversation about "documents" or "trips"."""
    comparisons: list[AnswerPair] = st.session_state.setdefault(f"conversation about {subject}", [])
    return comparisons


def is_running(subject: str) -> bool:
    """Return whether an answer of a conversation is arriving."""
    return any(comparison.running for comparison in conversation_about(subject))


def pressed_comparison() -> AnswerPair | None:
    """Return the comparison whose button was pressed, once."""
    pressed: AnswerPair | None = st.session_state.pop(_PRESSED, None)
    return pressed


def new_comparison(
    question: str, passages: Sequence[Passage], truth: GroundTruth | None = None
) -> AnswerPair:
    """Return a comparison that starts a conversation, with the options chosen on the page.

    Every rerun makes a new one until the question is asked. Judgements of pasted answers are
    carried over while question and passages stay the same.
    """
    comparison = _make(question, passages, truth, ())
    before: AnswerPair | None = st.session_state.get(_DRAWN)
    if before and (before.number, before.question, before.passages) == (
        comparison.number,
        comparison.question,
        comparison.passages,
    ):
        comparison.judgements = before.judgements
    st.session_state[_DRAWN] = comparison
    return comparison


def _make(
    question: str,
    passages: Sequence[Passage],
    truth: GroundTruth | None,
    earlier: Sequence[AnswerPair],
) -> AnswerPair:
    number = st.session_state.setdefault("comparison number", 1)
    may_abstain = bool(st.session_state.get("may abstain", True))
    return make_comparison(number, question, passages, truth, earlier, may_abstain=may_abstain)


def start_comparison(
    subject: str, comparison: AnswerPair, models: Mapping[Side, str] | None = None
) -> None:
    """Ask both sides, and add the comparison to its conversation.

    Args:
        subject: "documents" or "trips".
        comparison: What is asked.
        models: The model of each side; by default those that are picked.
    """
    comparison.start(load_settings(), models or picked_models())
    conversation_about(subject).append(comparison)
    st.session_state["comparison number"] = comparison.number + 1


def pick_asking_options(*, fixed: bool) -> None:
    """Draw the model and whether the plain side may abstain; `fixed` while a conversation lasts."""
    pick_model(fixed=fixed)
    st.toggle(
        "The plain side may say it does not know",
        value=True,
        key="may abstain",
        persist_state="session",
        disabled=fixed,
        help="The side with sources always may.",
    )


def offer_to_ask(row: DeltaGenerator, subject: str, comparison: AnswerPair) -> None:
    """Draw a comparison that is not started, and in `row` the button that starts it.

    The button only notes what to start: a page that a click leaves half drawn and that is drawn
    again is empty for a moment.
    """
    model = open_model(load_settings())
    label = ":material/forum: **Ask both**"
    change_button(
        row.empty().container(width="content"),  # alone, it would stay while it has the focus
        f":orange[{label}]" if model.is_ready else label.replace("**", ""),
        type="primary",
        disabled=not model.is_ready,
        key=f"ask {subject}",
        help=None if model.is_ready else f"{model.label} is not set up.",
        on_click=lambda: st.session_state.update({_PRESSED: comparison}),
    )
    show_comparison(comparison, newest=True)


def show_conversation(
    row: DeltaGenerator, subject: str, search: Callable[[str], list[Passage]]
) -> None:
    """Draw a conversation, then the input for a follow-up question.

    What was picked for the first question stays where it was, so that nothing moves while the
    answers are read.

    Args:
        row: Where the buttons of the first question go.
        subject: "documents" or "trips".
        search: Returns the sources of a follow-up question.
    """
    comparisons = conversation_about(subject)
    _offer_stop(row.empty(), subject, comparisons, 0)
    if row.button("New question", icon=":material/add:", key=f"new {subject}"):
        for comparison in comparisons:
            comparison.stop()
        comparisons.clear()
        st.rerun()
    answers, below = st.container(), st.empty()
    with answers:
        for position, comparison in enumerate(comparisons):
            if position:
                heading = st.container(horizontal=True, vertical_alignment="center")
                heading.header(inert(comparison.question), anchor=False)
                _offer_stop(heading, subject, comparisons, position)
            show_comparison(comparison, newest=comparison is comparisons[-1])
    if not is_running(subject):
        with below.container():
            _ask_follow_up(subject, comparisons, search)


def _offer_stop(
    place: DeltaGenerator, subject: str, comparisons: Sequence[AnswerPair], position: int
) -> None:
    """Draw Stop, disabled once both sides have answered: it never disappears under a click."""
    place.button(
        "Stop",
        icon=":material/stop:",
        key=f"stop {subject} {position}",
        disabled=not comparisons[position].running,
        on_click=comparisons[position].stop,
    )


def _ask_follow_up(
    subject: str, comparisons: Sequence[AnswerPair], search: Callable[[str], list[Passage]]
) -> None:
    question = st.chat_input(
        "A follow-up question, to both sides",
        key=f"follow-up {subject}",
        max_chars=2000,
        disabled=not can_edit(),
    )
    if not question or not can_edit():
        return
    newest = comparisons[-1]
    # A follow-up alone ("and since when?") finds little, so the question before it helps.
    passages = search(f"{newest.question} {question}")
    comparison = _make(str(question), passages, newest.truth, comparisons)
    start_comparison(subject, comparison, newest.models)
    st.rerun()
