"""Both sides of a question side by side: prompts, answers as they stream in, and what is known."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.conversation import Round, Side
from pages.shared.frame import reported, show_error, show_synthetic
from pages.shared.models import offered
from pages.shared.neutral import Anchor, inert, neutral
from pages.shared.passages import show_passages
from pages.shared.people import change_button
from pages.shared.verdicts import show_claims, show_comparison, show_figures, show_score
from pipeline.answers.asking import Asking
from pipeline.answers.gemini import has_key
from pipeline.answers.judge import Judgement, judge
from pipeline.answers.prices import read_prices
from pipeline.answers.prompts import Prompt
from pipeline.errors import ModelGone
from pipeline.settings import load_settings

_TICK = 0.12  # seconds between two looks at an answer that streams in
_BOX = 330  # pixels: an answer of a dozen lines beside each other, and no screen of a phone


def show_round(current: Round, *, newest: bool) -> None:
    """Draw both answers beside each other, then what is known of them.

    An answer has a box as high as its place was before it was asked for, and what follows comes
    once both are there: nothing is pushed away that somebody reads or is about to click.
    """
    running = current.running
    for side, place in zip(Side, st.columns(2, gap="medium"), strict=True):
        with place:
            st.subheader(side.value, anchor=False)
            with st.container(border=True, height=_BOX, key=f"box {current.number} {side}"):
                if side in current.asked:
                    watch_answer(current, side, newest, running)
                else:
                    show_paste(current, side)
            show_prompt(current.prompts[side])
    below = st.empty()
    if not running:
        with below.container():
            show_findings(current)


@st.fragment(parallel=True)
def watch_answer(current: Round, side: Side, newest: bool, running: bool) -> None:
    """Draw one side's answer; two of these stream at once."""
    with reported():
        show_answer(current, current.asked[side], side)
        if newest and not current.running and side in current.failed[:1]:
            offer_again(current)
        if running and not current.running:
            st.rerun()  # what is known of both can be shown now


def show_findings(current: Round) -> None:
    """Draw what is known of the answers of a round that is over, and its sources."""
    texts = {side: text for side in Side if (text := judged_text(current, side).strip())}
    if texts:
        st.caption("Both answers in numbers")
        show_comparison(current, texts, read_prices(load_settings()))
        if current.passages and has_key(load_settings()):
            show_judge_button(current, texts)
    if texts or current.asked:
        for side, place in zip(Side, st.columns(2, gap="medium"), strict=True):
            with place:
                show_verdict(current, side)
                if current.asked:
                    with st.expander("Judge an answer from elsewhere"):
                        show_paste(current, side)
    show_sources(current)


def show_answer(current: Round, asking: Asking, side: Side) -> None:
    """Draw an answer, as it comes in if it does, and how it went."""
    # What the plain side cites it has made up: that leads to none of our sources.
    anchor: Anchor = current.anchor if side == Side.SOURCES else lambda _number: None
    # In a slot, what an answer that has come before stands in would be empty for a moment.
    slot = None if asking.done.is_set() else st.empty()
    if slot:
        stream(asking, slot, anchor)
    if asking.reply.text:
        (slot or st).markdown(neutral(asking.reply.text, anchor))
    elif slot:
        slot.empty()
    if asking.stopped:
        st.info("◼ Stopped. What had come until then is shown.")
    elif asking.error:
        show_error(asking.error)
        if isinstance(asking.error, ModelGone):
            names = ", ".join(offered(load_settings()))
            st.caption(f"The API offers: {inert(names)}" if names else "The API offers no others.")
    if asking.reply.note:
        st.caption(asking.reply.note)
    if asking.reply.seconds is not None and (asking.reply.text or not asking.error):
        show_figures(asking, read_prices(load_settings()))


def stream(asking: Asking, slot: DeltaGenerator, anchor: Anchor) -> None:
    """Draw an answer in a slot until all of it has come."""
    while not asking.done.is_set():
        # Each draw is also where Streamlit leaves this run of the page for a newer one.
        text = neutral(asking.reply.text, anchor)
        slot.markdown(f"{text} ▌" if text else f"◐ {inert(asking.waiting or 'waiting …')}")
        asking.done.wait(_TICK)


