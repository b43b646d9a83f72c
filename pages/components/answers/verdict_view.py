"""Draw what is known of an answer: verdicts on its claims, the score of a number, its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.answers.conversation import AnswerPair, count_verdicts
from pages.components.common.safe_markdown import inert
from pages.components.common.words import count
from pipeline.answers.check.claims import is_abstention
from pipeline.answers.check.grounding import GLYPHS, ClaimVerdict, Verdict
from pipeline.answers.check.judge import JUDGE_GLYPHS, Judgement, JudgeVerdict
from pipeline.answers.comparisons import nearest_text
from pipeline.answers.model import ModelResponse
from pipeline.answers.model.answer_text import THINKING_OMITTED
from pipeline.answers.model.call import ModelCall
from pipeline.answers.model.names import answered_name
from pipeline.answers.model.prices import PriceList
from pipeline.answers.model.prompts import Side
from pipeline.answers.truths.truths import GroundTruth, NumberScore, in_unit

MOST_CLAIMS = 200  # that are drawn of an answer: each is a part of the page

BadgeColor = Literal["green", "yellow", "red", "blue", "gray"]

CLAIM_COLORS: dict[Verdict, BadgeColor] = {
    Verdict.FOUND: "green",
    Verdict.ACROSS: "green",
    Verdict.VALUE: "yellow",
    Verdict.NOT_FOUND: "gray",
    Verdict.ABSTAINED: "blue",
}
_JUDGE_COLORS: dict[JudgeVerdict, BadgeColor] = {
    JudgeVerdict.SUPPORTED: "green",
    JudgeVerdict.CONTRADICTED: "red",
    JudgeVerdict.NOT_IN_SOURCE: "gray",
    JudgeVerdict.UNVERIFIED: "yellow",
}
SCORE_BADGES: dict[str, tuple[str, BadgeColor]] = {
    "right": ("✓ right", "green"),
    "wrong": ("✕ wrong", "red"),
    "not judged": ("– not judged", "gray"),
    "abstained": ("– abstained", "blue"),
    "no number": ("○ no number", "gray"),
}


def _verdict_words(verdict: Verdict) -> str:
    return f"{GLYPHS[verdict]} {verdict}"


def show_claims(
    verdicts: Sequence[ClaimVerdict],
    judgements: Sequence[Judgement] | None,
    numbers: Mapping[str, int],
) -> None:
    """Draw the verdict on each claim, with the passage that comes nearest.

    Args:
        verdicts: In the order of the claims.
        judgements: What a model says of the same claims, if it was asked.
        numbers: The numbers of the passages, by their text.
    """
    for position, verdict in enumerate(verdicts[:MOST_CLAIMS]):
        with st.container(border=True, gap="xsmall"):
            row = st.container(horizontal=True, gap="small")
            row.badge(_verdict_words(verdict.verdict), color=CLAIM_COLORS[verdict.verdict])
            judgement = judgements[position] if judgements and position < len(judgements) else None
            if judgement:
                show_judge_verdict(row, judgement)
            st.markdown(inert(verdict.claim))
            if verdict.missing:
                st.caption(f"Not in the passage: {inert(', '.join(verdict.missing))}")
            if verdict.contradiction:
                st.caption(inert(verdict.contradiction))
            if verdict.passage and (nearest := nearest_text(verdict)):
                number = numbers.get(verdict.passage.text)
                where = f"\\[{number}\\]" if number else inert(verdict.passage.context)
                st.caption(f"Nearest sentence in {where}: {inert(nearest)}")
            if judgement:
                show_judge_reason(judgement)
    show_rest(len(verdicts))


def show_judge_verdict(place: DeltaGenerator, judgement: Judgement) -> None:
    """Draw what a judging model says of a claim as a badge."""
    place.badge(
        f"{JUDGE_GLYPHS[judgement.verdict]} judge: {judgement.verdict}",
        color=_JUDGE_COLORS[judgement.verdict],
    )


def show_judge_reason(judgement: Judgement) -> None:
    """Draw why a judging model says so: its note, or the sentence that it quotes."""
    if judgement.note:
        st.caption(inert(judgement.note))
    elif judgement.quote:
        st.caption(f"Judge’s quote: {inert(judgement.quote)}")


def show_rest(claims: int) -> None:
    """Say how many claims an answer has if not all of them are drawn."""
    if claims > MOST_CLAIMS:
        st.caption(f"Showing {MOST_CLAIMS:,} of {claims:,} claims. The totals count all of them.")


def show_score(truth: GroundTruth, score: NumberScore) -> None:
    """Draw the verdict on a number: equal to the exact answer, different, or not judged."""
    words, color = SCORE_BADGES[score.outcome]
    with st.container(border=True, gap="xsmall"):
        st.badge(words, color=color)
        if score.stated:
            stated = in_unit(score.stated.value, truth.template.unit)
            st.markdown(f"Read as **{inert(stated)}**, from: {inert(score.stated.text)}")
        st.caption(
            f"The exact answer is {inert(truth.answer)}; right is {truth.template.tolerance}."
        )
        if score.outcome == "not judged":
            st.caption(
                "The loaded rows are not those of the whole month, so another number may be true "
                "of the month."
            )


def show_figures(response: ModelResponse, prices: PriceList) -> None:
    """Draw the times, tokens, price and model of an answer."""
    figures = {
        "First token": seconds(response.first_token_seconds),
        "Total": seconds(response.seconds),
        "Tokens": count(response.usage.total) or "unknown",
        "Price": dollars(prices.cost(answered_name(response), response.usage)),
    }
    grid = st.grid("auto", min_column_width=110)
    for name, figure in figures.items():
        grid.metric(name, figure)
    st.caption(" · ".join(_details(response, prices)))
    if prices.problem:
        st.caption(inert(prices.problem))


def _details(response: ModelResponse, prices: PriceList) -> list[str]:
    usage = response.usage
    parts = [inert(response.model_version or response.model)]
    if usage.total is not None:
        parts.append(
            f"tokens: {count(usage.prompt)} prompt, {count(usage.output or 0)} answer, "
            f"{count(usage.thinking or 0)} thinking"
        )
    date = prices.date_of(answered_name(response))
    parts.append(f"list price of {date}" if date else "no price known for this model")
    if response.waited_seconds:
        parts.append(f"waited {seconds(response.waited_seconds)} for the API")
    if response.thinking_left_out:
        parts.append(THINKING_OMITTED)
    return parts


def seconds(value: float | None) -> str:
    """Return a time to two decimals, or that it is unknown."""
    return "unknown" if value is None else f"{value:,.2f} s"


def dollars(value: float | None) -> str:
    """Return a price in dollars to four decimals, a small one to six, or that it is unknown."""
    if value is None:
        return "unknown"
    return "$0" if value == 0 else f"${value:,.6f}" if value < 0.01 else f"${value:,.4f}"


def show_numbers(comparison: AnswerPair, texts: Mapping[Side, str], prices: PriceList) -> None:
    """Draw the numbers of both sides in one table; it names no winner.

    Args:
        comparison: What was asked, and the calls.
        texts: The text that is checked for each side.
        prices: For the price of each answer.
    """
    rows = [_numbers(comparison, side, text, prices) for side, text in texts.items()]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key=f"comparison {comparison.number}",
        column_config={
            name: st.column_config.TextColumn(alignment="right")
            for name in rows[0]
            if name not in ("side", "outcome")
        },
        alt="Both sides' numbers beside each other",
    )


def _numbers(comparison: AnswerPair, side: Side, text: str, prices: PriceList) -> dict[str, str]:
    call = comparison.calls.get(side)
    is_own = call is not None and call.checked_text.strip() == text
    response = call.response if call and is_own else None
    row = {"side": side.label}
    score = comparison.score(side, text)
    if score and comparison.truth:
        stated = score.stated
        row["outcome"] = SCORE_BADGES[score.outcome][0]
        row["stated"] = in_unit(stated.value, comparison.truth.template.unit) if stated else ""
        row["exact"] = comparison.truth.answer
    else:
        verdicts = comparison.verdicts(side, text)
        ending = _ending(call) if call and is_own else ""
        row["outcome"] = ending or ("– abstained" if is_abstention(text) else "answered")
        row["claims"] = f"{len(verdicts):,}"
        row |= {_verdict_words(kind): f"{n:,}" for kind, n in count_verdicts(verdicts).items()}
    row["first token"] = seconds(response.first_token_seconds) if response else ""
    row["total"] = seconds(response.seconds) if response else ""
    row["tokens"] = count(response.usage.total) if response else ""
    row["price"] = dollars(prices.cost(answered_name(response), response.usage)) if response else ""
    return row


def _ending(call: ModelCall) -> str:
    """Return why an answer is incomplete, or nothing."""
    if call.error is None:
        return ""
    return "◼ stopped" if call.stopped else "✕ cut off"
