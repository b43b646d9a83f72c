"""Draw the demonstration: one question, one button, both answers beside each other."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.components.answers.comparison_view import watch_answer
from pages.components.answers.conversation import AnswerPair, make_comparison
from pages.components.answers.conversation_view import pick_asking_options
from pages.components.answers.model_picker import picked_models
from pages.components.answers.result_view import show_result, show_tabs
from pages.components.answers.truth_view import newest_truth
from pages.components.common.access import can_edit, change_button
from pages.components.common.safe_markdown import inert
from pipeline.answers.check.claims import is_abstention
from pipeline.answers.comparisons import AnswerComparison, ComparisonStore, SideAnswer, model_answer
from pipeline.answers.demo import (
    QUESTIONS,
    TRIPS,
    exact_answer,
    example_id,
    example_name,
    find_demo_passages,
    make_example,
    make_trips_example,
    score_words,
)
from pipeline.answers.model.prices import read_prices
from pipeline.answers.model.prompts import Side
from pipeline.answers.model.providers import open_model
from pipeline.answers.truths.truths import GroundTruth
from pipeline.core.errors import StorageError, UsageError
from pipeline.core.settings.settings import load_settings

SHOWN = "shown comparison"  # its id, which is in the page's address
_PAIR = "comparison of the demo"  # while its answers arrive
_UNSAVED = "comparisons of this session"  # that may not or could not be stored
_NOT_KEPT = "comparison that was not kept"  # its id and why
_MOST_PASTED = 20_000  # characters


def is_kept(id: str) -> bool:
    """Return whether there is a comparison with an id, kept here or in this session.

    Raises StorageError if those that are kept cannot be read.
    """
    if id in st.session_state.get(_UNSAVED, {}):
        return True
    try:
        ComparisonStore(load_settings().comparisons_path).find(id)
    except UsageError:
        return False
    return True


def show_demo() -> None:
    """Draw the questions and the button, then the answers as far as there are some."""
    st.markdown("**Same question, same model, only one side gets the source.**")
    names = [*QUESTIONS, TRIPS]
    name = st.radio(
        "Question",
        names,
        format_func=_in_words,
        key="demo question",
        persist_state="session",
        on_change=lambda: st.session_state.pop(SHOWN, None),
    )
    truth = newest_truth() if name == TRIPS else None
    if name == TRIPS and truth is None and not st.session_state.get(SHOWN):
        return
    _offer_to_start(str(name), truth)
    pair: AnswerPair | None = st.session_state.get(_PAIR)
    if pair is not None:
        _show_arriving(pair)
    elif comparison := _find_shown(truth):
        _warn_if_not_kept(comparison.id)
        show_result(comparison)
        _show_lower_part(comparison)


def _in_words(name: str) -> str:
    if name == TRIPS:
        return "How many trips were there in a month that is loaded here?"
    return QUESTIONS[name].question


def _offer_to_start(name: str, truth: GroundTruth | None) -> None:
    model = open_model(load_settings())
    row = st.container(horizontal=True, vertical_alignment="center")
    if model.is_ready and change_button(
        row,
        ":orange[:material/forum: **Ask both**]",
        type="primary",
        key="ask demo",
        disabled=st.session_state.get(_PAIR) is not None,
    ):
        _start(name, truth)
        st.rerun()
    label = "Show an example" if model.is_ready else ":orange[**Show both answers**]"
    if row.button(
        label,
        type="secondary" if model.is_ready else "primary",
        key="show example",
    ):
        st.session_state[SHOWN] = example_id(name)
        st.session_state.pop(_PAIR, None)
    if model.is_ready:
        with row.popover("Options"):
            pick_asking_options(fixed=False)
        row.caption(inert(model.data_notice))
    else:
        row.page_link("pages/setup.py", label="Set up a model", icon=":material/key:")
        row.caption(
            "Without a model you see examples that were written for this page; their verdicts are "
            "computed here. Gemini needs a key, a local server such as Ollama only its address."
        )


def _start(name: str, truth: GroundTruth | None) -> None:
    """Ask both sides the picked question."""
    settings = load_settings()
    number = st.session_state.setdefault("comparison number", 1)
    st.session_state["comparison number"] = number + 1
    question = truth.question if truth else QUESTIONS[name].question
    passages = [] if truth else find_demo_passages(name, settings)
    may_abstain = bool(st.session_state.get("may abstain", True))
    pair = make_comparison(number, question, passages, truth, (), may_abstain=may_abstain)
    pair.start(settings, picked_models())
    st.session_state[_PAIR] = pair
    st.session_state.pop(SHOWN, None)


def _show_arriving(pair: AnswerPair) -> None:
    """Draw both answers while they arrive; once they have, store the comparison and show it."""
    if not pair.running:
        comparison = _to_comparison(pair)
        del st.session_state[_PAIR]
        _show_next(comparison)
    st.button("Stop", icon=":material/stop:", key="stop demo", on_click=pair.stop)
    for side, place in zip(Side, st.columns(2, gap="medium"), strict=True):
        with place:
            st.subheader(side.label, anchor=False)
            with st.container(border=True):
                watch_answer(pair, side, newest=False, running=True)


def _to_comparison(pair: AnswerPair) -> AnswerComparison:
    prices = read_prices(load_settings())
    sides: dict[Side, SideAnswer] = {}
    for side, call in pair.calls.items():
        text = call.checked_text
        score = ""
        if pair.truth and text.strip():
            score = score_words(pair.truth, side, text, abstained=is_abstention(text))
        problem = "Stopped." if call.stopped else str(call.error or "")
        sides[side] = model_answer(
            call.response, pair.prompts[side].text(), prices, call.checked_text, problem, score
        )
    exact = exact_answer(pair.truth) if pair.truth else None
    return AnswerComparison(pair.question, sides, tuple(pair.passages), exact)


def _show_next(comparison: AnswerComparison) -> None:
    """Store a comparison and rerun the page to show it.

    One that cannot be stored stays in this session: its answers may have cost money.
    """
    state = st.session_state
    problem = ""
    if can_edit():
        try:
            comparison = ComparisonStore(load_settings().comparisons_path).save(comparison)
        except StorageError as error:
            problem = str(error)
    if not comparison.id:
        unsaved = state.setdefault(_UNSAVED, {})
        comparison = replace(comparison, id=f"unsaved-{len(unsaved) + 1}")
        unsaved[comparison.id] = comparison
    state[_NOT_KEPT] = (comparison.id, problem)
    state[SHOWN] = comparison.id
    st.rerun()


def _warn_if_not_kept(id: str) -> None:
    """Warn that the displayed comparison could not be stored, with the cause."""
    of, problem = st.session_state.get(_NOT_KEPT, ("", ""))
    if problem and of == id:
        st.warning(
            f"These answers could not be kept: the address of this page leads to them only until "
            f"it is closed. “Handout” downloads them.  \n{inert(problem)}",
            icon=":material/save:",
        )


def _find_shown(truth: GroundTruth | None) -> AnswerComparison | None:
    """Return the comparison that the address or a button asks for, if there is one."""
    id = str(st.session_state.get(SHOWN) or "")
    if name := example_name(id):
        if name == TRIPS:
            return make_trips_example(truth) if truth else None
        return make_example(name, load_settings())
    unsaved: dict[str, AnswerComparison] = st.session_state.get(_UNSAVED, {})
    if id in unsaved:
        return unsaved[id]
    return ComparisonStore(load_settings().comparisons_path).find(id) if id else None


def _show_lower_part(comparison: AnswerComparison) -> None:
    """Draw the tabs: sources, prompts, figures, and where an answer can be pasted."""
    with show_tabs(comparison):
        if comparison.exact:
            st.caption("Paste answers about trips under “Ask about the loaded trips”.")
            return
        st.caption(
            "Ask any chatbot the same question and paste its answer: it is checked like a model's."
        )
        side = st.segmented_control(
            "In place of",
            list(Side),
            default=Side.PLAIN,
            required=True,
            format_func=lambda side: f":yellow[{side.label}]",
            key=f"pasted side {comparison.id}",
        )
        text = st.text_area(
            f"An answer to “{inert(comparison.question)}”",
            key=f"pasted text {comparison.id}",
            height=160,
            max_chars=_MOST_PASTED,
        )
        if st.button("Check it", key=f"check {comparison.id}") and str(text or "").strip():
            _show_next(comparison.with_pasted(side or Side.PLAIN, str(text)))