def offer_again(current: Round) -> None:
    """Draw the way to ask both sides again after one of them failed."""
    if change_button(st, "Ask again", icon=":material/replay:", key=f"again {current.number}"):
        current.start(load_settings(), current.model)
        st.rerun()


def show_paste(current: Round, side: Side) -> None:
    """Draw where any chatbot's answer can be pasted, to be judged in place of this side's own."""
    st.text_area(
        f"An answer to judge as “{side}”",
        key=_paste_key(current, side),
        placeholder="Paste any chatbot's answer here, then press Ctrl+Enter.",
        height=205,
        max_chars=20_000,
    )
    st.button("Judge it", key=f"judge {_paste_key(current, side)}")


def _paste_key(current: Round, side: Side) -> str:
    return f"pasted {current.number} {side}"


def judged_text(current: Round, side: Side) -> str:
    """Return the answer that stands for a side: the pasted one, else the model's."""
    pasted = str(st.session_state.get(_paste_key(current, side)) or "")
    if pasted.strip():
        return pasted
    asking = current.asked.get(side)
    return asking.reply.text if asking and asking.done.is_set() else ""


def show_verdict(current: Round, side: Side) -> None:
    """Draw what is known of a side's answer."""
    text = judged_text(current, side)
    if not text.strip():
        return
    asking = current.asked.get(side)
    pasted = asking is None or asking.reply.text != text
    st.markdown(f"**{side}: verdict**{' on the pasted text' if pasted else ''}")
    if current.truth and (found := current.score(text)):
        show_score(current.truth, found)
        return
    verdicts = current.claims(side, text)
    if not verdicts:
        st.caption("No claim in it.")
    numbers = {passage.text: number for number, passage in enumerate(current.passages, 1)}
    show_claims(verdicts, judgements(current, side), numbers)


def show_prompt(prompt: Prompt) -> None:
    """Draw the exact prompt, to be seen and copied."""
    with st.expander("Exact prompt"):
        st.code(prompt.text(), language=None, wrap_lines=True, height=320)


def show_sources(current: Round) -> None:
    """Draw the sources of a round."""
    if current.truth:
        row = st.container(horizontal=True, vertical_alignment="center")
        row.subheader("\\[1\\] Result of the query", anchor=current.anchor(1), width="content")
        if current.truth.synthetic:
            show_synthetic(row)
        st.dataframe(
            current.truth.rows,
            hide_index=True,
            key=f"truth {current.number}",
            column_config={
                name: st.column_config.NumberColumn(format="localized")
                for name in current.truth.rows[0]
            },
            alt="The result of the query",
        )
        with st.expander("The SQL"):
            st.code(current.truth.sql, language="sql")
    elif current.passages:
        with st.expander(f"Sources: {len(current.passages):,} passages", expanded=True):
            show_passages(current.passages, current.number)


def show_judge_button(current: Round, texts: dict[Side, str]) -> None:
    """Draw the way to a model's word on the claims, whose quotes are looked up."""
    if not change_button(
        st,
        "Ask the model to judge too",
        icon=":material/gavel:",
        key=f"judge {current.number}",
        help="One more request for each side. A quote that is not in the passage counts nothing.",
    ):
        return
    settings = load_settings()
    with st.spinner("The model judges each claim …"), reported():
        for side, text in texts.items():
            claims = [verdict.claim for verdict in current.claims(side, text)]
            current.judged[side] = (text, judge(claims, current.passages, settings))
        st.rerun()


def judgements(current: Round, side: Side) -> Sequence[Judgement] | None:
    """Return the model's word on the claims of a side's answer, if it was asked for it."""
    known = current.judged.get(side)
    return known[1] if known and known[0] == judged_text(current, side) else None


def stop_all(rounds: Sequence[Round]) -> None:
    """Stop whatever is still on its way."""
    for current in rounds:
        current.stop()
