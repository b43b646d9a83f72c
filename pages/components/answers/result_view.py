"""Draw a comparison: the result first, both answers with a badge on each claim, then the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.answers.guesses import Guesses
from pages.components.answers.passage_view import marked_text, show_in_document, show_passages
from pages.components.answers.verdict_view import (
    CLAIM_COLORS,
    MOST_CLAIMS,
    SCORE_BADGES,
    dollars,
    seconds,
    show_judge_reason,
    show_judge_verdict,
    show_rest,
)
from pages.components.common.access import change_button
from pages.components.common.messages import reported, show_synthetic
from pages.components.common.safe_markdown import inert, neutral
from pages.components.common.words import count
from pipeline.answers.check.grounding import GLYPHS, ClaimVerdict
from pipeline.answers.check.judge import Judgement
from pipeline.answers.check.nli import judge_by_nli
from pipeline.answers.check.nli_model import open_nli
from pipeline.answers.comparisons import (
    AnswerComparison,
    SideAnswer,
    nearest_text,
    outcome_words,
)
from pipeline.answers.handout import ORIGINS, write_handout
from pipeline.answers.model.answer_text import THINKING_OMITTED
from pipeline.answers.model.names import other_model_notice
from pipeline.answers.model.prompts import Side
from pipeline.core.settings.settings import load_settings

# Letters that no text has for itself; they mark where a badge goes while Markdown is made harmless.
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_CHECKED = "verdicts of the shown comparison"
_JUDGED = "judgements of the shown comparison"
_LONGEST_LABEL = 90  # characters of a claim, about a line of a column


def show_result(comparison: AnswerComparison) -> None:
    """Draw a comparison whose answers have arrived; its claims are checked here and now."""
    verdicts = _check(comparison)
    shown = {side: claims[:MOST_CLAIMS] for side, claims in verdicts.items()}
    guesses = Guesses(comparison.id, shown)
    st.header(inert(comparison.question), anchor=False)
    row = st.container(horizontal=True, vertical_alignment="center")
    if any(verdicts.values()):
        guesses.offer(row)
    row.download_button(
        "Handout",
        data=lambda: write_handout(comparison),
        file_name=f"comparison-{comparison.id}.html",
        mime="text/html",
        on_click="ignore",
        icon=":material/print:",
        help="One HTML page with both answers, the verdicts, the sources and the prompts.",
        key=f"handout {comparison.id}",
    )
    _offer_nli_judge(row, comparison, shown)
    guesses.show_score()
    if comparison.exact:
        _show_exact(comparison)
    _show_outcomes(comparison, verdicts, guesses)
    for side, place in zip(Side, st.columns(2, gap="medium"), strict=True):
        with place:
            _show_side(comparison, side, shown[side], guesses)
            show_rest(len(verdicts[side]))


def _offer_nli_judge(
    row: DeltaGenerator, comparison: AnswerComparison, verdicts: Mapping[Side, list[ClaimVerdict]]
) -> None:
    """Draw the button that has the NLI model of the settings judge the claims too."""
    settings = load_settings()
    if not settings.nli_model or not any(verdicts.values()):
        return
    if not change_button(
        row,
        "Judge with the NLI model",
        icon=":material/balance:",
        key=f"judge nli {comparison.id}",
        help="Runs on this machine, with the model in FAREGROUND_NLI_MODEL.",
    ):
        return
    with st.spinner("The model judges each claim …"), reported():
        model = open_nli(settings)
        judgements = {
            side: judge_by_nli([claim.claim for claim in claims], comparison.passages, model)
            for side, claims in verdicts.items()
        }
        st.session_state[_JUDGED] = (comparison.id, judgements)


def _judgement(comparison: AnswerComparison, side: Side, number: int) -> Judgement | None:
    """Return what the NLI model says of a claim of the shown comparison, if it was asked."""
    id, judgements = st.session_state.get(_JUDGED, ("", {}))
    if id != comparison.id:
        return None
    of_side: Sequence[Judgement] = judgements[side]
    return of_side[number - 1] if number <= len(of_side) else None


def _check(comparison: AnswerComparison) -> dict[Side, list[ClaimVerdict]]:
    """Return the verdicts on both answers; they are worked out once while a comparison is shown."""
    key = (comparison.id, str(load_settings().home))
    checked: tuple[object, dict[Side, list[ClaimVerdict]]] | None = st.session_state.get(_CHECKED)
    if checked is None or checked[0] != key or not comparison.id:
        checked = (key, {side: comparison.verdicts(side) for side in Side})
        st.session_state[_CHECKED] = checked
    return checked[1]


def _show_outcomes(
    comparison: AnswerComparison, verdicts: Mapping[Side, list[ClaimVerdict]], guesses: Guesses
) -> None:
    """Draw the results of both sides beside each other, also where the answers are not."""
    row = st.container(horizontal=True, gap="large")
    for side in Side:
        answer = comparison.sides[side]
        words = outcome_words(verdicts[side], answer)
        if answer.score:
            words, _ = SCORE_BADGES[answer.score]
        hidden = guesses.hides(side)
        row.metric(side.label, "hidden: guess first" if hidden else words, width="content")


def _show_exact(comparison: AnswerComparison) -> None:
    exact = comparison.exact
    assert exact is not None
    row = st.container(horizontal=True, vertical_alignment="center")
    row.metric("Exact answer", exact.answer, width="content")
    row.caption(f"Right is {exact.right}.", width="content")
    if exact.synthetic:
        show_synthetic(row)
    if exact.notice:
        st.warning(inert(exact.notice), icon=":material/incomplete_circle:")


def _show_side(
    comparison: AnswerComparison, side: Side, verdicts: Sequence[ClaimVerdict], guesses: Guesses
) -> None:
    answer = comparison.sides[side]
    st.subheader(side.label, anchor=False)
    if ORIGINS[answer.origin]:
        st.badge(ORIGINS[answer.origin], icon=":material/edit_note:", color="yellow")
    elif answer.answered or answer.asked:
        st.badge(inert(answer.answered or answer.asked), icon=":material/smart_toy:", color="blue")
    with st.container(border=True):
        st.markdown(badged(answer.text, verdicts, guesses, side) or "No answer.")
    if notice := other_model_notice(answer.asked, answer.answered):
        st.warning(inert(notice), icon=":material/swap_horiz:")
    if answer.problem:
        st.warning(inert(answer.problem), icon=":material/warning:")
    for number, verdict in enumerate(verdicts, 1):
        _show_claim(number, verdict, side, guesses, comparison)


def badged(text: str, verdicts: Sequence[ClaimVerdict], guesses: Guesses, side: Side) -> str:
    """Return harmless Markdown of an answer with a badge behind each claim: glyph and number."""
    text = text.replace(_OPEN, " ").replace(_CLOSE, " ")
    for number, verdict in reversed(list(enumerate(verdicts, 1))):
        end = verdict.end
        # Within the last cell of a table's row.
        if row_end := re.search(r"\s*\|\s*$", text[verdict.start : end]):
            end = verdict.start + row_end.start()
        # Behind the citations of the claim, which stand behind its sentence.
        if cited := re.match(r"(?:\s*\[\d+\])+[.!?]?", text[end:]):
            end += cited.end()
        text = f"{text[:end]}{_OPEN}{number}{_CLOSE}{text[end:]}"

    def badge(mark: re.Match[str]) -> str:
        number = int(mark[1])
        verdict = verdicts[number - 1]
        if guesses.hides_claim(side, number):
            return f" :gray-badge[? {number}]"
        return f" :{CLAIM_COLORS[verdict.verdict]}-badge[{GLYPHS[verdict.verdict]} {number}]"

    return _MARK.sub(badge, neutral(text))


def _show_claim(
    number: int, verdict: ClaimVerdict, side: Side, guesses: Guesses, comparison: AnswerComparison
) -> None:
    """Draw a claim; a click opens the passage in its document, once it may be seen."""
    claim = verdict.claim.replace("`", "")  # its label shows text, not code
    if len(claim) > _LONGEST_LABEL:
        claim = f"{claim[:_LONGEST_LABEL]}…"
    if guesses.hides_claim(side, number):
        with st.container(border=True, gap="xsmall"):
            st.markdown(f":gray-badge[? {number}] {inert(claim)}")
            guesses.ask(side, number)
        return
    color, glyph = CLAIM_COLORS[verdict.verdict], GLYPHS[verdict.verdict]
    label = f":{color}-badge[{glyph} {number} {verdict.verdict}] {inert(claim)}"
    with st.expander(label, key=f"claim {comparison.id} {side} {number}"):
        if judgement := _judgement(comparison, side, number):
            show_judge_verdict(st.container(), judgement)
            show_judge_reason(judgement)
        if guessed := guesses.describe(side, number):
            st.caption(guessed)
        if verdict.missing:
            st.markdown(f"Not in the passage: **{inert(', '.join(verdict.missing))}**")
        if verdict.contradiction:
            st.markdown(inert(verdict.contradiction))
        if verdict.passage and verdict.quote:
            source = comparison.passages.index(verdict.passage) + 1
            st.caption(f"The nearest sentence, in source \\[{source}\\]")
            key = f"document {comparison.id} {side} {number}"
            show_in_document(verdict.passage, verdict.quote, key)
        elif nearest := nearest_text(verdict):
            st.caption(f"Document date: {inert(nearest)}")
        else:
            st.caption("No passage shares a word with it.")


def show_tabs(comparison: AnswerComparison) -> DeltaGenerator:
    """Draw sources, prompts, and tokens and prices in tabs; return the tab for a pasted answer."""
    titles = ("Sources", "Exact prompts", "Tokens", "Paste an answer")
    # Streamlit's own color of an open tab is too light on white; this one is not.
    sources, prompts, figures, paste = st.tabs([f":yellow[{title}]" for title in titles])
    with sources:
        if comparison.exact:
            st.markdown(marked_text(comparison.exact.table, ()))
            st.code(comparison.exact.sql, language="sql")
        show_passages(comparison.passages, comparison.id or "0")
    with prompts:
        for side, place in zip(Side, st.columns(2, gap="medium"), strict=True):
            place.caption(side.label)
            place.code(comparison.sides[side].prompt, language=None, wrap_lines=True, height=320)
    with figures:
        rows = [
            _figures(side, answer)
            for side, answer in comparison.sides.items()
            if answer.origin == "model"
        ]
        if rows:
            st.dataframe(
                pd.DataFrame(rows),
                hide_index=True,
                key=f"figures {comparison.id}",
                alt="Model, tokens, time and price of the answers",
            )
            st.caption("Thinking tokens are billed as output tokens.")
        if len(rows) < len(Side):
            st.caption("Examples and pasted answers have no token counts or price.")
        for side, answer in comparison.sides.items():
            if answer.price_problem:
                st.caption(f"{side.label}: {inert(answer.price_problem)}")
            if answer.thinking_left_out:
                st.caption(f"{side.label}: {THINKING_OMITTED}.")
    return paste


def _figures(side: Side, answer: SideAnswer) -> dict[str, str]:
    return {
        "side": side.label,
        "asked": answer.asked,
        "answered": answer.answered,
        "prompt tokens": count(answer.prompt_tokens),
        "answer tokens": count(answer.output_tokens),
        "thinking tokens": count(answer.thinking_tokens),
        "first token": seconds(answer.first_token_seconds),
        "total": seconds(answer.seconds),
        "price": dollars(answer.dollars),
        "price of": answer.price_date,
    }
