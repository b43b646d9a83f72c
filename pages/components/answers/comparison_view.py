"""Draw two answers side by side while they arrive, then their verdicts, sources and costs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.answers.conversation import AnswerPair
from pages.components.answers.model_picker import offered_models
from pages.components.answers.passage_view import show_passages
from pages.components.answers.verdict_view import (
    show_claims,
    show_figures,
    show_numbers,
    show_score,
)
from pages.components.common.access import change_button
from pages.components.common.messages import reported, show_error, show_synthetic
from pages.components.common.safe_markdown import Anchor, inert, neutral
from pages.components.common.words import counted
from pipeline.answers.check.judge import Judgement, judge
from pipeline.answers.check.nli import judge_by_nli
from pipeline.answers.check.nli_model import open_nli
from pipeline.answers.model.call import ModelCall
from pipeline.answers.model.names import other_model_notice
from pipeline.answers.model.prices import read_prices
from pipeline.answers.model.prompts import Prompt, Side
from pipeline.answers.model.providers import choose_model, open_model
from pipeline.core.errors import ModelGone
from pipeline.core.settings.settings import load_settings

_REDRAW_SECONDS = 0.12
_LONG_TEXT = 10_000  # characters; beyond these the pace is that of so many in that time
_BOX_HEIGHT = 330  # pixels: a dozen lines, and less than the screen of a phone


def show_comparison(comparison: AnswerPair, *, newest: bool) -> None:
    """Draw both answers beside each other, then what is known of them.

    An answer has a box as high as its place was before it was asked for, and what follows is drawn
    once both have arrived: nothing moves away from somebody who reads or is about to click.
    """
    running = comparison.running
    if comparison.has_two_models:
        st.warning(
            "The sides use different models, so a difference between the answers need not come "
            "from the sources.",
            icon=":material/compare_arrows:",
        )
    for side, place in zip(Side, st.columns(2, gap="medium"), strict=True):
        with place:
            st.subheader(side.label, anchor=False)
            key = f"box {comparison.number} {side.label}"
            with st.container(border=True, height=_BOX_HEIGHT, key=key):
                if side in comparison.calls:
                    watch_answer(comparison, side, newest, running)
                else:
                    _show_paste_box(comparison, side)
            _show_prompt(comparison.prompts[side])
    below = st.empty()
    if not running:
        with below.container():
            _show_results(comparison)


@st.fragment(parallel=True)
def watch_answer(comparison: AnswerPair, side: Side, newest: bool, running: bool) -> None:
    """Draw one side's answer; those of both sides stream at the same time."""
    with reported():
        _show_answer(comparison, comparison.calls[side], side)
        if newest and not comparison.running and side in comparison.failed[:1]:
            _offer_to_ask_again(comparison)
        if running and not comparison.running:
            st.rerun()  # the results of both can be shown now


def _show_answer(comparison: AnswerPair, call: ModelCall, side: Side) -> None:
    # The plain side has no sources: a citation in its answer is made up and links nowhere.
    anchor: Anchor = comparison.anchor if side is Side.RAG else lambda _number: None
    # Without a slot an answer that has arrived before would be empty for a moment.
    slot = None if call.done() else st.empty()
    if slot:
        _stream(call, slot, anchor)
    response = call.response
    if response.text:
        (slot or st).markdown(neutral(response.text, anchor))
    elif slot:
        slot.empty()
    if call.stopped:
        st.info("◼ Stopped. What had come until then is shown.")
    elif call.error:
        show_error(call.error)
        if isinstance(call.error, ModelGone):
            model, _ = choose_model(load_settings(), comparison.models[side])
            names = ", ".join(offered_models(model))
            st.caption(f"The API offers: {inert(names)}" if names else "The API offers no others.")
    if notice := other_model_notice(response.model, response.model_version):
        st.warning(inert(notice), icon=":material/swap_horiz:")
    if response.note:
        st.caption(response.note)
    if response.seconds is not None and (response.text or not call.error):
        show_figures(response, read_prices(load_settings()))


def _stream(call: ModelCall, slot: DeltaGenerator, anchor: Anchor) -> None:
    """Draw an answer in a slot until it is complete."""
    while not call.done():
        # Streamlit ends this run at each of these calls when a click has asked for a newer run.
        text = neutral(call.response.text, anchor)
        status = call.waiting or ("thinking …" if call.response.thinking_left_out else "waiting …")
        slot.markdown(f"{text} ▌" if text else f"◐ {inert(status)}")
        # The whole text is sent and drawn each time, so a long one less often: a browser that
        # cannot keep up would leave the rest in the server's memory.
        call.wait(_REDRAW_SECONDS * max(1.0, len(text) / _LONG_TEXT))


def _offer_to_ask_again(comparison: AnswerPair) -> None:
    if change_button(st, "Ask again", icon=":material/replay:", key=f"again {comparison.number}"):
        comparison.start(load_settings(), comparison.models)
        st.rerun()


