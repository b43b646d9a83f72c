"""Both sides of a question side by side: prompts, answers as they stream in, and what is known."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

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


def show_round(current: Round, *, newest: bool) -> None:
    """Draw a round: its question, both columns, the numbers, and its sources."""
    if current.asked:
        st.header(inert(current.question), anchor=False)
    left, right = st.columns(2, gap="medium")
    with left:
        show_side(current, Side.PLAIN, newest)
    with right:
        show_side(current, Side.SOURCES, newest)
    texts = {side: text for side in Side if (text := judged_text(current, side).strip())}
    if texts and not current.running:
        st.caption("Both answers in numbers")
        show_comparison(current, texts, read_prices(load_settings()))
        if current.passages and has_key(load_settings()):
            show_judge_button(current, texts)
    show_sources(current, newest=newest)


@st.fragment(parallel=True)
def show_side(current: Round, side: Side, newest: bool) -> None:
    """Draw one side; two of these stream at once."""
    with reported():
        st.subheader(side.value, anchor=False)
        asking = current.asked.get(side)
        if asking:
            watched = show_answer(current, asking, side)
            if watched and not current.running:
                st.rerun()  # the numbers of both sides can be shown now
        if newest and not current.running:
            show_paste(current, side)
        if not current.running:
            show_verdict(current, side)
        show_prompt(current.prompts[side])


def show_answer(current: Round, asking: Asking, side: Side) -> bool:
    """Draw an answer, as it comes in if it does; return whether it was waited for."""
    slot = st.empty()
    watched = False
    # What the plain side cites it has made up: that leads to none of our sources.
    anchor: Anchor = current.anchor if side == Side.SOURCES else lambda _number: None
    while not asking.done.wait(0 if not watched else _TICK):
        watched = True
        # Each draw is also where Streamlit leaves this run of the page for a newer one.
        text = neutral(asking.reply.text, anchor)
        slot.markdown(f"{text} ▌" if text else f"◐ {inert(asking.waiting or 'waiting …')}")
    if asking.reply.text:
        slot.markdown(neutral(asking.reply.text, anchor))
    else:
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
    return watched


def show_paste(current: Round, side: Side) -> None:
    """Draw where any chatbot's answer can be pasted, to be judged in place of this side's own."""
    with st.expander("Judge an answer from elsewhere", expanded=not current.asked):
        st.text_area(
            f"An answer to judge as “{side}”",
            key=_paste_key(current, side),
            placeholder="Paste any chatbot's answer here, then press Ctrl+Enter.",
            height=120,
            max_chars=20_000,
        )
        if st.button("Judge it", key=f"judge {_paste_key(current, side)}"):
            st.rerun()  # all of the page: the numbers of both sides stand below


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
    st.markdown(f"**Verdict**{' on the pasted text' if pasted else ''}")
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


def show_sources(current: Round, *, newest: bool) -> None:
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
        # Closed while answers come in, whose every new line pushes it further down.
        shown = newest and not current.running
        with st.expander(f"Sources: {len(current.passages):,} passages", expanded=shown):
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