def _show_paste_box(comparison: AnswerPair, side: Side) -> None:
    """Draw where the answer of any chatbot can be pasted, to be checked instead of this side's."""
    key = _paste_key(comparison, side)
    st.text_area(
        f"An answer to judge as “{side.label}”",
        key=key,
        placeholder="Paste any chatbot's answer here, then press Ctrl+Enter.",
        height=205,
        max_chars=20_000,
    )
    st.button("Judge it", key=f"judge {key}")


def _paste_key(comparison: AnswerPair, side: Side) -> str:
    return f"pasted {comparison.number} {side.label}"


def _checked_text(comparison: AnswerPair, side: Side) -> str:
    """Return the text that is checked as a side's answer: the pasted one, or the model's."""
    pasted = str(st.session_state.get(_paste_key(comparison, side)) or "")
    if pasted.strip():
        return pasted
    call = comparison.calls.get(side)
    return call.checked_text if call and call.done() else ""


def _has_answer(comparison: AnswerPair, side: Side) -> bool:
    """Return whether a side has a text, although it may be too short to check."""
    call = comparison.calls.get(side)
    came = call.response.text if call and call.done() else ""
    return bool(came.strip() or _checked_text(comparison, side).strip())


def _show_prompt(prompt: Prompt) -> None:
    with st.expander("Exact prompt"):
        st.code(prompt.text(), language=None, wrap_lines=True, height=320)


def _show_results(comparison: AnswerPair) -> None:
    """Draw what is known of the answers when both have arrived, and the sources."""
    texts = {
        side: _checked_text(comparison, side).strip()
        for side in Side
        if _has_answer(comparison, side)
    }
    if texts:
        st.caption("Both answers in numbers")
        show_numbers(comparison, texts, read_prices(load_settings()))
        if comparison.passages:
            _offer_judges(comparison, {side: text for side, text in texts.items() if text})
    if texts or comparison.calls:
        for side, place in zip(Side, st.columns(2, gap="medium"), strict=True):
            with place:
                _show_verdict(comparison, side)
                if comparison.calls:
                    with st.expander("Judge an answer from elsewhere"):
                        _show_paste_box(comparison, side)
    _show_sources(comparison)


def _show_verdict(comparison: AnswerPair, side: Side) -> None:
    text = _checked_text(comparison, side)
    if not _has_answer(comparison, side):
        return
    call = comparison.calls.get(side)
    pasted = call is None or call.checked_text != text
    st.markdown(f"**{side.label}: verdict**{' on the pasted text' if pasted else ''}")
    if comparison.truth and (score := comparison.score(side, text)):
        show_score(comparison.truth, score)
        return
    verdicts = comparison.verdicts(side, text)
    if not verdicts:
        st.caption("No claim in it.")
    numbers = {passage.text: number for number, passage in enumerate(comparison.passages, 1)}
    show_claims(verdicts, _judgements(comparison, side), numbers)


def _judgements(comparison: AnswerPair, side: Side) -> Sequence[Judgement] | None:
    """Return what a model says of the claims of a side's answer, if it was asked about it."""
    judged = comparison.judgements.get(side)
    return judged[1] if judged and judged[0] == _checked_text(comparison, side) else None


def _offer_judges(comparison: AnswerPair, texts: dict[Side, str]) -> None:
    """Draw a button for each configured model that can judge the claims."""
    settings = load_settings()
    model = open_model(settings)
    if not model.is_ready and not settings.nli_model:
        return
    row = st.container(horizontal=True)
    asks_model = model.is_ready and change_button(
        row,
        "Ask the model to judge too",
        icon=":material/gavel:",
        key=f"judge {comparison.number}",
        help="One more request for each side. A quote that is not in the passage counts nothing.",
    )
    asks_nli = settings.nli_model and change_button(
        row,
        "Judge with the NLI model",
        icon=":material/balance:",
        key=f"judge nli {comparison.number}",
        help="Runs on this machine, with the model in FAREGROUND_NLI_MODEL.",
    )
    if not asks_model and not asks_nli:
        return
    with st.spinner("The model judges each claim …"), reported():
        nli = open_nli(settings) if asks_nli else None
        for side, text in texts.items():
            claims = [verdict.claim for verdict in comparison.verdicts(side, text)]
            passages = comparison.passages
            judgements = (
                judge_by_nli(claims, passages, nli) if nli else judge(claims, passages, model)
            )
            comparison.judgements[side] = (text, judgements)
        st.rerun()


def _show_sources(comparison: AnswerPair) -> None:
    truth = comparison.truth
    if truth:
        row = st.container(horizontal=True, vertical_alignment="center")
        row.subheader("\\[1\\] Result of the query", anchor=comparison.anchor(1), width="content")
        if truth.synthetic:
            show_synthetic(row)
        st.dataframe(
            truth.rows,
            hide_index=True,
            key=f"truth {comparison.number}",
            column_config={
                name: st.column_config.NumberColumn(format="localized") for name in truth.rows[0]
            },
            alt="The result of the query",
        )
        with st.expander("The SQL"):
            st.code(truth.sql, language="sql")
    elif comparison.passages:
        with st.expander(f"Sources: {counted(len(comparison.passages), 'passage')}", expanded=True):
            show_passages(comparison.passages, comparison.number)
